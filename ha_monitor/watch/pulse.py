"""The health check of etcd: does it answer, is it the store that we know, and has each watch reached its revision?

One question is asked again and again: a linearizable read (never a serializable one, which a member without quorum
answers, stale) with a deadline. It finds a frozen member, a lost quorum, an expired token, access taken away, and a
store that was wiped or restored; and it says which revision the store has. Watches that have reached it are fresh:
where nothing changes, nothing else is asked. Those that have not are confirmed, or found to have died without a word.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from aetcd import rpc

from ha_monitor.errors import EtcdError, EtcdRefused
from ha_monitor.etcd.ranges import range_end
from ha_monitor.watch.backoff import Backoff
from ha_monitor.watch.proof import Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.watch.feed import Feed

log = logging.getLogger(__name__)

PROBE_EVERY = 2.5
"""Seconds between two probes; with their deadline below, losing etcd is told within 10 s. A probe, with a progress
request on each stream, takes 5 ms of CPU: less often would be cheaper, and ``proven_at`` older."""

PROBE_TIMEOUT = 4.0
"""Deadline of a probe, in seconds. etcd itself gives up on a read without quorum after 7 s: too late for us."""

LONGEST_SILENCE = 9.0
"""Seconds after the last answer from which on nobody says any more that etcd is heard. A pause, a deadline and a
busy moment fit into it; a frozen process that wakes up does not. That has its timers first, then our probe, and then
what waits to be read: so after as much silence every watch has to be proven right anew."""

CATCH_UP_EVERY = 0.25
"""Seconds between two progress requests to a watch that is catching up. etcd sorts its lagging watchers every 0.1 s
(``syncWatchersLoop``), so two answers this far apart with no event between them are not both ahead of a backlog."""


LOOK_EVERY = 0.01
"""Seconds between two looks at how far the watches are, while somebody waits for it."""


@dataclass(frozen=True, slots=True)
class StoreId:
    """What tells one life of a store from another: it changed, or one of the numbers went back."""

    cluster_id: int
    raft_term: int
    revision: int

    def continues(self, before: StoreId) -> bool:
        """Tell whether this can be the store seen before, later."""
        return (
            self.cluster_id == before.cluster_id
            and self.raft_term >= before.raft_term
            and self.revision >= before.revision
        )


class Pulse:
    """Asks; ``heard`` and ``fault`` are the answer, for as long as ``silence`` is short."""

    def __init__(
        self,
        client: EtcdClient,
        clock: Clock,
        key: str,
        feeds: Callable[[], Iterable[Feed]],
        *,
        on_turn: Callable[[], None],
        on_fault: Callable[[EtcdError, int], None],
    ) -> None:
        """Prepare; :meth:`run` does the work.

        :param key: a prefix that we may read.
        :param feeds: gives the feeds as they are now.
        :param on_turn: called when ``heard`` has changed.
        :param on_fault: called with each failure, and how often we were refused since the last answer; what it raises
            ends the pulse.
        """
        self.heard = False
        self.fault = "etcd was not reached yet"
        self.revision = 0
        """The store's, by the last probe."""
        self._answered = float("-inf")
        self._failures = Backoff()
        self._refusals = Backoff(cap=5.0)  # a login costs the server a bcrypt round
        self._refused = 0
        self._store: StoreId | None = None
        self._wanted = 0
        """The revision up to which somebody waits for every watch to be proven right."""
        self._called = anyio.Event()
        self._sent = self._read = 0
        """How many probes were sent, and which of them was the last to be answered."""
        self._is_asked_to_read = False
        self._was_read = anyio.Event()
        self._client = client
        self._clock = clock
        self._key = key.encode()
        self._feeds = feeds
        self._on_turn = on_turn
        self._on_fault = on_fault

    @property
    def silence(self) -> float:
        """Seconds since etcd last answered: counted, so that not even a pulse that hangs can hide it."""
        return self._clock.monotonic() - self._answered

    @property
    def alive(self) -> bool:
        """Whether etcd is heard, and not only believed to be."""
        return self.heard and self.silence <= LONGEST_SILENCE

    async def run(self) -> None:
        """Ask until cancelled. Raises only what ``on_fault`` raises."""
        next_probe = next_confirm = 0.0
        while True:
            self._called = anyio.Event()
            if self._clock.monotonic() >= next_probe or (self._is_asked_to_read and self.heard):
                pause = await self._probe()
                next_probe = self._clock.monotonic() + pause
            if self._clock.monotonic() >= next_confirm:
                next_confirm = self._clock.monotonic() + CATCH_UP_EVERY
                if self.heard:
                    await self._confirm()
            hurry = any(self._is_late(feed) for feed in self._feeds())
            until = min(next_probe, next_confirm) if hurry else next_probe
            with anyio.move_on_after(max(0.0, until - self._clock.monotonic())):  # a process that was frozen is late
                await self._called.wait()

    async def _confirm(self) -> None:
        """Have the watches confirmed that have not reached the store's revision, the longest unproven first."""
        late = sorted(filter(self._is_late, self._feeds()), key=lambda feed: feed.freshness.proven)
        with anyio.move_on_after(PROBE_EVERY):  # the others have their turn after the next probe
            for feed in late:
                await feed.confirm()

    def end(self) -> None:
        """Ask no more: what was heard is of the past."""
        self.heard, self.fault = False, "the monitor has ended"

    async def read(self) -> None:
        """Wait until a linearizable read that is sent from now on has updated ``revision``.

        All that wait share one read. While etcd is unreachable, the next probe is the next try.
        """
        number = self._sent + 1
        while self._read < number:
            self._is_asked_to_read = True
            self._called.set()
            await self._was_read.wait()

    async def prove(self, revision: int) -> None:
        """Wait until every watch is known to be right up to a revision, one that etcd is at already."""
        self._wanted = max(self._wanted, revision)
        self._called.set()
        # Every event of every watch is a step on the way: too many to tell of each.
        while not (self.heard and all(feed.caught_up and feed.revision >= revision for feed in self._feeds())):  # noqa: ASYNC110
            await anyio.sleep(LOOK_EVERY)

    def _is_late(self, feed: Feed) -> bool:
        return not feed.caught_up or feed.revision < max(self._wanted, self.revision)

    async def _probe(self) -> float:
        """Ask once; give the pause before the next time."""
        request = rpc.RangeRequest(key=self._key, range_end=range_end(self._key), limit=1, keys_only=True)
        sent = self._clock.time(), self._clock.monotonic()
        self._sent += 1
        self._is_asked_to_read = False
        try:
            reply = await self._client.range(request, "probe", PROBE_TIMEOUT)
        except EtcdError as error:
            self._turn(heard=False, fault=str(error))
            refused = isinstance(error, EtcdRefused)
            self._refused += refused
            self._on_fault(error, self._refused)
            return (self._refusals if refused else self._failures).delay()
        header = reply.header
        self._look_at(StoreId(header.cluster_id, header.raft_term, header.revision))
        self.revision = header.revision
        slept = LONGEST_SILENCE < self.silence < float("inf")
        for feed in tuple(self._feeds()):
            if slept:
                feed.doubt(header.revision)
            feed.store_read(Reading(header.revision, *sent))
        self._answered = self._clock.monotonic()
        self._turn(heard=True, fault="")
        self._failures.reset()
        self._refusals.reset()
        self._refused = 0
        self._read = self._sent
        self._was_read.set()
        self._was_read = anyio.Event()
        return PROBE_EVERY

    def _look_at(self, store: StoreId) -> None:
        before, self._store = self._store, store
        if before is not None and not store.continues(before):
            log.warning(
                "the store was replaced: revision %d of cluster %x after %d of %x; everything is listed again",
                store.revision, store.cluster_id, before.revision, before.cluster_id,
            )  # fmt: skip
            for feed in tuple(self._feeds()):
                feed.relist("the store was replaced by another or an older one")
            self._wanted = 0  # of revisions that it may never have

    def _turn(self, *, heard: bool, fault: str) -> None:
        self.fault = fault
        if heard != self.heard:
            self.heard = heard
            self._on_turn()
