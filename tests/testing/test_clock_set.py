"""The clock on the wall is set, since it was wrong: what is said of time goes on to be so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from ha_monitor.statusfile import keep_status_file
from ha_monitor.testing import LoopClock, MemoryEtcd, run
from tests.testing.fleet import Fleet, until

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600.0


def test_a_status_file_is_dated_by_the_clock_as_it_was_set(tmp_path: Path) -> None:
    path = tmp_path / "status.json"

    async def main() -> None:
        clock = LoopClock()
        fleet = Fleet(etcd=MemoryEtcd(clock=clock))
        async with fleet.monitor() as monitor, anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: keep_status_file(monitor, path, remove=False))
            await monitor.synced()
            await until(lambda: path.exists() and abs(path.stat().st_mtime - clock.time()) < 5, 10)
            clock.set(clock.time() - HOUR)
            await until(lambda: abs(path.stat().st_mtime - clock.time()) < 5, 10)
            path.unlink()
            await until(path.exists, 10)
            tasks.cancel_scope.cancel()

    run(main)


@pytest.mark.parametrize("seconds", [-HOUR, HOUR])
def test_how_long_a_watch_was_not_proven_is_counted_and_not_read_off_the_wall(seconds: float) -> None:
    async def main() -> None:
        clock = LoopClock()
        fleet = Fleet(etcd=MemoryEtcd(clock=clock))
        async with fleet.monitor() as monitor:
            await monitor.synced()
            fleet.etcd.freeze()
            await anyio.sleep(20)
            clock.set(clock.time() + seconds)
            lags = [watch.lag for watch in monitor.measures().watches]
            assert lags
            assert all(15 < lag < 25 for lag in lags)

    run(main)


def test_a_watch_that_was_never_proven_lags_since_it_was_begun() -> None:
    async def main() -> None:
        fleet = Fleet()
        fleet.etcd.go_down()
        async with fleet.monitor() as monitor:
            await anyio.sleep(20)
            assert {round(watch.lag) for watch in monitor.measures().watches} == {20}

    run(main)
