"""What goes on beside a storm, and beside the first list of a large etcd: is anybody kept waiting?"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Row
from tests.benchmarks.fleet import RECORDS
from tests.support.service import Service

if TYPE_CHECKING:
    from tests.benchmarks.rows import Bench

STORM = 100_000
EVERY = 0.01  # seconds between two questions
PATIENCE = 30.0


class Asker:
    """Asks ``/healthz`` again and again, each time on a connection of its own, for an ``async with`` block."""

    def __init__(self, service: Service) -> None:
        self._port = service.port
        self.milliseconds: list[float] = []

    async def __aenter__(self) -> Asker:
        """Begin to ask."""
        self._task = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Ask no more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _ask(self) -> None:
        while True:
            began = time.monotonic()
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:  # it does not listen yet
                await asyncio.sleep(EVERY)
                continue
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            assert b" 200 " in answer[:20], answer
            self.milliseconds.append(1_000 * (time.monotonic() - began))
            await asyncio.sleep(EVERY)

    def quantile(self, quantile: float) -> float:
        """Give a quantile of the times so far, in milliseconds."""
        return sorted(self.milliseconds)[int(len(self.milliseconds) * quantile)]


async def rows(bench: Bench) -> list[Row]:
    """Take all of it."""
    health = Row("storm of 100,000 changes: /healthz, p99", "ms", 100)
    other = Row("storm: another resource's change → its record", "ms", 1_000)
    stop = Row("storm: SIGTERM → ended", "s", 5)
    listed = Row("first list: /healthz, longest", "ms", 100)
    for _ in range(bench.rounds):
        service = Service(bench.etcd.url, cold=True)
        try:
            async with Asker(service) as asker:
                await asyncio.to_thread(service.wait_ready, 120.0)
                listed.product.append(max(asker.milliseconds[1:]))  # the first has waited until anybody answers
            await asyncio.to_thread(_wait_until_all_is_published, service)
            async with Asker(service) as asker:
                other.product.append(await _storm(bench))
                health.product.append(asker.quantile(0.99))
            storm = asyncio.create_task(bench.writer.write(bench.fleet.flips(STORM)))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            await asyncio.to_thread(service.stop)
            stop.product.append(time.monotonic() - began)
            await storm
        finally:
            service.kill()
    return [health, other, stop, listed]


def _wait_until_all_is_published(service: Service) -> None:
    """Wait for what was changed while no service ran: by other rows, and by the storm in which one ended."""
    until = time.monotonic() + PATIENCE
    while b"ha_monitor_publish_pending 0.0\n" not in service.get("/metrics")[1]:
        assert time.monotonic() < until, "it has something to be published for ever"
        time.sleep(0.1)


async def _storm(bench: Bench) -> float:
    """Let a storm begin, and a change of the one interface that it leaves alone; gives when its record was there."""
    storm = asyncio.create_task(bench.writer.write(bench.fleet.flips(STORM)))
    await asyncio.sleep(0.2)
    async with bench.watch(f"{RECORDS}{bench.fleet.ids[-1]}") as record:
        began = time.monotonic()
        revision = await bench.writer.put(bench.fleet.flip(bench.fleet.n - 1, 0))
        seen = await asyncio.wait_for(record.until(revision), PATIENCE)
    await storm
    await asyncio.sleep(1.0)
    return 1_000 * (seen - began)
