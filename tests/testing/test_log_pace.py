"""When ``run`` logs what has changed: after what is published, and in time where that can't be."""

from __future__ import annotations

import logging

import anyio
import pytest

from ha_monitor.cli import run as cli
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import until

PAIRS = [site.HaInterface(f"ha{number}", f"p{number}", f"s{number}") for number in range(3 * cli.MANY)]

WRITTEN = cli.PAUSE * len(PAIRS) / cli.AT_ONCE
"""Seconds that lines of all of them take."""


class Lines(logging.Handler):
    """Notes when each transition was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[float] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "UP -> DOWN" in record.getMessage():
            self.at.append(anyio.current_time())


@pytest.mark.parametrize(
    ("flipped", "stuck", "first", "last"),
    [
        (1, False, cli.PAUSE, cli.PAUSE),
        (1, True, cli.PAUSE, cli.PAUSE),
        (len(PAIRS), False, cli.PAUSE, WRITTEN),
        (len(PAIRS), True, cli.PATIENCE, cli.PATIENCE + WRITTEN),
    ],
    ids=["one", "one that can't be published", "many", "many that can't be published"],
)
def test_lines_wait_for_what_is_published_but_not_for_long(
    caplog: pytest.LogCaptureFixture, flipped: int, stuck: bool, first: float, last: float
) -> None:
    lines = Lines()

    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(site.ha_template())
        for pair in PAIRS:
            etcd.txn(pair.keys())
        async with etcd.monitor() as monitor, anyio.create_task_group() as tasks:
            await monitor.synced()
            tasks.start_soon(cli._log_changes, monitor, False)
            await until(lambda: not monitor.pending, 10.0, lambda: monitor.pending)
            await anyio.sleep(1.0)
            began = anyio.current_time()
            for pair in PAIRS[:flipped]:
                etcd.put(pair.primary_state, site.DOWN)
            if stuck:
                etcd.freeze()  # the watch has brought it by then
            await until(lambda: len(lines.at) == flipped, 30.0, lambda: len(lines.at))
            assert bool(monitor.pending) == stuck
            assert first <= round(lines.at[0] - began, 6)
            assert lines.at[-1] - began <= last + 2 * cli.PAUSE
            tasks.cancel_scope.cancel()

    log = logging.getLogger("ha_monitor")
    log.addHandler(lines)
    try:
        with caplog.at_level(logging.INFO, "ha_monitor"):
            run(main)
    finally:
        log.removeHandler(lines)
