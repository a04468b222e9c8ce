"""The state keys of the resources themselves: which version of its config each was built to, by its worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from ha_monitor.reading.worker_state import read_worker_state
from ha_monitor.watch.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aetcd import rpc


class WorkerState(Struct, frozen=True, gc=False):
    """What a state key says: the version of the config that was built (``None``: unreadable), and its mod_revision."""

    version: int | None
    revision: int


class WorkerStateView(View):
    """The worker states of one type. Their values are read and not kept: there may be as many as resources."""

    def __init__(self, prefix: str, folder: str | None = None) -> None:
        super().__init__(prefix, folder)
        self.items: dict[str, WorkerState] = {}
        self.errors: dict[str, str] = {}
        """What workers report as errors, by id; hardly any does."""
        self.on_change: Callable[[str], None] | None = None
        """Told of each change since the first list, by id."""
        self.shared: Callable[[str], str | None] = _none
        """Gives the text of an id that is kept elsewhere already, to be kept here in place of an equal one."""

    @property
    def in_use(self) -> bool:
        """Whether anybody is to be told of a change."""
        return self.on_change is not None

    def size(self) -> int:
        """Give how many there are."""
        return len(self.items)

    def share(self, id_: str) -> None:
        """Keep the caller's text of an id in place of an equal one: 100,000 of them are 9 MB."""
        known = self.items.pop(id_, None)
        if known is not None:
            self.items[id_] = known

    def _keys(self) -> Iterator[bytes]:
        return (self.key(id_) for id_ in tuple(self.items))

    def _put(self, key: bytes, item: rpc.KeyValue) -> None:
        id_ = self._text(key)
        version, error = read_worker_state(item.value)
        fresh = WorkerState(version, item.mod_revision)
        known = self.items.get(id_)
        if known != fresh or (self.errors and self.errors.get(id_, "") != error):
            self.items[id_ if known is not None else self.shared(id_) or id_] = fresh
            if error:
                self.errors[id_] = error
            else:
                self.errors.pop(id_, None)
            self._changed(id_)

    def _delete(self, key: bytes, revision: int) -> None:
        id_ = self._text(key)
        if self.items.pop(id_, None) is not None:
            if not self.items:
                self.items.clear()  # a dict keeps the room of all that were ever in it
            self.errors.pop(id_, None)
            self._changed(id_)

    def _changed(self, id_: str) -> None:
        if self.on_change is not None and self.synced:
            self.on_change(id_)


def _none(_: str) -> None:
    return None
