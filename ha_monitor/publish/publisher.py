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
from ha_monitor.publish.conflicts import Conflicts
from ha_monitor.publish.desire import Keep, Publish, Put, desire
from ha_monitor.publish.queue import FairQueue
from ha_monitor.publish.transaction import Write, holding, question, request
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.evaluate.unit import Family
    from ha_monitor.watch.states import Cell

log = logging.getLogger(__name__)

COMPARISONS_IN_A_TRANSACTION = 128
"""etcd's ``--max-txn-ops`` default, which counts comparisons and writes, whichever are more."""

IN_FLIGHT = 4
"""Transactions under way at once. Chosen: etcd is busy with one while the next is built and a third travels."""

LOOKS = 1_000
"""Records looked at in one go: a few milliseconds, and more than can be under way, so that not all of them wait."""

LOOK_AGAIN = 1.0
"""Seconds after which a record whose comparison failed is looked at anew, should no event have done so."""


LATE = 5.0
"""Seconds after etcd is heard again in which a write whose answer was lost may still land: a frozen member takes what
waits in its sockets as soon as it goes on."""


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
        self.fault = ""
        """Why what is to be written can't be; empty where nothing is, or nothing failed."""
        self._client = client
        self._clock = clock
        self._form = form
        self._state_timeout = state_timeout
        self._on_fault = on_fault
        self.published = 0
        self.failures = 0
        """Transactions that etcd did not take."""
        self.latency = Histogram()
        """From the first wish for another record to etcd's answer."""
        self._pending = FairQueue()
        self._in_flight: dict[tuple[Family, str], Write] = {}
        self._timed: set[tuple[Family, str]] = set()
        self._foreign: set[tuple[Family, str]] = set()
        """Records that another hand has changed, and that nobody has looked at since."""
        self._doubtful: dict[tuple[Family, str], bytes] = {}
        """What we sent and got no answer to: it may stand there, now or in a moment."""
        self._conflicts: Conflicts[tuple[Family, str]] = Conflicts()
        self._backoff = Backoff()
        self._open = False
        self._resting: list[asyncio.Event] = []
        """Of the senders that have nothing to do."""

    # -- what the fleet and the views say

    def want(self, family: Family, id_: str) -> None:
        """Have a record looked at: its resource, its config or the record itself is another one."""
        if family.records is not None:
            self._pending.put(family, id_, self._clock.monotonic())
            self._call_a_sender()

    def record_changed(self, family: Family, id_: str) -> None:
        """Note that the watch brought another record than the one we knew."""
        key = (family, id_)
        if key not in self._in_flight:
            if key not in self._doubtful or self._standing(*key) != self._doubtful[key]:
                self._foreign.add(key)
            self.want(family, id_)

    def hear(self, heard: bool) -> None:
        """Note whether all watches are caught up: what they said before is no ground to write on."""
        self._open = heard
        self._call_a_sender()
        if heard and self._doubtful:
            doubtful = dict(self._doubtful)
            self._clock.call_later(LATE, lambda: self._no_longer_doubtful(doubtful))

    def _no_longer_doubtful(self, sent: Mapping[tuple[Family, str], bytes]) -> None:
        for key, value in sent.items():
            if self._doubtful.get(key) == value:
                del self._doubtful[key]
                self.want(*key)

    def conflict(self, family: Family, id_: str) -> str | None:
        """Say in words what another writer does to a record; ``None`` where none does."""
        return self._conflicts.words((family, id_), self._clock.monotonic())

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
        called = asyncio.Event()
        while True:
            batch, looked = self._next_batch() if self._may_send else ([], 0)
            if batch:
                self._call_a_sender()
                await self._send(batch)
                continue
            if looked == LOOKS:
                await anyio.lowlevel.checkpoint()
                continue
            if self.idle:
                self.fault = ""  # what could not be written is no longer wanted: its resource ended, say
            called.clear()
            self._resting.append(called)
            await called.wait()

    @property
    def _may_send(self) -> bool:
        """Whether a transaction may be begun; after a failure, only one at a time."""
        return self._open and not (self.fault and self._in_flight)

    def _call_a_sender(self) -> None:
        if self._pending and self._resting and self._open:
            self._resting.pop().set()

    def _next_batch(self) -> tuple[list[Write], int]:
        """Give the next transaction's parts, and how many records were looked at for it."""
        batch: list[Write] = []
        waiting: dict[tuple[Family, str], float] = {}
        room = COMPARISONS_IN_A_TRANSACTION - 1  # the last may be a delete, which compares twice
        looked = 0
        while self._pending and room > 0 and looked < LOOKS:
            looked += 1
            family, id_, since = self._pending.pop()
            key = (family, id_)
            if key in self._in_flight:
                waiting[key] = since
                continue
            write = self._decide(family, id_, since)
            if write is not None:
                self._in_flight[key] = write
                batch.append(write)
                room -= len(write.comparisons)
        for (family, id_), since in waiting.items():
            self._pending.put(family, id_, since)
        return batch, looked

    def _decide(self, family: Family, id_: str, since: float) -> Write | None:
        assert family.records is not None  # noqa: S101 - want() let none other in
        key, record = (family, id_), family.records.key(id_)
        cell = family.records.at(record)
        standing = _value(cell)
        now = self._clock.monotonic()
        wanted = desire(family, id_, self._form, standing, self._state_timeout, now)
        if isinstance(wanted, Put):
            family.units[id_].vouched = True  # from here on: an answer may get lost, and the record stand there
            family.leaving.discard(id_)
        elif standing is None and key not in self._doubtful:
            family.leaving.discard(id_)
        if not isinstance(wanted, Put) or standing == wanted.value:
            self._foreign.discard(key)
        if isinstance(wanted, Keep):
            if wanted.seconds is not None:
                self._look_later(family, id_, wanted.seconds)
            return None
        if isinstance(wanted, Put):
            if standing == wanted.value:
                return None
            pause = self._conflicts.pause(key, now)
            if pause:
                self._look_later(family, id_, pause)
                return None
        revision = 0 if cell is None else cell.revision
        return Write(family, id_, wanted, record, revision, family.configs.key(id_), since)

    def _look_later(self, family: Family, id_: str, seconds: float) -> None:
        key = (family, id_)
        if key in self._timed:
            return
        self._timed.add(key)

        def look() -> None:
            self._timed.discard(key)
            self.want(family, id_)

        self._clock.call_later(seconds, look)

    def _standing(self, family: Family, id_: str) -> bytes | None:
        return None if family.records is None else _value(family.records.cell(id_))

    # -- a transaction

    async def _send(self, batch: list[Write]) -> None:
        try:
            reply = await self._client.txn(request(batch), "publish")
            while not reply.succeeded and batch:
                answer = await self._client.txn(question(batch), "read what was compared")
                hold = holding(batch, answer)
                if len(hold) == len(batch):
                    hold = []  # it was another moment: all of them are looked at again
                for write in [write for write in batch if write not in hold]:
                    self._landed(write)
                    self._look_later(write.family, write.id, LOOK_AGAIN)
                batch = hold
                if batch:
                    reply = await self._client.txn(request(batch), "publish")
        except EtcdError as error:
            await self._failed(batch, error)
            return
        self.fault = ""
        self._backoff.reset()
        revision, now = reply.header.revision, self._clock.monotonic()
        for write in batch:
            self._landed(write)
            self._wrote(write, revision, now)

    def _landed(self, write: Write) -> None:
        """Note that what became of a write is known."""
        key = (write.family, write.id)
        del self._in_flight[key]
        self._doubtful.pop(key, None)

    def _wrote(self, write: Write, revision: int, now: float) -> None:
        family, id_, wanted = write.family, write.id, write.wanted
        key = (family, id_)
        assert family.records is not None  # noqa: S101 - want() let none other in
        self.published += 1
        self.latency.observe(now - write.since)
        value = wanted.value if isinstance(wanted, Put) else None
        unit = family.units.get(id_)
        if unit is not None:
            unit.vouched = value is not None
        if key in self._foreign:
            self._foreign.discard(key)
            if value is not None:
                self._conflicts.note(key, now)
        if not family.records.written(write.key, value, revision):
            self._foreign.add(key)
            self.want(family, id_)
        elif value is None:
            self.want(family, id_)  # it may be gone for good now, and forgotten

    async def _failed(self, batch: list[Write], error: EtcdError) -> None:
        if not self.fault:
            log.warning("publishing pauses: %s", error)
        self.fault = str(error)
        self.failures += 1
        try:
            self._on_fault(error)
            await anyio.sleep(self._backoff.delay())
        finally:
            for write in batch:
                del self._in_flight[write.family, write.id]
                if isinstance(write.wanted, Put):
                    self._doubtful[write.family, write.id] = write.wanted.value
                self._pending.put(write.family, write.id, write.since)


def _value(cell: Cell | None) -> bytes | None:
    """Give the record that stands at a key."""
    return None if cell is None or cell.state is None else cell.state.raw
