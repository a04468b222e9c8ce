"""Tells one receiver of all changes, of so many resources at once, for as long as each of them takes.

It never gives up on what is: a resource that it failed for rests, longer each time, and is told of again with what is
the newest then. What the receiver refuses counts as told.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, get_args

import anyio
import anyio.lowlevel

from ha_monitor.hooks.ledger import Ledger, Standing
from ha_monitor.hooks.observer import Observer
from ha_monitor.hooks.pace import Pace, pause_of
from ha_monitor.hooks.receiver import Outcome, Result
from ha_monitor.measures import Histogram, HookMeasures
from ha_monitor.text import legible

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.hooks.ledger import Key
    from ha_monitor.hooks.receiver import Receiver
    from ha_monitor.model import Change
    from ha_monitor.monitor import HaMonitor

log = logging.getLogger(__name__)

GRACE = 1.5
"""Seconds that what is being told has at the end. Chosen: the service ends within 5 s, and this is a part of it."""

TAKEOVER = 5.0
"""Seconds beyond two leases for which a change of a resource that another member tells of is kept. Chosen: for what
etcd and the next member take to find out that a lease has run out."""

SAID_AGAIN = 5.0
"""Seconds between two log lines about failures, at least."""


class Teller:
    """Of one receiver; :meth:`run` is its life. The ledger may be filled before."""

    def __init__(
        self, monitor: HaMonitor, kind: str, receiver: Receiver, *, timeout: float, parallel: int, lease_ttl: float
    ) -> None:
        """Prepare.

        :param kind: ``command`` or ``webhook``.
        :param timeout: seconds that telling it once may take.
        :param parallel: how many resources it may be told of at once.
        """
        self.kind = kind
        self.ledger = Ledger(window=2 * lease_ttl + TAKEOVER)
        self.observer = Observer(monitor, self.ledger, self._tell)
        self.on_news: Callable[[], None] = lambda: None
        """Called when there may be something else to remember."""
        self._monitor = monitor
        self._receiver = receiver
        self._timeout = timeout
        self._parallel = parallel
        self._pace = Pace(parallel)
        self._runs: dict[str, int] = dict.fromkeys(get_args(Result), 0)
        self._latency = Histogram()
        self._busy: set[anyio.CancelScope] = set()
        self._news = anyio.Event()
        self._is_ending = False
        self._faults = _Faults()

    def measures(self) -> HookMeasures:
        """Give what was counted so far."""
        held = sum(standing is Standing.MAINTENANCE for standing in self.ledger.held().values())
        return HookMeasures(
            self.kind, dict(self._runs), self.ledger.pending, self.ledger.failing, held, self._latency
        )  # fmt: skip

    async def run(self) -> None:
        """Tell, until cancelled; what is under way then has :data:`GRACE`."""
        async with self._monitor.changes() as changes:
            await self._monitor.synced()
            async with anyio.create_task_group() as tasks:
                for _ in range(self._parallel):
                    tasks.start_soon(self._tell_one_after_the_other)
                tasks.start_soon(self.observer.look_again_and_again)
                try:
                    await self.observer.follow(changes)
                finally:
                    self._end()
                tasks.cancel_scope.cancel()  # the monitor has ended

    def _end(self) -> None:
        """Have what is under way come to its end."""
        self._is_ending = True
        for scope in self._busy:
            scope.deadline = min(scope.deadline, anyio.current_time() + GRACE)
        waiting = self.ledger.pending - len(self._busy)
        if waiting:
            log.warning("%s: not told of %d resources", self._receiver.name, waiting)

    def _tell(self) -> None:
        """Have whoever waits look at the ledger."""
        self._news.set()
        self.on_news()

    async def _tell_one_after_the_other(self) -> None:
        while True:
            key = await self._next()
            change, since = self.ledger.begin(key)
            self.on_news()
            await self._tell_of(key, change, since)
            self._tell()

    async def _next(self) -> Key:
        """Wait for the next resource that is to be told of."""
        await anyio.lowlevel.checkpoint_if_cancelled()  # one whose turn it is needs no waiting for
        while True:
            now = anyio.current_time()
            key = self.ledger.next(now)
            pause = self._pace.wait(len(self._busy), now)
            if key is None:
                due = self.ledger.next_due()
                pause = None if due is None else max(due - now, 0.0)
            elif pause == 0.0:
                standing = self.observer.standing(*key)
                if standing is Standing.OURS:
                    return key
                self.observer.hold(key, standing)
                continue
            if self._news.is_set():
                self._news = anyio.Event()
            with anyio.move_on_after(pause):
                await self._news.wait()

    async def _tell_of(self, key: Key, change: Change, since: float) -> None:
        """Tell of one change, and note what came of it: to the end, even when we are cancelled meanwhile."""
        outcome: Outcome | None = None
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + self._timeout) as scope:
            self._busy.add(scope)
            try:
                outcome = await self._receiver.tell(change)
            except Exception as error:  # noqa: BLE001 - whatever it stumbles over is no reason to end the service
                outcome = Outcome("failed", repr(error))
            finally:
                self._busy.discard(scope)
        if outcome is None:
            outcome = Outcome("timeout", "we ended" if self._is_ending else f"not done within {self._timeout:g} s")
        now = anyio.current_time()
        self._runs[outcome.result] += 1
        if self._pace.went(key, outcome, now):
            self.ledger.hasten(now)
        if outcome.result in ("ok", "refused"):
            self.ledger.done(key)
            self._latency.observe(now - since)
        else:
            due = now + pause_of(self.ledger.failures(key), outcome)
            self.ledger.failed(key, due, perhaps=outcome.perhaps)
        if outcome.result != "ok":
            self._faults.say(f"{self._receiver.name} for {_words(change)}: {outcome.words}", now)


def _words(change: Change) -> str:
    return legible(f"{change.type}/{change.id} {change.entry} {change.old or 'new'} -> {change.new or 'gone'}")


class _Faults:
    """Says failures, and not each of a storm of them."""

    def __init__(self) -> None:
        self._said_at: float | None = None
        self._kept_back = 0

    def say(self, words: str, now: float) -> None:
        if self._said_at is not None and now - self._said_at < SAID_AGAIN:
            self._kept_back += 1
            return
        log.warning("%s%s", words, f" ({self._kept_back} more like it)" if self._kept_back else "")
        self._said_at, self._kept_back = now, 0
