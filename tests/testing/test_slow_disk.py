"""A status file on a slow disk: it is written seldom, and is no older for that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ha_monitor import HaMonitor, statusfile
from ha_monitor.model import Readiness
from ha_monitor.testing import LoopClock, MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import Fleet, until

if TYPE_CHECKING:
    from pathlib import Path

SLOW = 2.0  # seconds that a write takes
OLD = 5.0  # seconds: a file as old as that says nothing of now


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Have each write take its time; give when each began."""
    began: list[float] = []
    at_once = statusfile._File.write

    async def slowly(file: statusfile._File, *says: Any) -> bool:
        began.append(anyio.current_time())
        await anyio.sleep(SLOW)
        return await at_once(file, *says)

    monkeypatch.setattr(statusfile._File, "write", slowly)
    return began


def test_a_file_that_is_slow_to_write_is_dated_between_its_writes(tmp_path: Path, writes: list[float]) -> None:
    path = tmp_path / "status.json"

    def says() -> Any:
        return json.loads(path.read_bytes())

    async def main() -> None:
        clock = LoopClock()
        fleet = Fleet(etcd=MemoryEtcd(clock=clock))
        async with fleet.monitor() as monitor, anyio.create_task_group() as tasks:
            await monitor.synced()
            await anyio.sleep(10.0)  # all is published
            tasks.start_soon(lambda: statusfile.keep_status_file(monitor, path, remove=False))
            await until(lambda: path.exists() and says()["ready"], 10)
            for _ in range(20 * int(SLOW)):
                assert clock.time() - path.stat().st_mtime < OLD
                await anyio.sleep(0.5)
            assert len(writes) == 1

            for number in range(100):
                fleet.flip(0, site.DOWN if number % 2 == 0 else site.UP)
                await anyio.sleep(1.0)
            assert len(writes) <= 1 + 100 / (10 * SLOW)
            await until(lambda: says()["resources"]["ha_interface"]["ha0"]["entries"]["primary"] == "UP", 12 * SLOW)

            fleet.etcd.freeze()
            await until(lambda: not monitor.readiness().ready, 30)
            await until(lambda: not says()["ready"], 2 * SLOW)
            tasks.cancel_scope.cancel()

    run(main)


def test_it_is_written_seldom_where_what_is_ready_goes_to_and_fro(
    tmp_path: Path, writes: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor() as monitor, anyio.create_task_group() as tasks:
            await monitor.synced()
            monkeypatch.setattr(HaMonitor, "readiness", lambda _: Readiness(int(anyio.current_time()) % 2 == 0, ""))
            tasks.start_soon(lambda: statusfile.keep_status_file(monitor, tmp_path / "status.json", remove=False))
            await anyio.sleep(100 * SLOW)
            tasks.cancel_scope.cancel()
        assert 5 < len(writes) <= 2 * 10

    run(main)
