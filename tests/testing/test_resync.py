"""``--resync``: each record is put again once in a period, evenly, by its owner alone, and never in a burst."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor import Settings
from ha_monitor.publish.resync import offset
from ha_monitor.testing import MemoryEtcd
from tests.support import site
from tests.testing.fleet import ready
from tests.testing.test_faults import virtual

if TYPE_CHECKING:
    from ha_monitor import HaMonitor

PERIOD = 200.0
PAIRS = 40
RECORDS = "/monitoring/v2.0/ha_interfaces/"


class Site:
    """Pairs in an etcd, and the puts of their records that changed nothing."""

    def __init__(self) -> None:
        self.etcd = MemoryEtcd()
        self.pairs = [site.HaInterface(f"ha{number}", f"p{number}", f"s{number}") for number in range(PAIRS)]
        self.etcd.txn(site.ha_template())
        for pair in self.pairs:
            self.etcd.txn(pair.keys())

    def monitor(self, **settings: Any) -> HaMonitor:
        return self.etcd.monitor(Settings(resync=PERIOD, **settings))

    async def puts(self, seconds: float, step: float = 1.0) -> tuple[Counter[str], list[int]]:
        """Watch for some time; give how often each record was put, and how many were in each step of seconds."""
        store, seen = self.etcd._server.node.store, self.etcd.revision
        by_record: Counter[str] = Counter()
        by_time: list[int] = []
        for _ in range(int(seconds / step)):
            await anyio.sleep(step)
            keys = [event.kv.key.decode() for _, events in store.since(seen + 1, store.revision) for event in events]
            seen = store.revision
            records = [key for key in keys if key.startswith(RECORDS)]
            by_record.update(records)
            by_time.append(len(records))
        return by_record, by_time


def even(by_time: list[int]) -> bool:
    """Tell whether no tenth of the period has more than thrice its share, and no second more than a handful."""
    tenth = len(by_time) // 10
    shares = [sum(by_time[begin : begin + tenth]) for begin in range(0, len(by_time), tenth)]
    return max(shares) <= 3 * PAIRS / 10 and max(by_time) <= 4


@virtual
async def test_each_record_is_put_again_once_in_a_period_and_evenly() -> None:
    standing = Site()
    async with standing.monitor() as monitor:
        await ready(monitor)
        await anyio.sleep(PERIOD / 3)
        for _ in range(3):
            by_record, by_time = await standing.puts(PERIOD)
            assert by_record == {pair.record: 1 for pair in standing.pairs}
            assert even(by_time)


@virtual
async def test_by_default_nothing_is_put_again() -> None:
    standing = Site()
    async with standing.etcd.monitor() as monitor:
        await ready(monitor)
        await anyio.sleep(1.0)
        assert await standing.puts(PERIOD) == (Counter(), [0] * int(PERIOD))


@virtual
async def test_a_restart_keeps_to_the_times_of_before() -> None:
    standing = Site()
    by_record: Counter[str] = Counter()
    for _ in range(10):
        async with standing.monitor() as monitor:
            await ready(monitor)
            puts, by_time = await standing.puts(PERIOD / 10)
            assert max(by_time[1:]) <= 4
            by_record += puts
    assert len(by_record) >= PAIRS - 10  # what was due while it restarted has to wait
    assert max(by_record.values()) == 1


@virtual
async def test_only_the_owner_puts_a_record_again() -> None:
    standing = Site()
    group = {"group": "edge", "shards": 4}
    async with standing.monitor(**group) as first, standing.monitor(**group) as second:
        for monitor in (first, second):
            await ready(monitor)
        await anyio.sleep(30.0)
        by_record, by_time = await standing.puts(PERIOD)
        assert by_record == {pair.record: 1 for pair in standing.pairs}
        assert even(by_time)


@virtual
async def test_what_was_due_in_an_outage_comes_in_no_burst_after_it() -> None:
    standing = Site()
    async with standing.monitor() as monitor:
        await ready(monitor)
        standing.etcd.go_down()
        await anyio.sleep(PERIOD)
        standing.etcd.come_up()
        _, by_time = await standing.puts(PERIOD)
        assert even(by_time)


@virtual
async def test_a_clock_that_is_set_stops_nothing_and_makes_no_burst() -> None:
    standing = Site()
    async with standing.monitor() as monitor:
        await ready(monitor)
        clock = standing.etcd.clock
        for wall in (clock.time() + 1e6, clock.time() - 1e6):
            clock.set(wall)  # type: ignore[attr-defined]
            _, by_time = await standing.puts(PERIOD / 2)
            assert max(by_time) <= 4
            by_record, by_time = await standing.puts(PERIOD)
            assert by_record == {pair.record: 1 for pair in standing.pairs}
            assert even(by_time)


@virtual
async def test_a_record_that_another_hand_wrote_is_put_right_and_none_is_put_where_none_stands() -> None:
    standing = Site()
    async with standing.monitor() as monitor:
        await ready(monitor)
        gone, unknown = standing.pairs[:2]
        standing.etcd.delete(gone.config)
        standing.etcd.txn({}, [unknown.primary_state, unknown.record])
        await anyio.sleep(1.0)
        by_record, _ = await standing.puts(PERIOD, step=30.0)
        assert by_record[gone.record] == 0
        assert by_record[unknown.record] in (1, 2), "once it is FAIL, and again when its time comes"


@given(st.text(max_size=8), st.text(max_size=40), st.floats(1.0, 1e6))
def test_a_record_has_a_time_of_its_own_in_the_period(type_: str, id_: str, period: float) -> None:
    assert 0.0 <= offset(type_, id_, period) < period
    assert offset(type_, id_, period) == offset(type_, id_, period)
