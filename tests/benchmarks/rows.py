"""The rows of the table of targets: the product and its floor in turn, round by round, on one etcd."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
import urllib.request
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import psutil
from aetcd import rpc

from ha_monitor.cli.memory import LOOK, REST
from tests.benchmarks import backlog, fairness, least
from tests.benchmarks.figures import Row
from tests.benchmarks.fleet import BARE_RECORDS, BARE_STATES, CONFIGS, RECORDS, STATES, Fleet, Writer
from tests.benchmarks.side import SETTLED, Side
from tests.benchmarks.sides import POLLED_EVERY
from tests.support.etcd import Etcd, range_end
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

IN_TURN = 20  # changes put one by one, before it is the other's turn
WARM = 50  # puts that are not counted
READY = 120.0  # seconds until a service with many resources must be ready

Until: TypeAlias = "Callable[[int], Coroutine[Any, Any, float]]"
"""Waits for what comes of the change at a revision; gives when it was there."""


class Bench:
    """One etcd with a fleet in it, who writes there, and how often each figure is taken."""

    def __init__(self, etcd: Etcd, fleet: Fleet, writer: Writer, rounds: int, *, latencies: int, events: int) -> None:
        self.etcd = etcd
        self.fleet = fleet
        self.writer = writer
        self.rounds = rounds
        self.latencies = latencies
        self.events = events

    @property
    def at_once(self) -> int:
        """How many records are written in a burst."""
        return min(20_000, self.fleet.n)

    # -- one change at a time

    async def heard(self) -> list[Row]:
        """Milliseconds from a PUT to a subscriber in the process."""
        return [
            await self.heard_by(
                "subscriber", Row("PUT → change at a subscriber, p50", "ms", 1.15, floor_is="bare watch")
            )
        ]

    async def heard_by(self, role: str, row: Row) -> Row:
        """Fill a row for a role."""
        for _ in range(self.rounds):
            async with Side("stub", self.etcd.url) as bare, Side(role, self.etcd.url) as side:
                await bare.hear("ready")
                await side.hear("ready")
                floor, product = await self.in_turn(bare.revision, side.revision)
                row.floor.append(statistics.median(floor))
                row.product.append(statistics.median(product))
        return row

    async def published(self) -> list[Row]:
        """Milliseconds from a PUT to the record, as another client sees it."""
        p50 = Row("PUT → record at another client, p50", "ms", 1.25, floor_is="bare put-watch-put-watch")
        p99 = Row("the same, p99", "ms", 1.5, floor_is=p50.floor_is)
        for _ in range(self.rounds):
            async with Side("chain", self.etcd.url) as bare:
                await bare.hear("ready")
                floor, product = await self.with_service(lambda _: self.records_in_turn())
            for row, part in ((p50, 0.5), (p99, 0.99)):
                row.floor.append(quantile(floor, part))
                row.product.append(quantile(product, part))
        return [p50, p99]

    async def records_in_turn(self) -> tuple[list[float], list[float]]:
        """Give the milliseconds until the chain's records were there, and those until somebody else's were."""
        async with self.watch(BARE_RECORDS) as bare, self.watch(RECORDS) as records:
            return await self.in_turn(bare.until, records.until)

    async def in_turn(self, floor: Until, product: Until) -> tuple[list[float], list[float]]:
        """Put some changes for the floor and some for the product, in turn: a busy moment of the machine hits both.

        Gives the milliseconds until each was there.
        """
        await asyncio.sleep(SETTLED)
        taken: tuple[list[float], list[float]] = ([], [])
        bare = Fleet(self.fleet.n)
        turns = ((bare, BARE_STATES, floor, taken[0]), (self.fleet, STATES, product, taken[1]))
        while len(taken[1]) < WARM + self.latencies:
            for fleet, prefix, until, figures in turns:
                for _ in range(IN_TURN):
                    key, value = fleet.flip(fleet.random.randrange(fleet.n))
                    began = time.monotonic()
                    revision = await self.writer.put((prefix.encode() + key.rpartition(b"/")[2], value))
                    figures.append(1_000 * (await until(revision) - began))
        return taken[0][WARM:], taken[1][WARM:]

    # -- many at once

    async def start(self) -> list[Row]:
        """Seconds from nothing to every resource evaluated, and milliseconds of the loop's longest turn meanwhile."""
        row = Row("start to synced", "s", 4, floor_is="bare paged read, decoded")
        turn = Row("first list: the loop's longest turn", "ms", 100)
        for _ in range(self.rounds):
            for role, figures in (("paged", row.floor), ("start", row.product)):
                async with Side(role, self.etcd.url) as side:
                    said = await side.hear("seconds")
                    figures.append(said["seconds"])
            turn.product.append(1_000 * said["longest"])
        return [row, turn]

    async def burst(self) -> list[Row]:
        """Records a second, from the moment the process goes on until the last of them is there."""
        count = self.at_once
        row = Row(f"{count:,} records at once", "records/s", 0.5, at_most=False, floor_is="bare 128-put transactions")
        for _ in range(self.rounds):
            row.floor.append(await self.written(count))
            row.product.append(
                count / await self.with_service(lambda service: self.burst_of(psutil.Process(service.pid), count))
            )
        return [row]

    async def written(self, count: int) -> float:
        """Give the records a second that a bare client writes, of so many."""
        began = time.monotonic()
        await self.writer.write(item for _, item in zip(range(count), self.fleet.records(), strict=False))
        return count / (time.monotonic() - began)

    async def burst_of(self, process: psutil.Process, count: int) -> float:
        """Give the seconds from the moment a process goes on until so many records are there."""
        await asyncio.sleep(SETTLED)
        async with self.watch(RECORDS) as seen:
            process.suspend()
            await self.writer.write([self.fleet.flip(number, 0) for number in range(count)])
            began = time.monotonic()
            process.resume()
            seconds = await seen.events(count) - began
        wanted, records = self.fleet.wanted(self.etcd, count), self.etcd.items(RECORDS)
        assert {key: json.loads(records[key]) for key in wanted} == wanted, "a record is not what etcd's states say"
        return seconds

    # -- at rest

    async def memory(self) -> list[Row]:
        """KiB of each interface, above a monitor with nothing to watch."""
        row = Row("memory above an empty monitor", "KiB an interface", 4)
        empty = Etcd().start()
        try:
            bare = await self.with_service(_resident, empty)
        finally:
            empty.close()
        for _ in range(self.rounds):
            row.product.append((await self.with_service(_resident) - bare) / 1024 / self.fleet.n)
        return [row]

    async def churn(self) -> list[Row]:
        """MiB of a monitor whose resources were all created and deleted again, beside what it held before."""
        n = f"{self.fleet.n:,}"
        empty = Row(f"memory after {n} came and went", "MiB", 1.1, floor_is="before")
        full = Row(f"memory with {n}, the second time", "MiB", 1.1, floor_is="the first time")
        paged = Row("after they came and went, PYTHONMALLOC=malloc", "MiB", None, floor_is="before")
        etcd = Etcd("--quota-backend-bytes", str(8 << 30)).start()
        try:
            writer = Writer(etcd)
            try:
                await writer.write(self.fleet.template())
                for _ in range(self.rounds):
                    before, first, after, second, _ = await self._churned(etcd, writer, 2)
                    empty.floor.append(before)
                    empty.product.append(after)
                    full.floor.append(first)
                    full.product.append(second)
                    before, _, after = await self._churned(etcd, writer, 1, "env", "PYTHONMALLOC=malloc")
                    paged.floor.append(before)
                    paged.product.append(after)
            finally:
                await writer.close()
        finally:
            etcd.close()
        return [empty, paged, full]

    async def _churned(self, etcd: Etcd, writer: Writer, times: int, *before: str) -> list[float]:
        """Create and delete all, some times; gives the MiB that the service held before, and after each of it."""

        async def measure(service: Service) -> list[float]:
            held = [await _resident(service)]
            for _ in range(times):
                async with Watch(writer, RECORDS) as seen:
                    await writer.write(self.fleet.items())
                    await seen.count(self.fleet.n)
                    held.append(await _resident(service))
                    for prefix in (CONFIGS, STATES):
                        await writer.delete(prefix)
                    await seen.count(self.fleet.n)
                    held.append(await _resident(service, LOOK + REST))
            return [each / 2**20 for each in held]

        taken: list[float] = await self.with_service(measure, etcd, *before)
        return taken

    async def backlog(self) -> list[Row]:
        """Many changes until every verdict is right, beside their floors."""
        return await backlog.rows(self)

    async def followed(self) -> list[Row]:
        """The same of the product alone, and a storm as it comes."""
        return await backlog.followed(self)

    async def prototype(self) -> list[Row]:
        """What the least takes that goes to work this way, beside the same floors."""
        return await least.rows(self)

    async def fairness(self) -> list[Row]:
        """What goes on beside a storm."""
        return await fairness.rows(self)

    async def poller(self) -> list[Row]:
        """Beside the poller that this replaces: milliseconds from a PUT to the record, and reads of etcd a second."""
        late = Row("PUT → record, p50", "ms", None, floor_is="a poller, every 10 s")
        reads = Row("reads of etcd", "a second", None, floor_is=late.floor_is)
        async with Side("poller", self.etcd.url) as side:
            await side.hear("ready")
            latency, read = await self._polled()
            late.floor.append(latency)
            reads.floor.append(read)
        latency, read = await self.with_service(lambda _: self._polled())
        late.product.append(latency)
        reads.product.append(read)
        return [late, reads]

    async def _polled(self, changes: int = 30) -> tuple[float, float]:
        """Put some changes, a third of a second apart; gives the median time to their records, and the reads."""
        calls, began = _calls(self.etcd, "Range"), time.monotonic()
        taken: list[float] = []

        async def one(number: int) -> None:
            async with self.watch(f"{RECORDS}{self.fleet.ids[number]}") as record:
                put = time.monotonic()
                revision = await self.writer.put(self.fleet.flip(number, 0))
                taken.append(1_000 * (await record.until(revision) - put))

        async with anyio.create_task_group() as tasks:
            for number in range(changes):
                tasks.start_soon(one, number)
                await asyncio.sleep(POLLED_EVERY / changes)
        return statistics.median(taken), (_calls(self.etcd, "Range") - calls) / (time.monotonic() - began)

    async def idle(self) -> list[Row]:
        """Share of a core, and reads of etcd a second, while nothing changes."""
        core = Row("idle: share of a core", "%", 0.5)
        reads = Row("idle: reads of etcd", "a second", 0.6)  # the probe's 0.5
        share, read = await self.with_service(self._idle)
        core.product.append(share)
        reads.product.append(read)
        return [core, reads]

    async def _idle(self, service: Service, seconds: float = 20.0) -> tuple[float, float]:
        await asyncio.sleep(5.0)
        process = psutil.Process(service.pid)
        before, calls = process.cpu_times(), _calls(self.etcd, "Range")
        await asyncio.sleep(seconds)
        after = process.cpu_times()
        used = after.user + after.system - before.user - before.system
        return 100 * used / seconds, (_calls(self.etcd, "Range") - calls) / seconds

    # -- the service, and what a client sees

    async def with_service(
        self, measure: Callable[[Service], Coroutine[Any, Any, Any]], etcd: Etcd | None = None, *before: str
    ) -> Any:
        """Measure something of a service that is ready.

        :param before: a command that becomes the service in the end.
        """
        service = Service((etcd or self.etcd).url, before=before, cold=True)
        try:
            await asyncio.to_thread(service.wait_ready, READY)
            return await measure(service)
        finally:
            service.kill()

    def watch(self, prefix: str) -> Watch:
        """Watch a prefix as another client."""
        return Watch(self.writer, prefix)


class Watch:
    """A client's watch of a prefix, for the time of an ``async with`` block."""

    def __init__(self, writer: Writer, prefix: str) -> None:
        self._call = writer.watch.Watch()
        self._prefix = prefix
        self._events = 0

    async def __aenter__(self) -> Watch:
        """Begin; returns once it is granted."""
        create = rpc.WatchCreateRequest(key=self._prefix.encode(), range_end=range_end(self._prefix))
        await self._call.write(rpc.WatchRequest(create_request=create))
        await self._call.read()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """End it."""
        self._call.cancel()

    async def until(self, revision: int) -> float:
        """Wait for an event after a revision; gives when it came."""
        while True:
            reply = await self._call.read()
            if reply.events and reply.events[-1].kv.mod_revision > revision:
                return time.monotonic()

    async def events(self, count: int) -> float:
        """Wait for so many events; gives when the last of them came."""
        while count > 0:
            count -= len((await asyncio.wait_for(self._call.read(), READY)).events)
        return time.monotonic()

    async def count(self, events: int) -> float:
        """Wait for so many keys to have changed; gives when the last of them did."""
        keys: set[bytes] = set()
        while len(keys) < events:
            reply = await asyncio.wait_for(self._call.read(), READY)
            keys.update(event.kv.key for event in reply.events)
        return time.monotonic()


async def _resident(service: Service, more: float = 0.0) -> int:
    """Give the bytes that a process holds in memory, once it has come to rest; ``more``: seconds beside 5."""
    await asyncio.sleep(5.0 + more)
    return int(psutil.Process(service.pid).memory_info().rss)


def _calls(etcd: Etcd, method: str) -> float:
    """Give how many calls of a method etcd has answered."""
    with urllib.request.urlopen(f"{etcd.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    wanted = [line for line in lines if line.startswith("grpc_server_handled_total{") and f'method="{method}"' in line]
    return sum(float(line.rpartition(" ")[2]) for line in wanted)


def quantile(values: list[float], part: float) -> float:
    """Give the value that such a part of them are below."""
    return sorted(values)[int(len(values) * part)]
