"""State keys, as the feeds keep them, and who sleeps on each: the path that every event takes.

At 100,000 HA interfaces there are 200,000 of them, and in a storm as many events a second. So a key is looked up as
the bytes that came over the wire. All events of a reply are noted first, then those who sleep on what is another one
now are woken, each once: the longer the backlog, the less work an event is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from aetcd import rpc

from ha_monitor.watch.views import View, slices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ha_monitor.reading.state import State, StateReader

_DELETE = rpc.Event.EventType.DELETE

EVENTS_IN_A_SLICE = 512
"""Events that are noted between two turns of the event loop: 1 to 4 ms. Whoever asks something over HTTP waits for
several turns: in a storm, slices of 2,048 kept him for a third longer, those of 8,192, with 1,024 keys woken, for twice
as long, and took no less CPU (measured)."""

WOKEN_IN_A_SLICE = 256
"""Keys whose sleepers are woken between two turns: what they set off takes 1 to 3 ms. With 128 the start of 100,000
resources took longer (22 and 19 s, in turn with 17 and 14)."""


class Sleeper(Protocol):
    """Hangs on state keys, and sleeps until one of them changes."""

    def look(self) -> None:
        """Have a look at the states: one of them may be another one now."""


class Crowd:
    """Several sleepers that hang on one key. Hardly any key has them, and a tuple for each key takes 10 MB."""

    __slots__ = ("sleepers",)

    def __init__(self, *sleepers: Sleeper) -> None:
        self.sleepers = dict.fromkeys(sleepers)


class Cell:
    """A state key, there or not: its state (``None``: not there), the revision of its last change, who hangs on it.

    ``dirty``: it has changed, and who hangs on it has not been woken yet.
    """

    __slots__ = ("dirty", "key", "revision", "sleeper", "state", "view")

    def __init__(self, view: StateView, key: bytes, state: State | None = None, revision: int = 0) -> None:
        self.view = view
        self.key = key
        self.state = state
        self.revision = revision
        self.dirty = False
        self.sleeper: Sleeper | Crowd | None = None

    @property
    def name(self) -> str:
        """The key as text."""
        return self.key.decode("utf-8", "surrogateescape")

    def hang(self, sleeper: Sleeper) -> None:
        """Wake a sleeper at each change: once, however often it hangs here."""
        held = self.sleeper
        if isinstance(held, Crowd):
            held.sleepers[sleeper] = None
        elif held is not sleeper:
            self.sleeper = sleeper if held is None else Crowd(held, sleeper)

    def unhang(self, sleeper: Sleeper) -> None:
        """Wake it no more."""
        held = self.sleeper
        if isinstance(held, Crowd):
            held.sleepers.pop(sleeper, None)
            if len(held.sleepers) == 1:
                (self.sleeper,) = held.sleepers
        elif held is sleeper:
            self.sleeper = None
            if self.state is None:
                self.view.forget(self)


class StateView(View):
    """The state keys under a prefix, and the published records, which are state keys too."""

    def __init__(self, prefix: str, read: StateReader, folder: str | None = None) -> None:
        super().__init__(prefix, folder)
        self.read = read
        self.on_record: Callable[[str], None] | None = None
        """Told of each change of a record since the first list, by id, where we publish under this prefix."""
        self.on_stir: Callable[[str], None] | None = None
        """Told of each record that we wrote and somebody hangs on, by id."""
        self.on_older: Callable[[str], None] | None = None
        """Told of each record whose revision went back, by id: the store was restored from a backup."""
        self._cells: dict[bytes, Cell] = {}
        self._there = 0
        """How many of them have a state."""
        self._dirty: list[Cell] = []
        self._ahead: dict[bytes, int] = {}
        """Revisions of our own writes that the watch has not brought yet."""
        self._writes: dict[int, list[bytes]] = {}
        """The same by revision: what one transaction wrote here."""
        self._brought = 0
        """The revision up to which the list and the watch have brought all."""

    @property
    def in_use(self) -> bool:
        """Whether anybody sleeps on a key, or is told of records."""
        return self.on_record is not None or any(cell.sleeper is not None for cell in self._cells.values())

    def cell(self, id_: str) -> Cell | None:
        """Give the cell of a key that is there, or that somebody hangs on; ``None`` for any other."""
        return self._cells.get(self.key(id_))

    def standing(self, key: bytes) -> tuple[bytes | None, int]:
        """Give the value that stands at a key, and the revision of the last change that we know of."""
        cell = self._cells.get(key)
        if cell is None:
            return None, 0
        return None if cell.state is None else cell.state.raw, cell.revision

    def hang(self, id_: str, sleeper: Sleeper) -> Cell:
        """Wake a sleeper at each change of a key; give its cell."""
        key = self.key(id_)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = Cell(self, key)
        cell.hang(sleeper)
        return cell

    def forget(self, cell: Cell) -> None:
        """Keep a cell no longer."""
        del self._cells[cell.key]
        if not self._cells:
            self._cells.clear()  # a dict keeps the room of all that were ever in it

    @property
    def ahead(self) -> int:
        """How many of our own writes the watch has not brought yet."""
        return len(self._ahead)

    def ids(self) -> Iterator[str]:
        """Give the ids of the keys that are there, each as it is reached."""
        return map(self._text, self._keys())

    def size(self) -> int:
        """Give how many are there, or are hung on."""
        return len(self._cells)

    def count(self) -> int | None:
        """Give how many keys there are; ``None`` while there is something of ours that the watch has not brought."""
        return None if self._ahead else self._there + len(self._others)

    def list_begins(self) -> None:
        """Begin a list; the store may be another one than our writes went to."""
        super().list_begins()
        self._ahead.clear()
        self._writes.clear()
        self._brought = 0

    def list_ends(self, revision: int) -> Iterator[None]:
        """Drop what the list did not have, and wake all who waited for the first list."""
        first = not self.synced
        self._brought = revision  # at once: of what is dropped below, an answer that comes late is no news
        yield from super().list_ends(revision)
        self._ahead = {key: written for key, written in self._ahead.items() if written > revision}
        self._forget_writes()
        if first:
            for cell in self._cells.values():
                if cell.sleeper is not None and not cell.dirty:
                    cell.dirty = True
                    self._dirty.append(cell)
        yield from self._wake()

    def apply(self, events: Sequence[rpc.Event]) -> Iterator[None]:
        """Apply events, in order."""
        read, known = self.read, self._cells.get
        read_before = read.get  # CPython takes five times as long to subscript a dict of a class of ours
        for number, some in enumerate(slices(events, EVENTS_IN_A_SLICE)):
            if number:
                yield
            if self._writes and self._take_echo(some):
                continue
            quick = self.on_record is None and not self._ahead
            for event in some:
                item = event.kv
                key, revision = item.key, item.mod_revision
                cell = known(key)
                value = item.value
                # What is deleted has no value, so hardly any event is asked for its type.
                state = None if not value and event.type == _DELETE else read_before(value) or read[value]
                if quick and cell is not None and cell.sleeper is not None:
                    # Most of what a storm brings: what _change and _set come to here, without two calls for each.
                    cell.revision = revision
                    if cell.state is not state:
                        if state is None or cell.state is None:
                            self._there += 1 if cell.state is None else -1
                        cell.state = state
                        if not cell.dirty:
                            cell.dirty = True
                            self._dirty.append(cell)
                else:
                    self._change(key, cell, state, revision)
            self._brought = some[-1].kv.mod_revision
            self._forget_writes()
        yield from self._wake()

    def _take_echo(self, events: Sequence[rpc.Event]) -> bool:
        """Take what one transaction of ours wrote here, and nobody else; tells whether it is that.

        It is known already, and not looked at one by one: they come in order, so as many as it wrote, from its revision
        on, are all its own. The keys say whether it is the store that we wrote to: one that was put back to before it
        may have another transaction there.
        """
        first, last = events[0].kv, events[-1].kv
        revision = first.mod_revision
        keys = self._writes.get(revision)
        if keys is None or len(keys) != len(events) or (first.key, last.key) != (keys[0], keys[-1]):
            return False
        ahead = self._ahead
        for key in keys:
            if ahead.get(key) == revision:
                del ahead[key]
        del self._writes[revision]
        self._brought = revision
        return True

    def _forget_writes(self) -> None:
        for revision in [revision for revision in self._writes if revision <= self._brought]:
            del self._writes[revision]

    def _wake(self) -> Iterator[None]:
        """Wake all who sleep on what is another one; yields between slices."""
        dirty, self._dirty = self._dirty, []
        for number, cell in enumerate(dirty, 1):
            sleeper = cell.sleeper
            if isinstance(sleeper, Crowd):
                yield from _wake_crowd(cell)
                continue
            cell.dirty = False
            if sleeper is not None:
                sleeper.look()
            if not number % WOKEN_IN_A_SLICE:
                yield

    def written(self, key: bytes, value: bytes | None, revision: int) -> bool:
        """Note what we wrote ourselves, ahead of the watch; tells whether nobody wrote after us."""
        cell = self._cells.get(key)
        if cell is not None:
            if cell.revision > revision:
                return False
            if cell.sleeper is not None and self.on_stir is not None:
                self.on_stir(self._text(key))
        if revision <= self._brought:  # the watch was quicker, and has brought what came after it as well
            return value is None or (cell is not None and cell.state is not None)
        self._ahead[key] = revision
        self._writes.setdefault(revision, []).append(key)
        state = None if value is None else self.read.get(value) or self.read[value]
        if cell is not None and cell.sleeper is None and cell.state is not None and state is not None:
            cell.state, cell.revision = state, revision  # most of what is written: what _set comes to here
            return True
        self._set(key, cell, state, revision)
        if self._dirty and self._seen is None:  # a list wakes all at its end
            for _ in self._wake():
                pass  # it is one, and hardly ever has anybody who hangs on it
        return True

    def _keys(self) -> Iterator[bytes]:
        at = self._cells.get
        return (key for key in tuple(self._cells) if (cell := at(key)) is not None and cell.state is not None)

    def _put(self, key: bytes, item: rpc.KeyValue) -> None:
        value, revision = item.value, item.mod_revision
        cell, state = self._cells.get(key), self.read.get(value) or self.read[value]
        if cell is not None or self.synced or self._ahead:
            self._change(key, cell, state, revision)
            return
        # Most of what a first list brings: what _change and _set come to here, without four calls for each.
        self._cells[key] = Cell(self, key, state, revision)
        self._there += 1

    def _delete(self, key: bytes, revision: int) -> None:
        self._change(key, self._cells.get(key), None, revision)

    def _change(self, key: bytes, cell: Cell | None, state: State | None, revision: int) -> None:
        if self._ahead:
            ahead = self._ahead.get(key)
            if ahead is not None:
                if revision < ahead:
                    return  # our own write is known already; what the watch still brings of before is older
                del self._ahead[key]
        if cell is not None and revision < cell.revision and self.on_older is not None:
            self.on_older(self._text(key))
        if self._set(key, cell, state, revision) and self.on_record is not None and self.synced:
            self.on_record(self._text(key))

    def _set(self, key: bytes, cell: Cell | None, state: State | None, revision: int) -> bool:
        """Note a key's state; tells whether it is another one."""
        if cell is None:
            if state is None:
                self._others.discard(key)
                return False
            if not self._is_ours(key):
                self._others.add(key)
                return False
            cell = self._cells[key] = Cell(self, key)
        cell.revision = revision
        if cell.state is state:
            return False
        if state is None or cell.state is None:
            self._there += 1 if cell.state is None else -1
        elif cell.state.raw == state.raw:  # too large to be shared
            return False
        cell.state = state
        if cell.sleeper is not None:
            if not cell.dirty:
                cell.dirty = True
                self._dirty.append(cell)
        elif state is None:
            self.forget(cell)
        return True


def _wake_crowd(cell: Cell) -> Iterator[None]:
    """Wake all who sleep on a key, in slices; once more, where it has changed since the first of them was woken."""
    revision = -1
    while revision != cell.revision:
        revision = cell.revision
        held = cell.sleeper
        sleepers = tuple(held.sleepers) if isinstance(held, Crowd) else () if held is None else (held,)
        for number, sleeper in enumerate(sleepers, 1):
            sleeper.look()
            if not number % WOKEN_IN_A_SLICE:
                yield
    cell.dirty = False
