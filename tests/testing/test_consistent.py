"""Consistent reads in virtual time: an answer includes every change up to the revision asked for, or there is none."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor import HaMonitor, RevisionTimeout, Settings, Status
from ha_monitor.testing import MemoryEtcd, run
from ha_monitor.watch.pulse import CATCH_UP_EVERY, PROBE_EVERY
from tests.support import site
from tests.testing.fleet import TOLD_WITHIN, Fleet, ready, unready, until
from tests.testing.held_back import HeldBack

HA = "ha_interface"
PUTS = 100


def primary(monitor: HaMonitor, number: int = 0) -> Status:
    found = monitor.get(HA, f"ha{number}")
    assert found is not None
    return found.entries["primary"].status


@pytest.mark.parametrize("version", ["3.4.23", "3.6.1"])
def test_a_consistent_read_right_after_a_put_includes_that_put(version: str) -> None:
    async def main() -> None:
        fleet = Fleet(etcd=MemoryEtcd(version=version))
        async with fleet.monitor() as monitor:
            await monitor.synced()
            for number in range(PUTS):
                wanted = (Status.UP, Status.DOWN)[number % 2]
                fleet.flip(0, (site.UP, site.DOWN)[number % 2])
                put = fleet.etcd.revision
                assert await monitor.consistent(HA) >= put
                answer = monitor.get(HA, "ha0")
                assert answer is not None
                assert (answer.entries["primary"].status, answer.revision >= put, answer.stale) == (wanted, True, False)

    run(main)


def test_a_consistent_read_includes_a_template_and_a_type_that_were_just_put() -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        async with etcd.monitor() as monitor:
            await monitor.synced()
            pair = site.HaInterface()
            etcd.txn(site.ha_template() | pair.keys())
            await monitor.consistent(HA)
            found = monitor.get(HA, pair.id)
            assert found is not None
            assert (found.status, found.active) == (Status.UP, "primary")
            etcd.delete(next(iter(site.ha_template())))
            await monitor.consistent(HA)
            assert monitor.get(HA, pair.id) is None

    run(main)


class HeldTemplates(HeldBack):
    """Holds back what its watch says of templates, and progress, which would overtake that."""

    def _is_meant(self, message: Any) -> bool:
        return not message.events or super()._is_meant(message)


def test_an_answer_is_no_newer_than_its_template() -> None:
    async def main() -> None:
        etcd = HeldTemplates("/config/v2.0/heat_templates/")
        pair = site.HaInterface()
        etcd.txn(site.ha_template() | pair.keys())
        async with etcd.monitor() as monitor:
            await monitor.synced()
            etcd.holds = True
            etcd.delete(next(iter(site.ha_template())))
            put = etcd.revision
            etcd.txn(pair.keys())  # brings all other watches that the answer depends on
            with pytest.raises(RevisionTimeout):
                await monitor.at(put, HA, 1.0)
            answer = monitor.get(HA, pair.id)
            assert answer is not None
            assert answer.revision < put
            etcd.let_go()
            assert await monitor.at(put, HA) >= put
            assert monitor.get(HA, pair.id) is None

    run(main)


def test_an_answer_as_of_a_revision_includes_all_up_to_it() -> None:
    async def main() -> None:
        etcd = HeldBack()
        fleet = Fleet(etcd=etcd)
        async with fleet.monitor() as monitor:
            await monitor.synced()
            etcd.holds = True
            fleet.flip(0)
            put = etcd.revision
            with pytest.raises(RevisionTimeout, match=rf"not in 1 s: ha_interface is at revision \d+.*{put} was asked"):
                await monitor.at(put, HA, 1.0)
            assert primary(monitor) is Status.UP
            etcd.let_go()
            assert await monitor.at(put, HA) >= put
            assert primary(monitor) is Status.DOWN
            assert await monitor.at(put) >= put

    run(main)


def test_a_revision_that_etcd_does_not_have_is_too_late_and_there_once_it_has_it() -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor() as monitor:
            await monitor.synced()
            await anyio.sleep(PROBE_EVERY)
            future = fleet.etcd.revision + 1
            began = anyio.current_time()
            with pytest.raises(
                RevisionTimeout, match=f"etcd is at revision {future - 1}, {future} was asked for"
            ) as late:
                await monitor.at(future, HA, 2.0)
            assert anyio.current_time() - began == pytest.approx(2.0)
            assert late.value.reached == future - 1
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(monitor.at, future, HA, 20.0)
                await anyio.sleep(5.0)
                put = anyio.current_time()
                fleet.flip(0)
            assert anyio.current_time() - put < 4 * CATCH_UP_EVERY
            assert primary(monitor) is Status.DOWN

    run(main)


def test_a_revision_that_etcd_never_gets_leaves_nothing_to_be_asked() -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor(publish="none") as monitor:
            await monitor.synced()
            with pytest.raises(RevisionTimeout):
                await monitor.at(10**12, HA, 2.0)
            await anyio.sleep(PROBE_EVERY)
            reads = Reads(monitor)
            await anyio.sleep(10 * PROBE_EVERY)
            assert reads.probes <= 11
            assert reads.progress == 0

    run(main)


def test_many_waiters_share_their_requests() -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor(publish="none") as monitor:
            await monitor.synced()
            await anyio.sleep(PROBE_EVERY)
            reads = Reads(monitor)
            fleet.flip(0)
            async with anyio.create_task_group() as tasks:
                for _ in range(500):
                    tasks.start_soon(monitor.consistent, HA)
            assert primary(monitor) is Status.DOWN
            assert reads.probes <= 3

    run(main)


def test_a_frozen_etcd_is_too_late_in_the_given_time_and_then_answers() -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor() as monitor:
            await monitor.synced()
            known = fleet.etcd.revision
            await monitor.at(known, HA)
            fleet.etcd.freeze()
            began = anyio.current_time()
            with pytest.raises(RevisionTimeout, match="etcd is unreachable"):
                await monitor.consistent(HA, 3.0)
            assert anyio.current_time() - began == pytest.approx(3.0)
            await unready(monitor)
            with pytest.raises(RevisionTimeout, match="etcd is unreachable"):
                await monitor.consistent(HA, 3.0)
            fleet.etcd.thaw()
            await ready(monitor)
            fleet.flip(0)
            await monitor.consistent(HA)
            assert primary(monitor) is Status.DOWN

    run(main)


def test_an_outage_shorter_than_the_time_is_waited_out() -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor() as monitor:
            await monitor.synced()
            fleet.etcd.go_down()
            await until(lambda: not monitor.readiness().ready, TOLD_WITHIN)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(monitor.consistent, HA, 30.0)
                await anyio.sleep(2.0)
                fleet.etcd.come_up()
                fleet.flip(0)
                put = fleet.etcd.revision
            assert monitor.reached(HA) >= put
            assert primary(monitor) is Status.DOWN

    run(main)


def test_an_older_etcd_in_its_place_is_not_waited_for_with_revisions_of_the_other() -> None:
    async def main() -> None:
        fleet = Fleet()
        backup = fleet.etcd.backup()
        async with fleet.monitor(publish="none") as monitor:
            await monitor.synced()
            for _ in range(10):
                fleet.flip(0)
            known = await monitor.consistent(HA)
            fleet.etcd.rewind(backup)
            await monitor.consistent(HA, 30.0)
            assert primary(monitor) is Status.UP
            with pytest.raises(RevisionTimeout, match=f"{known} was asked for"):
                await monitor.at(known, HA, 2.0)

    run(main)


def test_keys_that_never_change_are_consistent_at_once() -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        pair = site.HaInterface()
        etcd.txn(site.ha_template() | pair.keys())
        async with HaMonitor(Settings(), keys=etcd.items()) as monitor:
            await monitor.synced()
            reached = await monitor.consistent(HA)
            with pytest.raises(RevisionTimeout):
                await monitor.at(reached + 1, HA, 1.0)

    run(main)


class Steps:
    """What may happen to an etcd between two consistent reads."""

    def __init__(self, fleet: Fleet) -> None:
        self.etcd, self.fleet, self.version = fleet.etcd, fleet, 1

    def put(self) -> None:
        self.fleet.flip(0, site.UP if self.version % 2 else site.DOWN)

    def storm(self) -> None:
        for number in range(300):
            self.fleet.flip(number % 3, site.UP if number % 7 else site.DOWN)

    def config(self) -> None:
        self.version += 1
        self.etcd.put(self.fleet.pairs[0].config, self.fleet.pairs[0].envelope(self.version))

    def template(self) -> None:
        self.etcd.txn(site.ha_template())

    def cut(self) -> None:
        self.etcd.drop_connections()

    def cancel(self) -> None:
        self.etcd.cancel_watches()

    def compact(self) -> None:
        with contextlib.suppress(ValueError):  # it is compacted up to there already
            self.etcd.compact()


STEPS = ("put", "storm", "config", "template", "cut", "cancel", "compact")


@settings(max_examples=8)
@given(st.sampled_from(["3.4.23", "3.6.16"]), st.lists(st.lists(st.sampled_from(STEPS), min_size=1), max_size=6))
def test_whatever_happens_a_consistent_read_equals_what_is_in_etcd(version: str, rounds: list[list[str]]) -> None:
    async def main() -> None:
        fleet = Fleet(etcd=MemoryEtcd(version=version))
        steps = Steps(fleet)
        async with fleet.monitor(publish="none") as monitor:
            await monitor.synced()
            for names in rounds:
                for name in names:
                    getattr(steps, name)()
                await monitor.consistent(HA, 60.0)
                for number, pair in enumerate(fleet.pairs):
                    found, items = monitor.get(HA, pair.id), fleet.etcd.items()
                    assert found is not None
                    is_up = json.loads(items[pair.primary_state])["interface"] == "UP"
                    assert primary(monitor, number) is (Status.UP if is_up else Status.DOWN)
                    assert found.version == json.loads(items[pair.config])["version"]

    run(main)


class Reads:
    """Counts what a monitor asks of its etcd from now on."""

    def __init__(self, monitor: HaMonitor) -> None:
        self.probes = self.progress = 0
        pulse = monitor._pulse
        probe, confirm = pulse._probe, pulse._confirm  # type: ignore[union-attr]

        async def counted() -> float:
            self.probes += 1
            return await probe()

        async def confirmed() -> None:
            self.progress += sum(map(pulse._is_late, pulse._feeds()))  # type: ignore[union-attr]
            await confirm()

        pulse._probe, pulse._confirm = counted, confirmed  # type: ignore[union-attr, method-assign]
