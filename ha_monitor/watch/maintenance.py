"""The maintenance keys, as their watch keeps them: by type and id, two path segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.reading.maintenance import read_maintenance
from ha_monitor.watch.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ha_monitor.model import Maintenance

_DELETE = rpc.Event.EventType.DELETE


class Frozen(NamedTuple):
    """A maintenance key: what it says, and its mod_revision."""

    maintenance: Maintenance
    revision: int


class MaintenanceView(View):
    """Which resources somebody has frozen."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.items: dict[tuple[str, str], Frozen] = {}
        self.on_change: Callable[[str, str], None] = lambda type_, id_: None
        """Told of each change, by type and id."""

    def _is_ours(self, key: bytes) -> bool:
        type_, slash, id_ = key[self._cut :].partition(b"/")
        return bool(type_ and slash and id_) and b"/" not in id_

    def size(self) -> int:
        """Give how many are frozen."""
        return len(self.items)

    def _keys(self) -> Iterator[bytes]:
        return (self.key(f"{type_}/{id_}") for type_, id_ in tuple(self.items))

    def _put(self, key: bytes, item: rpc.KeyValue) -> None:
        at, fresh = self._at(key), Frozen(read_maintenance(item.value), item.mod_revision)
        if self.items.get(at) != fresh:
            self.items[at] = fresh
            self.on_change(*at)

    def _delete(self, key: bytes, revision: int) -> None:
        at = self._at(key)
        if self.items.pop(at, None) is not None:
            self.on_change(*at)

    def _at(self, key: bytes) -> tuple[str, str]:
        type_, _, id_ = self._text(key).partition("/")
        return type_, id_
