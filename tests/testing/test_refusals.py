"""Records that etcd does not take hold up no others: who may write some and not all, on an etcd in memory."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor import Settings
from ha_monitor.evaluate.fleet import Fleet as Evaluating
from ha_monitor.faultlog import AGAIN
from ha_monitor.publish.resting import APART, FIRST_PAUSE, LONGEST_PAUSE
from ha_monitor.publish.transaction import COMPARISONS_IN_A_TRANSACTION
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import TOLD_WITHIN, Fleet, ready, unready, until
from tests.testing.test_faults import published, user_settings, virtual

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ha_monitor.etcd.connection import Access
    from ha_monitor.testing.stubs import MemoryStubs

RECORDS = "/monitoring/v2.0/ha_interfaces/"


class Counted(MemoryEtcd):
    """Counts the writes of each key that it is asked for, and the transactions."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions = 0
        self.asked: Counter[str] = Counter()

    def connect(self, url: str, access: Access) -> MemoryStubs:
        stubs = super().connect(url, access)
        make = stubs.kv.Txn

        def txn(request: Any, **options: Any) -> Any:
            self.transactions += 1
            self.asked.update((one.request_put.key or one.request_delete_range.key).decode() for one in request.success)
            return make(request, **options)

        stubs.kv.Txn = txn
        return stubs

    def allow(self, *prefixes: str) -> None:
        self.set_user("monitor", "pw", read=["/"], write=prefixes)


@virtual
async def test_a_type_that_may_not_be_written_holds_up_no_other(tmp_path: Path) -> None:
    etcd = Counted()
    fleet = Fleet(etcd=etcd)
    etcd.allow("/")
    async with fleet.monitor(**user_settings(tmp_path)) as monitor:
        await fleet.right()
        etcd.allow(RECORDS)
        gateway = site.envelope({"id": "vpn1", "downlink_interface_id": "ha1"})
        etcd.put("/config/v2.0/vpn_gateways/vpn1", gateway)
        assert "permission denied" in await unready(monitor)
        for number in range(3):
            await anyio.sleep(40)
            fleet.flip(number)
            await etcd.wait(fleet.pairs[number].record, site.record("DOWN"), timeout=1.0)
        await ready(monitor)
        resource = monitor.get("vpn_gateway", "vpn1")
        assert resource is not None
        assert resource.problem is not None
        assert resource.problem.startswith("etcd refuses its record: ")
        assert resource.problem.endswith("permission denied")
        explained = monitor.explain("vpn_gateway", "vpn1")
        assert explained is not None
        assert "etcd refuses its record" in explained.record.why
        assert "the next try comes in" in explained.record.why
        asked = etcd.asked["/monitoring/v2.0/vpn_gateways/vpn1"]
        assert 5 < asked < 12
        assert dict(monitor.problems()).keys() >= {"vpn_gateway/vpn1"}
        etcd.allow("/")
        await fleet.right()
        resource = monitor.get("vpn_gateway", "vpn1")
        assert resource is not None
        assert resource.problem is None


@virtual
async def test_one_who_may_write_nothing_asks_seldom_and_writes_all_once_they_may(tmp_path: Path) -> None:
    etcd, count = Counted(), 2_000
    pairs = [site.HaInterface(f"ha{number:04}") for number in range(count)]
    etcd.txn(site.ha_template())
    for pair in pairs:
        etcd.txn(pair.keys())
    etcd.allow()
    async with etcd.monitor(Settings(**user_settings(tmp_path))) as monitor:
        await monitor.synced()
        assert "permission denied" in await unready(monitor)
        await anyio.sleep(240)
        assert "permission denied" in monitor.readiness().reason
        assert monitor.roll.problems() == {"ha_interface": count}
        before = etcd.transactions
        await anyio.sleep(240)
        assert etcd.transactions - before < 240 / APART * 1.5
        etcd.put(pairs[7].primary_state, site.DOWN)
        etcd.allow("/")
        await until(lambda: published(monitor).published == count, TOLD_WITHIN, lambda: published(monitor))
        await ready(monitor)
        assert etcd.record(pairs[7].record) == site.record("DOWN")
        assert monitor.roll.problems() == {"ha_interface": 0}


@virtual
async def test_writes_that_are_refused_before_all_is_evaluated_end_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a large site, what is evaluated first is published while the others still wait."""
    etcd = Counted()
    fleet = Fleet(etcd=etcd)
    etcd.allow()
    with monkeypatch.context() as patched:
        patched.setattr(Evaluating, "idle", property(lambda _: False))
        async with fleet.monitor(**user_settings(tmp_path)) as monitor:
            await until(lambda: monitor.roll.problems().get("ha_interface") == 3, TOLD_WITHIN)
            assert not monitor.is_synced
            patched.undo()
            fleet.flip(0)
            await monitor.synced()
            assert "permission denied" in await unready(monitor)


@virtual
async def test_a_busy_site_that_may_write_nothing_logs_few_lines_and_the_end_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ha_monitor")
    etcd = Counted()
    fleet = Fleet(etcd=etcd)
    etcd.allow("/")
    async with fleet.monitor(**user_settings(tmp_path)):
        await fleet.right()
        caplog.clear()
        etcd.allow()
        for second in range(300):
            fleet.flip(second % 3, site.DOWN if second // 3 % 2 else site.UP)
            await anyio.sleep(1)
        assert 2 <= len(caplog.messages) <= 300 / AGAIN + 1, caplog.messages
        assert all("permission denied" in words for words in caplog.messages)
        assert caplog.messages[0].startswith("ha_interface/ha0: publish: ")
        caplog.clear()
        etcd.allow("/")
        await fleet.right()
        fleet.flip(0)
        fleet.flip(0, site.UP)
        await anyio.sleep(60)
        assert caplog.messages == ["what is to be published is written again"]


@virtual
async def test_a_full_disk_in_a_busy_site_is_a_few_lines_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ha_monitor")
    fleet = Fleet()
    async with fleet.monitor():
        await fleet.right()
        caplog.clear()
        fleet.etcd.fill_up()
        for second in range(300):
            fleet.flip(second % 3, site.DOWN if second // 3 % 2 else site.UP)
            await anyio.sleep(1)
        fleet.etcd.disarm()
        await fleet.right()
        await until(lambda: sum(map(_is_alarm, caplog.messages)) == 2, 60.0)  # raised and cleared; it is asked seldom
        *faults, end = [words for words in caplog.messages if not _is_alarm(words)]
        assert 2 <= len(faults) <= 300 / AGAIN + 1, faults
        assert all("database space exceeded" in words for words in faults)
        assert end == "what is to be published is written again"


def _is_alarm(words: str) -> bool:
    return words.startswith("etcd alarm")


@virtual
async def test_a_record_that_is_refused_and_no_longer_wanted_is_no_fault(tmp_path: Path) -> None:
    etcd = Counted()
    fleet = Fleet(etcd=etcd)
    etcd.allow("/")
    async with fleet.monitor(**user_settings(tmp_path)) as monitor:
        await fleet.right()
        etcd.allow()
        fleet.flip(0)
        assert "permission denied" in await unready(monitor)
        fleet.flip(0, site.UP)
        await ready(monitor)
        resource = monitor.get("ha_interface", "ha0")
        assert resource is not None
        assert resource.problem is None


@virtual
async def test_one_in_a_storm_is_found_by_halves(tmp_path: Path) -> None:
    etcd, count = Counted(), 10 * COMPARISONS_IN_A_TRANSACTION
    pairs = [site.HaInterface(f"ha{number:04}") for number in range(count)]
    etcd.txn(site.ha_template())
    for pair in pairs:
        etcd.txn(pair.keys())
    etcd.allow(*(f"{RECORDS}ha{digits:03}" for digits in range(count // 10) if digits != 77))
    async with etcd.monitor(Settings(**user_settings(tmp_path))) as monitor:
        await until(lambda: published(monitor).published == count - 10, FIRST_PAUSE, lambda: published(monitor))
        assert etcd.transactions < 10 + 10 * 2 * 8
        assert monitor.roll.problems() == {"ha_interface": 10}


COUNT = 150
numbers = st.integers(0, COUNT - 1)
spans = st.tuples(numbers, st.integers(1, 60)).map(lambda span: range(span[0], min(span[0] + span[1], COUNT)))
changes = st.lists(st.tuples(spans, st.sampled_from([site.UP, site.DOWN])), max_size=4)
steps = st.tuples(changes, st.sampled_from([0.0, 0.0003, 0.02, 1.0, 30.0]))


async def play(
    refused: Iterable[int], history: Sequence[tuple[Sequence[tuple[range, object]], float]], folder: Path
) -> None:
    etcd = Counted()
    pairs = [site.HaInterface(f"ha{number:04}") for number in range(COUNT)]
    wanted = [site.record() for _ in pairs]
    etcd.txn(site.ha_template())
    for pair in pairs:
        etcd.txn(pair.keys())
    etcd.allow(*(pair.record for number, pair in enumerate(pairs) if number not in set(refused)))
    async with etcd.monitor(Settings(**user_settings(folder))) as monitor:
        await monitor.synced()
        for written, pause in history:
            for span, value in written:
                for number in span:
                    etcd.put(pairs[number].primary_state, value)
                    wanted[number] = site.record("UP" if value == site.UP else "DOWN")
            await anyio.sleep(pause)

        def wrong() -> list[int]:
            return [number for number in range(COUNT) if etcd.record(pairs[number].record) != wanted[number]]

        def settled(but: Collection[int] = ()) -> bool:
            """Tell whether the monitor has acted on everything that was put: a record may be right before it does."""
            return monitor.revision >= etcd.revision and not monitor.pending and set(wrong()) <= set(but)

        bad = set(refused)
        changed = len(history) + 1
        await until(lambda: settled(bad), 5.0, wrong)
        assert set(wrong()) == bad
        assert etcd.transactions <= changed * 60 + len(bad) * (8 + 8 * changed)
        before = etcd.asked.copy()
        await anyio.sleep(4 * LONGEST_PAUSE)
        asked = etcd.asked - before
        assert set(asked) <= {pairs[number].record for number in bad}
        assert max(asked.values(), default=0) <= 4 + 8
        assert set(monitor.problems()) == {
            (f"ha_interface/{pairs[number].id}", "etcd refuses its record: publish: etcdserver: permission denied")
            for number in bad
        }
        etcd.allow("/")
        await until(settled, 2 * LONGEST_PAUSE, wrong)
        assert not list(monitor.problems())
        await ready(monitor)


@settings(max_examples=10)
@given(st.lists(numbers, unique=True, max_size=20) | spans.map(list), st.lists(steps, max_size=6))
def test_whichever_records_are_refused_all_others_are_right(
    refused: list[int], history: list[tuple[list[tuple[range, object]], float]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(play, refused, history, Path(folder))


@pytest.mark.parametrize(("silent", "down"), [("port", "router"), ("router", "port")])
def test_a_type_that_has_nothing_to_write_after_all_does_not_send_another_to_sleep(
    tmp_path: Path, silent: str, down: str
) -> None:
    """Both are sent apart since a refusal: one transaction of etcd changes a resource of each."""

    async def main() -> None:
        etcd = Counted()
        text = "side:\n  type: etcd_reader\n  etcd_type: line\n  etcd_id: {{ line }}\n  timeout: 86400\n"
        states = "/monitoring/v2.0/lines/"
        for type_ in ("port", "router"):
            etcd.txn(site.template(f"{type_}_monitoring", text, {"line": {"field": "line"}}))
            for number in range(4):
                line = f"{type_}{number}"
                config = {f"/config/v2.0/{type_}s/{number}": site.envelope({"id": str(number), "line": line})}
                etcd.txn(config | {states + line: site.UP})
        etcd.allow("/ha_monitor/")
        async with etcd.monitor(Settings(**user_settings(tmp_path))) as monitor:
            await monitor.synced()
            await anyio.sleep(LONGEST_PAUSE)
            etcd.allow("/ha_monitor/", "/monitoring/")
            await anyio.sleep(2 * LONGEST_PAUSE)
            etcd.txn({f"{states}{down}0": site.DOWN}, [f"{states}{silent}0"])
            await etcd.wait(f"/monitoring/v2.0/{down}s/0", {"side": "DOWN", "version": 1}, timeout=TOLD_WITHIN)

    run(main)
