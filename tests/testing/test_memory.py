"""When the service has memory given back: once half of its resources have gone, and what was told of it has passed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ha_monitor import HaMonitor, Settings
from ha_monitor.cli import memory
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site

if TYPE_CHECKING:
    import pytest

PAIRS = [site.HaInterface(f"ha{number}", f"p{number}", f"s{number}") for number in range(8)]
SOON = 2 * memory.LOOK
LATER = memory.REST + SOON


def test_it_is_given_back_when_half_of_the_resources_have_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back: list[int] = []

    class Monitor(HaMonitor):
        def shrink(self) -> None:
            super().shrink()
            given_back.append(self.progress().resources)

    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(site.ha_template())

        async def have(count: int, seconds: float) -> list[int]:
            for number, pair in enumerate(PAIRS):
                if number < count:
                    etcd.txn(pair.keys())
                else:
                    etcd.delete(pair.config)
            await anyio.sleep(seconds)
            return given_back

        monitor = Monitor(Settings(), connect=etcd.connect, clock=etcd.clock)
        async with monitor, anyio.create_task_group() as tasks:
            tasks.start_soon(memory.give_back, monitor)
            assert await have(8, LATER) == []
            assert await have(5, LATER) == [], "less than half"
            assert await have(4, SOON) == [], "what is told of them lies in queues still"
            assert await have(3, LATER) == [3]
            assert await have(0, LATER) == [3], "three are not worth it"
            assert await have(8, LATER) == [3]
            assert await have(0, LATER) == [3, 0]
            assert len(monitor.history()) > len(PAIRS)
            tasks.cancel_scope.cancel()

    monkeypatch.setattr(memory, "FEWEST", 4)
    run(main)
