"""A rendered resource and the coroutine that is its task: evaluate, say so, sleep until its state changes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ha_monitor.model import Status

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from ha_monitor.clock import Timer
    from ha_monitor.evaluate.damping import Damped, Damping
    from ha_monitor.plugins import EntryType
    from ha_monitor.reading.state import State
    from ha_monitor.watch.states import Cell

log = logging.getLogger(__name__)

_UNKNOWN, _FAIL = Status.UNKNOWN, Status.FAIL
_NOTHING = object()


class Absence(NamedTuple):
    """Since when (monotonic seconds) nothing can be said of an entry, and what ends the wait."""

    since: float
    timer: Timer | None


def ask(entry_type: EntryType, states: Sequence[State | None]) -> tuple[Status, str]:
    """Have a rendered resource evaluated: status and reason. A plugin that fails says nothing: UNKNOWN."""
    try:
        status, reason = entry_type.evaluate(states)
        if not isinstance(status, Status):
            raise TypeError(f"{status!r} is no Status")
    except Exception as error:
        log.debug("%s failed", type(entry_type).__name__, exc_info=True)
        return _UNKNOWN, f"plugin failed: {error!r}"
    return status, reason


def judge_absence(reason: str, since: float, timeout: float, now: float) -> tuple[Status, str, float | None]:
    """Judge an UNKNOWN at the time ``now``: it turns to FAIL once it has lasted for ``timeout`` seconds. Pure.

    Gives status, reason, and when that becomes another one by itself; ``None``: never.
    """
    if now >= since + timeout:  # as the timer is set: a difference that is a hair less would wake it at once for ever
        return _FAIL, f"{reason} for {timeout:g} s", None
    return _UNKNOWN, reason, since + timeout


class Damper:
    """How an entry is damped, and what counts for it at this moment."""

    __slots__ = ("damping", "state")

    def __init__(self, damping: Damping) -> None:
        self.damping = damping
        self.state: Damped | None = None


class Owner(Protocol):
    """Who is told of an entry's status."""

    def entry_changed(self, entry: Entry, old: Status | None) -> None:
        """The entry's status is another one; ``old`` is ``None`` at its first evaluation."""

    def entry_explained(self) -> None:
        """The entry's status is the same, for another reason."""

    def monotonic(self) -> float:
        """Give the time, in monotonic seconds."""

    def call_at(self, due: float, entry: Entry) -> Timer:
        """Wake the entry at a monotonic time."""

    def call_when_heard(self, entry: Entry) -> Timer:
        """Wake the entry once etcd is heard again."""

    def may_fail(self) -> bool:
        """Tell whether etcd is heard: the absence of a state can't be claimed while it is not."""


class Entry:
    """A rendered resource: what it hangs on and what it is; without an ``entry_type``, another worker serves it."""

    __slots__ = (
        "absence", "cell", "damper", "entry_type", "more", "name", "owner", "reason", "seen", "shown", "since",
        "status", "task", "timeout", "wakeup",
    )  # fmt: skip

    def __init__(self, name: str, owner: Owner, entry_type: EntryType | None, timeout: float) -> None:
        self.name = name
        self.owner = owner
        self.entry_type = entry_type
        self.timeout = timeout
        self.cell: Cell | None = None
        self.more: tuple[Cell, ...] = ()  # hardly any has more than one, and a tuple of one takes 48 bytes
        self.seen: object = _NOTHING
        """The state that it was last evaluated for, where it hangs on one."""
        self.status: Status | None = None
        self.damper: Damper | None = None
        """Holds back what it has just become; ``None``: nothing does."""
        self.shown: Status | None = None
        """The status that was last part of a verdict, and is what others are told."""
        self.reason = ""
        self.since = 0.0
        """Since when it is ``shown``, in seconds since the epoch."""
        self.absence: Absence | None = None
        self.wakeup: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The states that it hangs on."""
        return () if self.cell is None else (self.cell, *self.more)

    def hang_on(self, cells: Sequence[Cell]) -> None:
        """Note the states that it hangs on."""
        self.cell, self.more = (cells[0], tuple(cells[1:])) if cells else (None, ())

    @property
    def counts(self) -> Status | None:
        """What it counts as: its status, unless that is held back."""
        damper = self.damper
        return self.status if damper is None or damper.state is None else damper.state.counts

    @property
    def why(self) -> str:
        """Why it counts as what it does."""
        damper = self.damper
        if damper is None or damper.state is None or not damper.state.flapping:
            return self.reason
        return f"flapping: {damper.damping.words}"

    def revision(self) -> int:
        """Give the etcd revision of the newest change among its states; one that never came was missing in a list."""
        if self.more:
            return max(cell.revision or cell.view.absent for cell in self.cells)
        return 0 if self.cell is None else self.cell.revision or self.cell.view.absent

    @property
    def is_behind(self) -> bool:
        """Whether a state of it has changed since it was evaluated."""
        return (self.wakeup is not None and self.wakeup.done()) or any(cell.dirty for cell in self.cells)

    def wake(self) -> None:
        """Have it evaluated anew. Any number of calls before it runs come to one evaluation of the newest states."""
        wakeup = self.wakeup
        if wakeup is not None and not wakeup.done():
            wakeup.set_result(None)

    def look(self) -> None:
        """Have it evaluated anew, unless its one state is what it was: it changed and changed back in one reply."""
        if self.more or self.cell is None or self.cell.state is not self.seen:
            self.wake()

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Evaluate in this very turn, and note each wake-up from now on, for :meth:`run`."""
        self.wakeup = loop.create_future()
        self.evaluate()

    async def run(self, loop: asyncio.AbstractEventLoop) -> None:
        """Evaluate at each wake-up, until cancelled: the task of this rendered resource, which has begun."""
        while True:  # without a local or a block more than it needs: there are 200,000 of these frames
            assert self.wakeup is not None  # noqa: S101 - it has begun
            await self.wakeup
            self.wakeup = loop.create_future()
            self.evaluate()

    def evaluate(self) -> None:
        """Work out the status, once every state that it hangs on has been listed."""
        states: tuple[State | None, ...] = ()
        cell = self.cell
        if cell is not None:
            more = self.more
            if not cell.view.synced or (more and not all(other.view.synced for other in more)):
                return
            self.seen = cell.state
            states = (cell.state, *[other.state for other in more]) if more else (cell.state,)
        assert self.entry_type is not None  # noqa: S101 - entries of other workers have no task
        owner = self.owner
        status, reason = ask(self.entry_type, states)
        if status is _UNKNOWN:
            now = owner.monotonic()
            since = now if self.absence is None else self.absence.since
            status, reason, due = judge_absence(reason, since, self.timeout, now)
            self.rest()
            if status is _FAIL and self.status is not _FAIL and not owner.may_fail():
                status, reason = _UNKNOWN, "etcd can't be heard"
                self.absence = Absence(since, owner.call_when_heard(self))
            else:
                self.absence = Absence(since, None if due is None else owner.call_at(due, self))
        elif self.absence is not None:
            self.rest()
        explained, self.reason = reason != self.reason, reason
        old = self.status
        if status is not old:
            self.status = status
            owner.entry_changed(self, old)
        elif explained:
            owner.entry_explained()

    def rest(self) -> None:
        """Wait no longer for a state that is missing."""
        absence, self.absence = self.absence, None
        if absence is not None and absence.timer is not None:
            absence.timer.cancel()
