"""Tells one receiver of all changes: follows the monitor, keeps the ledger, and has so many told of at once.

A reader who was too slow for the changes loses none: all resources are compared with what was noted of them. The same
comparison finds what changed while no monitor ran.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, get_args

import anyio
import anyio.lowlevel

from ha_monitor.hooks.ledger import Ledger, Standing
from ha_monitor.hooks.pace import Pace, pause_of
from ha_monitor.hooks.receiver import Outcome, Result
from ha_monitor.measures import Histogram, HookMeasures
from ha_monitor.model import Change, Resync, Status
from ha_monitor.text import legible

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.broadcast import Subscription
    from ha_monitor.hooks.ledger import Key
    from ha_monitor.hooks.receiver import Receiver
    from ha_monitor.model import Resource
    from ha_monitor.monitor import HaMonitor

log = logging.getLogger(__name__)

GRACE = 1.5
"""Seconds that what is being told has at the end. Chosen: the service ends within 5 s, and this is a part of it."""

LOOK = 0.5
"""Seconds between two looks at what is held back; ten times as long as a look takes, where that is longer."""

SAID_AGAIN = 5.0
"""Seconds between two log lines about failures, at least."""

TAKEOVER = 5.0
"""Seconds beyond two leases for which a change of a resource that another member tells of is kept. Chosen: for what
etcd and the next member take to find out that a lease has run out."""

_AT_ONCE = 200  # resources that are looked at before others have a turn


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
        self.is_first = True
        """Whether nobody remembers an earlier run: what there is at the start is not told then."""
        self.is_complete = False
        """Whether the ledger knows all resources."""
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
        self._holding = anyio.Event()
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
                tasks.start_soon(self._look_again_and_again)
                try:
                    await self._follow(changes)
                finally:
                    self._end()

    def _end(self) -> None:
        """Have what is under way come to its end."""
        self._is_ending = True
        for scope in self._busy:
            scope.deadline = min(scope.deadline, anyio.current_time() + GRACE)
        waiting = self.ledger.pending - len(self._busy)
        if waiting:
            log.warning("%s: not told of %d resources", self._receiver.name, waiting)

    # -- what is

    async def _follow(self, changes: Subscription) -> None:
        await self._compare(changes)
        self.is_complete = True
        self.on_news()
        while not changes.ended:
            await changes.wait()
            if not self._take(changes):
                log.warning("%s: changes came too fast; all resources are compared", self._receiver.name)
                await self._compare(changes)

    def _take(self, changes: Subscription) -> bool:
        """Note all changes that there are; tells whether none was lost."""
        taken = changes.take()
        if isinstance(taken, Resync):
            return False
        for change in taken:
            self._note(change)
        return True

    async def _compare(self, changes: Subscription) -> None:
        """Compare all resources with what was noted of them.

        Each is compared at a moment at which no change of it is under way, so that nothing is noted out of order.
        """
        while not await self._compared(changes):
            pass

    async def _compared(self, changes: Subscription) -> bool:
        self._take(changes)
        seen: set[Key] = set()
        for number, resource in enumerate(self._monitor.resources(), 1):
            seen.add((resource.type, resource.id))
            self._compare_one(resource)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
                if not self._take(changes):
                    return False
        for number, key in enumerate([key for key in self.ledger.known() if key not in seen], 1):
            if self._monitor.get(*key) is None:
                self._note_the_end(key, self.ledger.account(key).entries(), Status.UNKNOWN, None)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
                if not self._take(changes):
                    return False
        return True

    def _compare_one(self, resource: Resource) -> None:
        key = resource.type, resource.id
        first = self.is_first and not self.is_complete
        for name, entry in resource.entries.items():
            account = self.ledger.account(key)
            if first and not account.is_known(name):
                self.ledger.take_as_told(key, name, entry.status)
            elif account.differs(name, entry.status):
                change = Change(
                    *key, name, account.last(name), entry.status, resource.status, resource.active,
                    resource.revision, entry.since, entry.reason,
                )  # fmt: skip
                self._note(change)
        gone = self.ledger.account(key).entries() - set(resource.entries)
        self._note_the_end(key, gone, resource.status, resource.active)

    def _note_the_end(self, key: Key, entries: set[str], status: Status, active: str | None) -> None:
        for name in sorted(entries):
            account = self.ledger.account(key)
            if account.differs(name, None):
                change = Change(
                    *key, name, account.last(name), None, status, active, self._monitor.revision, time.time(),
                    "it is gone",
                )  # fmt: skip
                self._note(change)

    def _note(self, change: Change) -> None:
        if self.is_first and not self.is_complete:
            self.ledger.take_as_told((change.type, change.id), change.entry, change.old)
        # Maintenance is looked at when its turn comes: in a storm of changes, that is less work.
        standing = Standing.OURS if self._monitor.publishes(change.type, change.id) else Standing.ELSEWHERE
        self.ledger.note(change, anyio.current_time(), standing)
        self._tell()

    def _standing(self, type_: str, id_: str) -> Standing:
        resource = self._monitor.get(type_, id_)
        if resource is not None and resource.maintenance is not None:
            return Standing.MAINTENANCE
        return Standing.OURS if self._monitor.publishes(type_, id_) else Standing.ELSEWHERE

    async def _look_again_and_again(self) -> None:
        """Find out whose maintenance is over, and which resources are ours to tell of from now on."""
        while True:
            if not self.ledger.held():
                self._holding = anyio.Event()
                await self._holding.wait()
            began = anyio.current_time()
            for number, key in enumerate(tuple(self.ledger.held()), 1):
                if key in self.ledger.held():
                    self.ledger.look_again(key, self._standing(*key), anyio.current_time())
                if number % _AT_ONCE == 0:
                    self._tell()
                    await anyio.lowlevel.checkpoint()
            self._tell()
            await anyio.sleep(max(LOOK, 10 * (anyio.current_time() - began)))

    # -- telling

    def _tell(self) -> None:
        """Have whoever waits look at the ledger."""
        self._news.set()
        self.on_news()
        if self.ledger.held():
            self._holding.set()

    async def _tell_one_after_the_other(self) -> None:
        while True:
            key = await self._next()
            change = self.ledger.begin(key)
            self.on_news()
            await self._tell_of(key, change)
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
                standing = self._standing(*key)
                if standing is Standing.OURS:
                    return key
                self.ledger.hold(key, standing, now)
                self._holding.set()
                continue
            if self._news.is_set():
                self._news = anyio.Event()
            with anyio.move_on_after(pause):
                await self._news.wait()

    async def _tell_of(self, key: Key, change: Change) -> None:
        """Tell of one change, and note what came of it: to the end, even when we are cancelled meanwhile."""
        outcome: Outcome | None = None
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + self._timeout) as scope:
            self._busy.add(scope)
            try:
                outcome = await self._receiver.tell(change)
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
            self._latency.observe(max(time.time() - change.at, 0.0))
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
