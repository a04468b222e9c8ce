"""Brings the records in etcd to what they should be: level-triggered, batched, fenced by the config's revision.

A record is only named here as one that may have to change. What it should be is worked out when its transaction is
built, so that the newest status wins, and any number of changes meanwhile come to one write. One transaction carries
many records and compares the config of each. Where one comparison fails, etcd is asked which, and the others are sent
again together, so that it holds up none of them. (Nested transactions would do without the second round, but etcd 3.5
does not count what they write against its quota: they get past a NOSPACE alarm.) Where etcd refuses a transaction
outright, those that it refuses are found by sending fewer together (:mod:`ha_monitor.publish.queues`), and rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from ha_monitor.errors import EtcdError
from ha_monitor.etcd.faults import is_about_the_request
from ha_monitor.measures import Histogram
from ha_monitor.publish.decider import Decider
from ha_monitor.publish.filling import LOOKS, fill
from ha_monitor.publish.queues import Queues
from ha_monitor.publish.transaction import COMPARISONS_IN_A_TRANSACTION, commit
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.evaluate.unit import Family
    from ha_monitor.faultlog import FaultLog
    from ha_monitor.publish.desire import Publish
    from ha_monitor.publish.queues import Lane
    from ha_monitor.publish.transaction import Batch, RecordId, Write

IN_FLIGHT = 16
"""Transactions under way at once. Three keep etcd and us busy; in a storm of somebody else's writes, which has as many
under way, it is our share of etcd: a record comes through in half of the time that it takes with 4 (measured)."""


class Publisher:
    """Publishes for all families that have records."""

    def __init__(
        self,
        client: EtcdClient,
        clock: Clock,
        *,
        form: Publish,
        state_timeout: float,
        faults: FaultLog,
    ) -> None:
        self.still_heard: Callable[[], bool] = lambda: True
        """Tells whether etcd's last answer is not too old: of a process that was frozen, the clock says it first."""
        self.on_fault: Callable[[EtcdError], None] = lambda error: None
        """Called with each error that is not about a single record: etcd takes no transaction at all."""
        self.records = Decider(clock, form=form, state_timeout=state_timeout, want=self.want)
        self._client = client
        self._clock = clock
        self._faults = faults
        self.published = 0
        self.failures = 0
        """Transactions that etcd did not take."""
        self.latency = Histogram()
        """From the first wish for another record to etcd's answer."""
        self._pending = Queues(self.records.resting)
        self._in_flight: dict[RecordId, Write] = {}
        self._fault = ""
        """Why the last transaction failed; empty where etcd took it, or refused what was in it."""
        self._refusal = ""
        """Why etcd refused a record that it had not refused before; empty where it has taken another since."""
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
        self.want_all({family: (id_,)}, self._clock.monotonic())

    def want_all(self, records: Mapping[Family, Sequence[str]], since: float) -> None:
        """Have many looked at, by type and id, which may have to change ``since`` then (monotonic seconds)."""
        for family, ids in records.items():
            if family.records is not None:
                self._pending.of(family).put(family, ids, since)
        self._call_a_sender()

    def record_changed(self, family: Family, id_: str) -> None:
        """Note that the watch brought another record than the one we knew."""
        if (family, id_) not in self._in_flight:
            self.records.changed(family, id_)
            self.want(family, id_)

    def repeat(self, family: Family, id_: str) -> None:
        """Have a record put again, where that can be done at this moment."""
        if self._open and family.records is not None:
            self.records.repeat((family, id_))

    def record_stirred(self, family: Family, id_: str) -> None:
        """Note that we wrote a record which others hang on."""
        self.records.stirred(family, id_)

    def hear(self, heard: bool) -> None:
        """Note whether all watches are caught up: what they said before is no ground to write on."""
        self._open = heard
        self._call_a_sender()
        self.records.hear(heard)

    async def take_over(self, families: Iterable[Family], is_ours: Callable[[str, str], bool]) -> None:
        """Have the records looked at that are ours from now on, by type and id; what stands there is known already."""
        for family in families:
            if family.records is not None:
                for number, id_ in enumerate({*family.units, *family.records.ids()}):
                    if is_ours(family.type, family.resource_id(id_)):
                        self.want(family, id_)
                    if not number % LOOKS:
                        await anyio.lowlevel.checkpoint()

    @property
    def fault(self) -> str:
        """Why nothing that is to be written can be; empty where nothing is, or etcd takes what it has not refused."""
        return self._fault or (self._refusal if self.records.resting else "")

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
        """Write until cancelled."""
        try:
            async with anyio.create_task_group() as senders:
                for _ in range(IN_FLIGHT):
                    senders.start_soon(self._sender, name="publish")
        finally:
            self.records.end()

    async def _sender(self) -> None:
        """Send one transaction after the other; there to be called, since a task begun for each would cost 60 µs."""
        called, more = asyncio.Event(), True
        while True:
            called.clear()
            self._resting.append(called)
            if more:
                self._call_a_sender()
            await called.wait()
            batch, lane, looked = self._next() if self._may_send else (None, None, 0)
            more = batch is not None or looked == LOOKS
            if more and batch is None:
                await asyncio.sleep(0)  # who calls itself does not wait
            self._called = False
            if batch is not None:
                self._call_a_sender()
                await self._send(batch, lane)
                batch = None  # while it rests, nothing keeps the last one alive
            elif self.idle:
                self._fault = ""  # what could not be written is no longer wanted: its resource ended, say

    @property
    def _may_send(self) -> bool:
        """Whether a transaction may be begun; after a failure, only one at a time."""
        return self._open and self.still_heard() and not (self._fault and self._in_flight)

    def _call_a_sender(self) -> None:
        """Have the next transaction begun: one in each turn of the event loop, however many were answered in the last.

        To build one takes 5 ms, and 16 of them in one turn would keep everybody else waiting.
        """
        if self._open and not self._called and self._resting and self._pending.due:
            self._called = True
            self._resting.pop().set()

    def _next(self) -> tuple[Batch | None, Lane | None, int]:
        """Give the next transaction, where there is one, its lane, and how many records were decided on for it."""
        now = self._clock.monotonic()
        for lane in self._pending.turns():  # where one has nothing to be written after all, the next one may have
            batch, looked = fill(lane.queue, lane.room, self.records, self._in_flight, now)
            self._pending.busy = batch is not None
            if batch is not None or looked == LOOKS:
                return batch, lane, looked
        batch, looked = fill(self._pending.together, COMPARISONS_IN_A_TRANSACTION, self.records, self._in_flight, now)
        return batch, None, looked

    # -- a transaction

    async def _send(self, batch: Batch, lane: Lane | None) -> None:
        try:
            written, revision = await commit(self._client, batch)
        except EtcdError as error:
            self.failures += 1
            if is_about_the_request(error):
                self._refused(batch.writes, error)
            else:
                await self._failed(batch.writes, error)
            return
        finally:
            if lane is not None:
                self._pending.busy = False
        self._fault = self._refusal = ""
        self._backoff.reset()
        now = self._clock.monotonic()
        self.published += len(written)
        for write in batch.writes:
            del self._in_flight[write.of]
        # Of a slice it is one. Whoever waits for a status has had it where a record is put again.
        for since, count in Counter([write.since for write in written if not write.again]).items():
            self.latency.observe(now - since, count)
        self.records.wrote(written, revision)
        if len(written) < len(batch.writes):
            for write in set(batch.writes).difference(written):
                self.records.refused(write)
        if lane is not None:
            self._pending.taken(lane)
        if written and not self.records.resting:  # not where they are only no longer wanted: the next may fail as well
            self._faults.over()

    def _refused(self, writes: list[Write], error: EtcdError) -> None:
        """Have those that etcd did not take sent apart, fewer at a time, and the one that was sent alone rest."""
        self._fault = ""  # etcd is there
        self._backoff.reset()
        self._pending.refused(writes)
        for write in reversed(writes):  # those that were sent before are the next again, in their order
            family, id_ = write.of
            del self._in_flight[write.of]
            self.records.overheard(write)
            if len(writes) > 1:
                self._pending.of(family).put_back(family, id_, write.since)
        if len(writes) == 1:
            (write,) = writes
            family, id_ = write.of
            if self.records.rest(write, str(error)):
                self._refusal = str(error)
            self._faults.note(error, f"{family.type}/{family.resource_id(id_)}")

    async def _failed(self, batch: list[Write], error: EtcdError) -> None:
        self._fault = str(error)
        self._faults.note(error)
        self.on_fault(error)
        try:
            now = self._clock.monotonic()
            if self._pause_ends <= now:
                self._pause_ends = now + self._backoff.delay()
            await anyio.sleep(self._pause_ends - now)
        finally:
            for write in batch:
                family, id_ = write.of
                del self._in_flight[write.of]
                self.records.unanswered(write)
                self._pending.of(family).put(family, (id_,), write.since)
