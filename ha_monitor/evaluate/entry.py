"""A rendered resource and the coroutine that is its task: evaluate, say so, sleep until its state changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor.clock import Timer
    from ha_monitor.plugins import EntryType
    from ha_monitor.reading.state import State
    from ha_monitor.watch.states import Cell

log = logging.getLogger(__name__)

_UNKNOWN, _FAIL = Status.UNKNOWN, Status.FAIL


class Absence(NamedTuple):
    """What comes of an UNKNOWN.

    ``since``: since when (monotonic seconds) nothing can be said; ``due``: when it becomes FAIL for that, ``None``
    where it has.
    """

    status: Status
    reason: str
    since: float
    due: float | None


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


def absent(reason: str, since: float | None, timeout: float, now: float) -> Absence:
    """Judge an UNKNOWN at the time ``now``: it turns to FAIL once it has lasted for ``timeout`` seconds. Pure."""
    since = now if since is None else since
    if now - since >= timeout:
        return Absence(_FAIL, f"{reason} for {timeout:g} s", since, None)
    return Absence(_UNKNOWN, reason, since, since + timeout)


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
        "absent_since", "cells", "entry_type", "name", "owner", "reason", "shown", "since", "status", "task",
        "timeout", "timer", "wakeup",
    )  # fmt: skip

    def __init__(self, name: str, owner: Owner, entry_type: EntryType | None, timeout: float) -> None:
        self.name = name
        self.owner = owner
        self.entry_type = entry_type
        self.timeout = timeout
        self.cells: tuple[Cell, ...] = ()
        self.status: Status | None = None
        self.shown: Status | None = None
        """The status that was last part of a verdict, and is what others are told."""
        self.reason = ""
        self.since = 0.0
        """Since when it is ``shown``, in seconds since the epoch."""
        self.absent_since: float | None = None
        self.timer: Timer | None = None
        self.wakeup: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    @property
    def revision(self) -> int:
        """The etcd revision of the newest change among its states."""
        cells = self.cells
        return cells[0].revision if len(cells) == 1 else max((cell.revision for cell in cells), default=0)

    def wake(self) -> None:
        """Have it evaluated anew. Any number of calls before it runs come to one evaluation of the newest states."""
        wakeup = self.wakeup
        if wakeup is not None and not wakeup.done():
            wakeup.set_result(None)

    async def run(self) -> None:
        """Evaluate at each wake-up, until cancelled: the task of this rendered resource."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self.evaluate()
                self.wakeup = loop.create_future()
                await self.wakeup
        finally:
            self._set_timer(None)

    def evaluate(self) -> None:
        """Work out the status, once every state that it hangs on has been listed."""
        states = []
        for cell in self.cells:
            if not cell.view.synced:
                return
            states.append(cell.state)
        assert self.entry_type is not None  # noqa: S101 - entries of other workers have no task
        owner = self.owner
        status, reason = ask(self.entry_type, states)
        if status is _UNKNOWN:
            now = owner.monotonic()
            status, reason, self.absent_since, due = absent(reason, self.absent_since, self.timeout, now)
            self._set_timer(due)
            if status is _FAIL and self.status is not _FAIL and not owner.may_fail():
                status, reason = _UNKNOWN, "etcd can't be heard"
                self.timer = owner.call_when_heard(self)
        elif self.absent_since is not None:
            self.absent_since = None
            self._set_timer(None)
        explained, self.reason = reason != self.reason, reason
        old = self.status
        if status is not old:
            self.status = status
            owner.entry_changed(self, old)
        elif explained:
            owner.entry_explained()

    def _set_timer(self, due: float | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if due is not None:
            self.timer = self.owner.call_at(due, self)
