"""The maintenance keys, as their watch keeps them: by type and id, two path segments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetcd import rpc

from ha_monitor.reading.maintenance import read_maintenance
from ha_monitor.watch.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ha_monitor.model import Maintenance

_DELETE = rpc.Event.EventType.DELETE


class MaintenanceView(View):
    """Which resources somebody has frozen."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.items: dict[tuple[str, str], Maintenance] = {}
        self.on_change: Callable[[str, str], None] = lambda type_, id_: None
        """Told of each change, by type and id."""

    def apply(self, events: Sequence[rpc.Event]) -> Iterator[None]:
        """Apply events, in order."""
        for event in events:
            if self._is_ours(event.kv.key):
                if event.type == _DELETE:
                    self._delete(event.kv.key, event.kv.mod_revision)
                else:
                    self._put(event.kv.key, event.kv)
        yield

    def _is_ours(self, key: bytes) -> bool:
        type_, slash, id_ = key[self._cut :].partition(b"/")
        return bool(type_ and slash and id_) and b"/" not in id_

    def _keys(self) -> Iterable[bytes]:
        return [self.key(f"{type_}/{id_}") for type_, id_ in self.items]

    def _put(self, key: bytes, item: rpc.KeyValue) -> None:
        at, fresh = self._at(key), read_maintenance(item.value)
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
