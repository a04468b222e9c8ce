"""Brings the records in etcd to what they should be: level-triggered, batched, fenced by the config's revision.

A record is only named here as one that may have to change. What it should be is worked out when its transaction is
built, so that the newest status wins, and any number of changes meanwhile come to one write. One transaction carries
many records and compares the config of each. Where one comparison fails, etcd is asked which, and the others are sent
again together, so that it holds up none of them. (Nested transactions would do without the second round, but etcd 3.5
does not count what they write against its quota: they get past a NOSPACE alarm.)
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from ha_monitor.errors import EtcdError
from ha_monitor.measures import Histogram
from ha_monitor.publish.decider import Decider
from ha_monitor.publish.queue import FairQueue
from ha_monitor.publish.transaction import Batch, commit
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.evaluate.unit import Family
    from ha_monitor.publish.desire import Publish
    from ha_monitor.publish.transaction import Write

log = logging.getLogger(__name__)

IN_FLIGHT = 16
"""Transactions under way at once. Three keep etcd and us busy; in a storm of somebody else's writes, which has as many
under way, it is our share of etcd: a record comes through in half of the time that it takes with 4 (measured)."""

LOOKS = 1_000
"""Records decided on in one go: a few milliseconds."""


class Publisher:
    """Publishes for all families that have records."""

    def __init__(
        self,
        client: EtcdClient,
        clock: Clock,
        *,
        form: Publish,
        state_timeout: float,
        on_fault: Callable[[EtcdError], None],
    ) -> None:
        self.still_heard: Callable[[], bool] = lambda: True
        """Tells whether etcd's last answer is not too old: of a process that was frozen, the clock says it first."""
        self.fault = ""
        """Why what is to be written can't be; empty where nothing is, or nothing failed."""
        self.records = Decider(clock, form=form, state_timeout=state_timeout, want=self.want)
        self._client = client
        self._clock = clock
        self._on_fault = on_fault
        self.published = 0
        self.failures = 0
        """Transactions that etcd did not take."""
        self.latency = Histogram()
        """From the first wish for another record to etcd's answer."""
        self._pending = FairQueue()
        self._in_flight: dict[tuple[Family, str], Write] = {}
        self._backoff = Backoff()
        self._pause_ends = 0.0
        """When the pause after a failure is over (monotonic seconds): one for all transactions that failed together."""
        self._open = False
        self._resting: list[asyncio.Event] = []
        """Of the senders that have nothing to do."""
        self._called = False
        """One of them has been called, and has not had its turn yet."""

    # -- what the fleet and the views say

    def want(self, family: Family, id_: str) -> None:
        """Have a record looked at: its resource, its config or the record itself is another one."""
        if family.records is not None:
            self._pending.put(family, id_, self._clock.monotonic())
            self._call_a_sender()

    def record_changed(self, family: Family, id_: str) -> None:
        """Note that the watch brought another record than the one we knew."""
        if (family, id_) not in self._in_flight:
            self.records.changed(family, id_)
            self.want(family, id_)

    def hear(self, heard: bool) -> None:
        """Note whether all watches are caught up: what they said before is no ground to write on."""
        self._open = heard
        self._call_a_sender()
        if heard:
            self.records.heard()

    async def take_over(self, families: Iterable[Family], is_ours: Callable[[str, str], bool]) -> None:
        """Have the records looked at that are ours from now on, by type and id; what stands there is known already."""
        for family in families:
            if family.records is not None:
                for number, id_ in enumerate({*family.units, *family.records.ids()}):
                    if is_ours(family.type, id_):
                        self.want(family, id_)
                    if not number % LOOKS:
                        await anyio.lowlevel.checkpoint()

    @property
    def pending(self) -> int:
        """How many records are to be looked at or on their way."""
        return len(self._pending) + len(self._in_flight)

    @property
    def idle(self) -> bool:
        """Whether every record is what it should be, or waits for a time to come."""
        return not self._pending and not self._in_flight

    # -- the senders

    async def run(self) -> None:
        """Write until cancelled. Raises only what ``on_fault`` raises."""
        async with anyio.create_task_group() as senders:
            for _ in range(IN_FLIGHT):
                senders.start_soon(self._sender, name="publish")

    async def _sender(self) -> None:
        """Send one transaction after the other; there to be called, since a task begun for each would cost 60 µs."""
        called, more = asyncio.Event(), True
        while True:
            called.clear()
            self._resting.append(called)
            if more:
                self._call_a_sender()
            await called.wait()
            batch, looked = self._next_batch() if self._may_send else (None, 0)
            more = batch is not None or looked == LOOKS
            if more and batch is None:
                await asyncio.sleep(0)  # who calls itself does not wait
            self._called = False
            if batch is not None:
                self._call_a_sender()
                await self._send(batch)
            elif self.idle:
                self.fault = ""  # what could not be written is no longer wanted: its resource ended, say

    @property
    def _may_send(self) -> bool:
        """Whether a transaction may be begun; after a failure, only one at a time."""
        return self._open and self.still_heard() and not (self.fault and self._in_flight)

    def _call_a_sender(self) -> None:
        """Have the next transaction begun: one in each turn of the event loop, however many were answered in the last.

        To build one takes 5 ms, and 16 of them in one turn would keep everybody else waiting.
        """
        if self._pending and self._resting and self._open and not self._called:
            self._called = True
            self._resting.pop().set()

    def _next_batch(self) -> tuple[Batch | None, int]:
        """Give the next transaction, where there is one, and how many records were decided on for it."""
        batch = Batch()
        waiting: dict[tuple[Family, str], float] = {}
        looked = 0
        while self._pending and looked < LOOKS:
            family, id_, since = self._pending.pop()
            key = (family, id_)
            if key in self._in_flight:
                waiting[key] = since
                continue
            looked += 1
            write = self.records.decide(family, id_, since)
            if write is None:
                continue
            if batch.contradicts(write):
                waiting[key] = since
                continue
            if not batch.add(write):
                self._pending.put_back(family, id_, since)
                break
            self._in_flight[key] = write
        for (family, id_), since in waiting.items():
            self._pending.put(family, id_, since)
        return batch if batch.writes else None, looked

    # -- a transaction

    async def _send(self, batch: Batch) -> None:
        try:
            written, revision = await commit(self._client, batch)
        except EtcdError as error:
            await self._failed(batch.writes, error)
            return
        self.fault = ""
        self._backoff.reset()
        now = self._clock.monotonic()
        self.published += len(written)
        for write in batch.writes:
            del self._in_flight[write.family, write.id]
        for write in written:
            self.latency.observe(now - write.since)
            self.records.wrote(write, revision)
        if len(written) < len(batch.writes):
            for write in set(batch.writes).difference(written):
                self.records.refused(write)

    async def _failed(self, batch: list[Write], error: EtcdError) -> None:
        if not self.fault:
            log.warning("publishing pauses: %s", error)
        self.fault = str(error)
        self.failures += 1
        try:
            self._on_fault(error)
            now = self._clock.monotonic()
            if self._pause_ends <= now:
                self._pause_ends = now + self._backoff.delay()
            await anyio.sleep(self._pause_ends - now)
        finally:
            for write in batch:
                del self._in_flight[write.family, write.id]
                self.records.unanswered(write)
                self._pending.put(write.family, write.id, write.since)
