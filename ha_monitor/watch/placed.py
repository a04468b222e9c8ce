"""Views of types with non-standard keys or values, as their schemas define them.

If a key's path contains more than the resource's id, the id of the key in a view is everything after the folder;
:meth:`PlacedKeyView.resource_id` extracts the resource's. Keys of another shape in the same folder are ignored: they
belong to other types.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import structs

from ha_monitor.reading.envelope import read_envelope, read_plain, read_property
from ha_monitor.watch.states import StateView
from ha_monitor.watch.views import KeyView
from ha_monitor.watch.worker_states import WorkerStateView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.lang.places import Layout
    from ha_monitor.reading.envelope import Envelope
    from ha_monitor.reading.state import StateReader

NO_LAYOUTS: Mapping[str, Layout] = MappingProxyType({})
"""For a site with standard keys only."""


def key_view(prefix: str, layouts: Mapping[str, Layout]) -> KeyView:
    """Create the view of the configs, templates or stack outputs identified by ``prefix``."""
    layout = layouts.get(prefix)
    return KeyView(prefix) if layout is None else PlacedKeyView(prefix, layout)


def state_view(prefix: str, read: StateReader, layouts: Mapping[str, Layout]) -> StateView:
    """Create the view of the states or records identified by ``prefix``."""
    layout = layouts.get(prefix)
    return StateView(prefix, read) if layout is None else PlacedStateView(prefix, read, layout)


def worker_state_view(prefix: str, layouts: Mapping[str, Layout]) -> WorkerStateView:
    """Make the view of worker states that are known by ``prefix``."""
    layout = layouts.get(prefix)
    return WorkerStateView(prefix) if layout is None else PlacedWorkerStateView(prefix, layout)


class PlacedKeyView(KeyView):
    """Configs or stack outputs of such a type.

    If a field in the path of a resource changes, gohan writes a new key and leaves the old one. The key with the newest
    revision is used; the others count as deleted.
    """

    def __init__(self, prefix: str, layout: Layout) -> None:
        super().__init__(prefix, layout.folder)
        self._path = layout.place.path
        self._body = layout.place.body
        self.ids_are_resources = self._path is None
        self._of: dict[str, dict[str, None]] = {}
        """By resource: the ids of its keys, if the path is more than the resource's id."""

    def _is_ours(self, key: bytes) -> bool:
        return super()._is_ours(key) if self._path is None else self._path.id_of(self._text(key)) is not None

    def resource_id(self, id_: str) -> str:
        """Return the resource id for the id of a key."""
        return id_ if self._path is None else self._path.id_of(id_) or id_

    def find(self, resource: str) -> str | None:
        """Return the id of a resource's newest key, or the one it would have; ``None`` if that is unknown."""
        if self._path is None:
            return resource
        ids = self._of.get(resource)
        return max(ids, key=self.revision) if ids else self._path.end_of(resource)

    def known(self, resource: str) -> int:
        """Return the revision of a resource's key, or at which it was known to be missing."""
        id_ = self.find(resource)
        return self.absent if id_ is None else super().known(id_)

    def ground(self, resource: str) -> tuple[bytes, int] | None:
        """Return a resource's key and its mod_revision, 0 if it does not exist; ``None`` if the key is unknown."""
        id_ = self.find(resource)
        return None if id_ is None else super().ground(id_)

    def where(self, resource: str) -> str:
        """Return a resource's key for display, with names in place of unknown fields."""
        id_ = self.find(resource)
        if id_ is None and self._path is not None:
            id_ = self._path.described(resource)
        return super().where(resource if id_ is None else id_)

    def twice(self) -> dict[str, list[str]]:
        """Return the keys of each resource that has several, the one in use first."""
        return {
            resource: [self.folder + id_ for id_ in sorted(ids, key=self.revision, reverse=True)]
            for resource, ids in self._of.items()
            if len(ids) > 1
        }

    def envelope(self, id_: str) -> Envelope | None:
        """Return a config; ``None`` if there is none in use. Raises :class:`Problem` for an invalid one."""
        if self._path is not None and id_ in self.items and self.find(self.resource_id(id_)) != id_:
            return None
        return super().envelope(id_)

    def _read(self, id_: str, value: bytes, puts: int) -> Envelope:
        plain, field, is_text = self._body
        if field is None:
            return read_plain(value, puts) if plain else read_envelope(value, puts)
        found = read_property(value, puts, field, plain=plain, is_text=is_text)
        return structs.replace(found, body={"id": self.resource_id(id_), **found.body})

    def _changed(self, id_: str) -> None:
        if self._path is None:
            super()._changed(id_)
            return
        resource = self.resource_id(id_)
        others = [other for other in self._of.get(resource, ()) if other != id_]
        if id_ in self.items:
            self._of.setdefault(resource, {})[id_] = None
        else:
            self._of[resource].pop(id_)
            if not self._of[resource]:
                del self._of[resource]
        # The old key has to end before the new one begins: both have the same public id.
        changed = (*others, id_) if id_ in self.items else (id_, *others)
        for each in changed:
            self._decoded.pop(each, None)
            if self.on_change is not None:
                self.on_change(each)
        self._tell(resource)


class PlacedStateView(StateView):
    """States or records of such a type."""

    def __init__(self, prefix: str, read: StateReader, layout: Layout) -> None:
        super().__init__(prefix, read, layout.folder)
        self._path = layout.place.path

    def _is_ours(self, key: bytes) -> bool:
        return super()._is_ours(key) if self._path is None else self._path.id_of(self._text(key)) is not None


class PlacedWorkerStateView(WorkerStateView):
    """Worker states of such a type."""

    def __init__(self, prefix: str, layout: Layout) -> None:
        super().__init__(prefix, layout.folder)
        self._path = layout.place.path

    def _is_ours(self, key: bytes) -> bool:
        return super()._is_ours(key) if self._path is None else self._path.id_of(self._text(key)) is not None
