"""What is in etcd, prefix by prefix, as the feeds keep it, and who is to be told when a key changes.

A view holds no more than is watched: values, and for each key who hangs on it. It decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from aetcd import rpc

from ha_monitor.reading.envelope import Envelope, read_envelope, read_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ha_monitor.reading.state import State, StateReader

_DELETE = rpc.Event.EventType.DELETE
_DECODED = 1_024  # configs kept decoded: what one burst of renderings follows foreign keys to


class View:
    """The keys under one prefix, one path segment each; deeper keys are not ours and passed over."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.synced = False
        self._cut = len(prefix.encode())
        self._seen: set[str] | None = None
        self._on_sync: list[Callable[[], None]] = []

    def when_synced(self, callback: Callable[[], None]) -> None:
        """Call back once the first list is whole; at once where it is."""
        if self.synced:
            callback()
        else:
            self._on_sync.append(callback)

    def list_begins(self) -> None:
        """Begin a list; what is known stays until the list is whole."""
        self._seen = set()

    def put_items(self, items: Sequence[rpc.KeyValue]) -> None:
        """Take some items of a list."""
        for item in items:
            id_ = self._id(item.key)
            if id_ is not None:
                if self._seen is not None:
                    self._seen.add(id_)
                self._put(id_, item)

    def list_ends(self, revision: int) -> None:
        """Drop what the list did not have: it was deleted while nobody listened."""
        seen, self._seen = self._seen or set(), None
        for id_ in [id_ for id_ in self._ids() if id_ not in seen]:
            self._delete(id_, revision)
        if not self.synced:
            self.synced = True
            waiting, self._on_sync = self._on_sync, []
            for callback in waiting:
                callback()

    def apply(self, events: Sequence[rpc.Event]) -> None:
        """Apply events, in order."""
        for event in events:
            item = event.kv
            id_ = self._id(item.key)
            if id_ is None:
                continue
            if event.type == _DELETE:
                self._delete(id_, item.mod_revision)
            else:
                self._put(id_, item)

    def _id(self, key: bytes) -> str | None:
        id_ = key[self._cut :].decode("utf-8", "surrogateescape")
        return None if "/" in id_ or not id_ else id_

    def _ids(self) -> Iterable[str]:
        raise NotImplementedError

    def _put(self, id_: str, item: rpc.KeyValue) -> None:
        raise NotImplementedError

    def _delete(self, id_: str, revision: int) -> None:
        raise NotImplementedError


class KeyView(View):
    """Values kept as they are: configs, templates, stack outputs."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.items: dict[str, tuple[bytes, int, int]] = {}
        """By id: the value, etcd's mod_revision and etcd's version of the key."""
        self.hangers: dict[str, set[Callable[[], None]]] = {}
        """By id, there or not: who is to be told when it changes."""
        self.on_change: Callable[[str], None] | None = None
        """Told of each change of an item, by id."""
        self._decoded: dict[str, Any] = {}

    def revision(self, id_: str) -> int:
        """Give a key's mod_revision; 0 where there is none, as etcd compares it."""
        item = self.items.get(id_)
        return 0 if item is None else item[1]

    def envelope(self, id_: str) -> Envelope | None:
        """Give a config or template; ``None`` where there is none. Raises :class:`Problem` for a bad one."""
        item = self.items.get(id_)
        if item is None:
            return None
        known = self._decoded.get(id_)
        return known if isinstance(known, Envelope) else self._keep(id_, read_envelope(item[0], item[2]))

    def outputs(self, id_: str) -> Mapping[str, Any] | None:
        """Give stack outputs; ``None`` where there are none. Raises :class:`Problem` for bad ones."""
        item = self.items.get(id_)
        return None if item is None else read_outputs(item[0])

    def _keep(self, id_: str, envelope: Envelope) -> Envelope:
        if len(self._decoded) >= _DECODED:
            self._decoded.clear()
        self._decoded[id_] = envelope
        return envelope

    def _ids(self) -> Iterable[str]:
        return self.items

    def _put(self, id_: str, item: rpc.KeyValue) -> None:
        fresh = (item.value, item.mod_revision, item.version)
        if self.items.get(id_) != fresh:
            self.items[id_] = fresh
            self._changed(id_)

    def _delete(self, id_: str, revision: int) -> None:
        if self.items.pop(id_, None) is not None:
            self._changed(id_)

    def _changed(self, id_: str) -> None:
        self._decoded.pop(id_, None)
        if self.on_change is not None:
            self.on_change(id_)
        for tell in tuple(self.hangers.get(id_, ())):
            tell()

    def hang(self, id_: str, tell: Callable[[], None]) -> None:
        """Tell of each change of a key, one that is not there as well."""
        self.hangers.setdefault(id_, set()).add(tell)

    def unhang(self, id_: str, tell: Callable[[], None]) -> None:
        """Tell no more."""
        tells = self.hangers.get(id_)
        if tells is not None:
            tells.discard(tell)
            if not tells:
                del self.hangers[id_]


class Sleeper(Protocol):
    """Hangs on state keys, and sleeps until one of them changes."""

    def wake(self) -> None:
        """Have a look at the states as they are now."""


class Cell:
    """A state key, there or not: its state (``None``: not there), the revision of its last change, who hangs on it."""

    __slots__ = ("revision", "sleepers", "state")

    def __init__(self, state: State | None, revision: int) -> None:
        self.state = state
        self.revision = revision
        self.sleepers: tuple[Sleeper, ...] = ()


class StateView(View):
    """State keys, and the published records, which are state keys too."""

    def __init__(self, prefix: str, read: StateReader) -> None:
        super().__init__(prefix)
        self.cells: dict[str, Cell] = {}
        self.read = read
        self.on_record: Callable[[str], None] | None = None
        """Told of each change of a record, by id, where we publish under this prefix."""
        self._ahead: dict[str, int] = {}
        """Revisions of our own writes that the watch has not brought yet, by id."""

    def hang(self, id_: str, sleeper: Sleeper) -> Cell:
        """Wake a sleeper at each change of a key; give its cell."""
        cell = self.cells.get(id_)
        if cell is None:
            cell = self.cells[id_] = Cell(None, 0)
        cell.sleepers = (*cell.sleepers, sleeper)
        return cell

    def unhang(self, id_: str, sleeper: Sleeper) -> None:
        """Wake it no more."""
        cell = self.cells[id_]
        cell.sleepers = tuple(other for other in cell.sleepers if other is not sleeper)
        if cell.state is None and not cell.sleepers:
            del self.cells[id_]

    def list_begins(self) -> None:
        """Begin a list; the store may be another one than our writes went to."""
        super().list_begins()
        self._ahead.clear()

    def list_ends(self, revision: int) -> None:
        """Drop what the list did not have, and wake all who waited for the first list."""
        first = not self.synced
        super().list_ends(revision)
        if first:
            for cell in tuple(self.cells.values()):
                for sleeper in cell.sleepers:
                    sleeper.wake()

    def written(self, id_: str, value: bytes | None, revision: int) -> bool:
        """Note what we wrote ourselves, ahead of the watch; tells whether nobody wrote after us."""
        cell = self.cells.get(id_)
        if cell is not None and cell.revision > revision:
            return False
        if cell is None or cell.revision < revision:
            self._ahead[id_] = revision
        self._set(id_, cell, None if value is None else self.read(value), revision)
        return True

    def _ids(self) -> Iterable[str]:
        return [id_ for id_, cell in self.cells.items() if cell.state is not None]

    def _put(self, id_: str, item: rpc.KeyValue) -> None:
        self._change(id_, self.read(item.value), item.mod_revision)

    def _delete(self, id_: str, revision: int) -> None:
        self._change(id_, None, revision)

    def _change(self, id_: str, state: State | None, revision: int) -> None:
        ahead = self._ahead.get(id_)
        if ahead is not None:
            if revision < ahead:
                return  # our own write is known already; what the watch still brings of before is older
            del self._ahead[id_]
        if self._set(id_, self.cells.get(id_), state, revision) and self.on_record is not None:
            self.on_record(id_)

    def _set(self, id_: str, cell: Cell | None, state: State | None, revision: int) -> bool:
        if cell is None:
            if state is None:
                return False
            self.cells[id_] = Cell(state, revision)
            return True
        cell.revision = revision
        if cell.state is state:
            return False
        cell.state = state
        if state is None and not cell.sleepers:
            del self.cells[id_]
        for sleeper in cell.sleepers:
            sleeper.wake()
        return True
