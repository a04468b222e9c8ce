"""Which key is what: where the configs, states, records and stack outputs of a type are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ha_monitor.lang.places import Layout

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ha_monitor.lang.catalog import Catalog
    from ha_monitor.lang.places import KeyPath, Place


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The prefixes of one site; every prefix it gives ends in ``/``.

    If a type's schema has a ``sync_key_template``, its keys are more than a prefix and an id. They are identified by
    the shape of their path instead of a prefix, ``/config/v1.0/devices/*/virtual_machine/{id}``; ``layouts`` has the
    prefix to watch.
    """

    catalog: Catalog
    config_root: str
    state_root: str
    record_root: str
    outputs_root: str
    maintenance_root: str
    """Empty: no resource is ever frozen."""
    worker_state_root: str = ""
    """Empty: no record goes by the state of its resource."""
    layouts: Mapping[str, Layout] = field(init=False)
    """Non-standard keys and values, by what identifies the keys: their prefix, or the shape of their path."""
    paths: Mapping[str, KeyPath] = field(init=False)
    """What follows the constant part of the keys, for the types where that is more than the id."""
    _special: Mapping[str, Place] = field(init=False)
    """The places of types with non-standard keys or values."""

    def __post_init__(self) -> None:
        places = {type_: schema.place for type_, schema in self.catalog.schemas.items() if schema.place is not None}
        special = {type_: place for type_, place in places.items() if place.skips_config_prefix or not place.is_plain}
        layouts = {}
        for place in special.values():
            if not place.is_plain:
                layouts[self._configs(place)] = Layout(self._config_root(place) + place.folder, place)
            if place.path is not None:
                for root in (self.state_root, self.record_root, self.outputs_root, self.worker_state_root):
                    layouts[place.name(root)] = Layout(root + place.folder, place)
        paths = {type_: place.path for type_, place in special.items() if place.path is not None}
        object.__setattr__(self, "paths", paths)
        object.__setattr__(self, "_special", special)
        object.__setattr__(self, "layouts", layouts)

    @property
    def roots(self) -> tuple[str, ...]:
        """What every key begins with that is read or written."""
        roots = (
            self.config_root, self.state_root, self.record_root, self.outputs_root, self.maintenance_root,
            self.worker_state_root,
        )  # fmt: skip
        detached = [f"{root}{folder}" for root in roots if root for folder in self._detached]
        return (*[f"{root}/" for root in roots if root], *self.config_roots[1:], *detached)

    @property
    def config_roots(self) -> tuple[str, ...]:
        """The prefixes of all configs: the config prefix first, then those of types that skip it."""
        outside = {place.folder for place in self._special.values() if place.skips_config_prefix}
        outside |= {f"{self.config_root}{folder}" for folder in self._detached}
        return f"{self.config_root}/", *sorted(outside)

    @property
    def _detached(self) -> Sequence[str]:
        """Folders without a leading slash, by a ``sync_key_template`` without one: gohan puts no slash before them."""
        places = [schema.place for schema in self.catalog.schemas.values() if schema.place is not None]
        return sorted({place.folder for place in places if not place.folder.startswith("/")})

    @property
    def maintenance(self) -> str:
        """Where the keys that freeze resources are, ``TYPE/ID`` each."""
        return f"{self.maintenance_root}/"

    def is_maintenance(self, key: str) -> bool:
        """Tell whether a key freezes a resource."""
        return bool(self.maintenance_root) and key.startswith(self.maintenance)

    @property
    def templates(self) -> str:
        """Where the templates are."""
        return f"{self.config_root}/v2.0/heat_templates/"

    def configs(self, type_: str) -> str:
        """Where the configs of a type are."""
        place = self._special.get(type_)
        return f"{self.config_root}{self.catalog.prefix(type_)}/" if place is None else self._configs(place)

    def states(self, type_: str) -> str:
        """Where the states of a type are read."""
        return self._below(self.state_root, type_)

    def records(self, type_: str) -> str:
        """Where the records of a type are published."""
        return self._below(self.record_root, type_)

    def worker_states(self, type_: str) -> str:
        """Where workers report what they built the resources of a type to."""
        return self._below(self.worker_state_root, type_)

    def outputs(self, type_: str) -> str:
        """Where the stack outputs of a type are."""
        return self._below(self.outputs_root, type_)

    def folder(self, known_by: str) -> str:
        """Return the prefix of the keys identified by ``known_by``: itself, unless that is the shape of a path."""
        layout = self.layouts.get(known_by)
        return known_by if layout is None else layout.folder

    def is_among(self, key: str, known_by: Collection[str]) -> bool:
        """Whether a key is among those identified by any of these prefixes and shapes."""
        folder, slash, id_ = key.rpartition("/")
        if id_ and folder + slash in known_by:
            return True
        layouts = (self.layouts[each] for each in known_by if each in self.layouts)
        return any(_has(layout, key) for layout in layouts)

    def _config_root(self, place: Place) -> str:
        return "" if place.skips_config_prefix else self.config_root

    def _configs(self, place: Place) -> str:
        return place.name(self._config_root(place))

    def _below(self, root: str, type_: str) -> str:
        path = self.paths.get(type_)
        return f"{root}{self.catalog.prefix(type_)}/{'' if path is None else path.shape}"


def _has(layout: Layout, key: str) -> bool:
    if not key.startswith(layout.folder):
        return False
    return layout.place.id_of(layout.place.folder + key.removeprefix(layout.folder)) is not None
