"""Keys and values of the types whose schema says that they differ from those of nearly every type.

A path that names more than the resource's id is kept whole: what follows the folder is the id of a key here, and which
resource it is of can be asked (:meth:`PlacedKeyView.resource_id`). So everything below one folder that has another
shape is passed over, as keys are that another type has there.
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
"""Of a site all of whose keys are a prefix and an id."""


def key_view(prefix: str, layouts: Mapping[str, Layout]) -> KeyView:
    """Make the view of configs, templates or stack outputs that are known by ``prefix``."""
    layout = layouts.get(prefix)
    return KeyView(prefix) if layout is None else PlacedKeyView(prefix, layout)


def state_view(prefix: str, read: StateReader, layouts: Mapping[str, Layout]) -> StateView:
    """Make the view of states or records that are known by ``prefix``."""
    layout = layouts.get(prefix)
    return StateView(prefix, read) if layout is None else PlacedStateView(prefix, read, layout)


def worker_state_view(prefix: str, layouts: Mapping[str, Layout]) -> WorkerStateView:
    """Make the view of worker states that are known by ``prefix``."""
    layout = layouts.get(prefix)
    return WorkerStateView(prefix) if layout is None else PlacedWorkerStateView(prefix, layout)


class PlacedKeyView(KeyView):
    """Configs or stack outputs of such a type.

    A resource has one key. Where gohan moves it, since a field of its path has changed, the old key stays in etcd: the
    one that was put last counts, and the others are taken for ended.
    """

    def __init__(self, prefix: str, layout: Layout) -> None:
        super().__init__(prefix, layout.folder)
        self._path = layout.place.path
        self._body = layout.place.body
        self.ids_are_resources = self._path is None
        self._of: dict[str, dict[str, None]] = {}
        """By resource: the ids of the keys that it has, where the path is more than its id."""

    def _is_ours(self, key: bytes) -> bool:
        return super()._is_ours(key) if self._path is None else self._path.id_of(self._text(key)) is not None

    def resource_id(self, id_: str) -> str:
        """Give the id of the resource whose key has an id here."""
        return id_ if self._path is None else self._path.id_of(id_) or id_

    def find(self, resource: str) -> str | None:
        """Give the id of the resource's key that was put last, or that it would have; ``None``: that can't be told."""
        if self._path is None:
            return resource
        ids = self._of.get(resource)
        return max(ids, key=self.revision) if ids else self._path.end_of(resource)

    def known(self, resource: str) -> int:
        """Give the revision by which a resource's key is known: of its last put, or at which it was missing."""
        id_ = self.find(resource)
        return self.absent if id_ is None else super().known(id_)

    def ground(self, resource: str) -> tuple[bytes, int] | None:
        """Give a resource's key and its mod_revision, 0 where there is none; ``None`` where no key can be named."""
        id_ = self.find(resource)
        return None if id_ is None else super().ground(id_)

    def where(self, resource: str) -> str:
        """Give a resource's key as text, with the names of fields in it that are not known."""
        id_ = self.find(resource)
        if id_ is None and self._path is not None:
            id_ = self._path.described(resource)
        return super().where(resource if id_ is None else id_)

    def twice(self) -> dict[str, list[str]]:
        """Give the keys of each resource that has several, the one that counts first."""
        return {
            resource: [self.folder + id_ for id_ in sorted(ids, key=self.revision, reverse=True)]
            for resource, ids in self._of.items()
            if len(ids) > 1
        }

    def envelope(self, id_: str) -> Envelope | None:
        """Give a config; ``None`` where there is none that counts. Raises :class:`Problem` for a bad one."""
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
        # What no longer counts ends before what does from now on begins.
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
