"""Faults that no real server has on demand, and hours of them: the monitor on an etcd in memory, in virtual time."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ha_monitor import EtcdRefused, HaMonitor, Settings, Status
from ha_monitor.publish.publisher import IN_FLIGHT
from ha_monitor.publish.transaction import COMPARISONS_IN_A_TRANSACTION
from ha_monitor.testing import LoopClock, MemoryEtcd, run
from ha_monitor.watch.backoff import Backoff
from tests.support import site
from tests.testing.fleet import STATE_TIMEOUT, TOLD_WITHIN, Fleet, ready, unready, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from ha_monitor.measures import PublishMeasures

MAINTENANCE = "/ha_monitor/maintenance"


def virtual(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Have a test run in virtual time."""

    @functools.wraps(test)
    def runs(**fixtures: Any) -> None:
        run(functools.partial(test, **fixtures))

    return runs


def primary(monitor: HaMonitor, number: int = 0) -> Status:
    resource = monitor.get("ha_interface", f"ha{number}")
    assert resource is not None
    return resource.entries["primary"].status


def go_on(fleet: Fleet, revision: int) -> None:
    """Put what is none of ours, up to a revision."""
    while fleet.etcd.revision < revision:
        fleet.etcd.put("/elsewhere", "")


def published(monitor: HaMonitor) -> PublishMeasures:
    measures = monitor.measures().publish
    assert measures is not None
    return measures


@virtual
async def test_a_state_that_is_gone_fails_after_its_timeout_and_not_before(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.delete(fleet.pairs[0].primary_state)
        await anyio.sleep(STATE_TIMEOUT - 0.5)
        assert primary(monitor) is Status.UNKNOWN
        assert fleet.etcd.record(fleet.pairs[0].record) == site.record(), "what was published stands so long"
        await anyio.sleep(1.0)
        assert primary(monitor) is Status.FAIL
        await fleet.etcd.wait(fleet.pairs[0].record, site.record("FAIL"), timeout=1.0)
        await fleet.right(1.0)


@virtual
async def test_a_record_that_nobody_vouches_for_goes_after_the_same_time(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor():
        await fleet.right()
        fleet.etcd.txn(site.template("ha_interface_monitoring", "{% BROKEN %}"))
        await anyio.sleep(STATE_TIMEOUT - 0.5)
        assert fleet.etcd.record(fleet.pairs[0].record) is not None
        await anyio.sleep(1.0)
        assert fleet.etcd.record(fleet.pairs[0].record) is None


@virtual
async def test_frozen_for_an_hour_it_says_so_and_is_right_again_after_the_thaw(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        await ready(monitor)
        fleet.etcd.freeze()
        assert "etcd can't be heard" in await unready(monitor)
        fleet.etcd.delete(fleet.pairs[1].primary_state)
        for _ in range(600):
            await anyio.sleep(5)
            assert not monitor.readiness().ready
        assert primary(monitor, 1) is Status.UP, "nobody could see that it went"
        fleet.flip(0)
        fleet.etcd.thaw()
        await ready(monitor, TOLD_WITHIN)
        await until(lambda: primary(monitor) is Status.DOWN, TOLD_WITHIN)
        await fleet.right()
        assert primary(monitor, 1) is Status.FAIL


@virtual
async def test_down_while_things_change_and_history_is_compacted(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        relists = sum(watch.relists for watch in monitor.measures().watches)
        fleet.etcd.go_down()
        await unready(monitor)  # that a stream has ended may be its first word
        await until(lambda: "refused" in monitor.readiness().reason, TOLD_WITHIN, monitor.readiness)
        fleet.flip(0)
        fleet.etcd.delete(fleet.pairs[2].config)
        fleet.etcd.put("/elsewhere", "")
        fleet.etcd.compact()
        fleet.etcd.come_up()
        await ready(monitor)
        await fleet.right()
        assert sum(watch.relists for watch in monitor.measures().watches) > relists
        assert monitor.get("ha_interface", "ha2") is None


@virtual
async def test_down_while_things_change_it_resumes_where_it_was(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        for minutes in (0.01, 1, 10):
            fleet.etcd.go_down()
            await anyio.sleep(60 * minutes)
            fleet.flip(0, site.DOWN if minutes != 1 else site.UP)
            fleet.etcd.come_up()
            await fleet.right(TOLD_WITHIN)
            await ready(monitor)
        assert [watch.relists for watch in monitor.measures().watches if watch.relists] == []


@virtual
async def test_a_store_that_goes_back_in_time_is_listed_again(version: str) -> None:
    fleet = Fleet(version)
    older = fleet.etcd.backup()
    async with fleet.monitor() as monitor:
        await fleet.right()
        for number in range(40):
            fleet.flip(number % 2)
            fleet.flip(number % 2, site.UP)
        fleet.flip(2)
        await fleet.right()
        revision = fleet.etcd.revision
        fleet.etcd.rewind(older)
        await anyio.sleep(0.01)
        assert fleet.etcd.revision < revision
        await until(lambda: primary(monitor, 2) is Status.UP, TOLD_WITHIN)
        await ready(monitor)
        await fleet.right()
        fleet.flip(1)
        await fleet.etcd.wait(fleet.pairs[1].record, site.record("DOWN"), timeout=1.0)


@virtual
async def test_a_store_that_went_back_and_has_overtaken_what_it_was_before_we_hear_of_it_again(version: str) -> None:
    fleet = Fleet(version)
    older = fleet.etcd.backup()
    async with fleet.monitor():
        await fleet.right()
        fleet.flip(0)
        await fleet.right()
        fleet.etcd.go_down()
        await anyio.sleep(5)
        fleet.etcd.rewind(older)
        for _ in range(20):
            fleet.etcd.put("/elsewhere", "")
        fleet.etcd.come_up()
        await fleet.right()


@virtual
async def test_a_store_that_has_overtaken_what_it_was_by_the_next_call(version: str) -> None:
    """No call fails, and the stubs know nothing of connections: all that is noticed is the end of the watches."""
    fleet = Fleet(version)
    older = fleet.etcd.backup()
    async with fleet.monitor():
        await fleet.right()
        fleet.flip(0)
        await fleet.right()
        revision = fleet.etcd.revision
        fleet.etcd.rewind(older)
        go_on(fleet, revision + 20)
        await fleet.right()


@virtual
async def test_a_history_that_differs_in_a_value_alone(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        older = fleet.etcd.backup()
        fleet.flip(0)
        await fleet.right()
        revision = fleet.etcd.revision
        fleet.etcd.go_down()
        fleet.etcd.rewind(older)
        fleet.flip(0, site.UP)  # the same key, at the same revision
        go_on(fleet, revision)
        fleet.etcd.come_up()
        await until(lambda: primary(monitor) is Status.UP, TOLD_WITHIN)
        await fleet.right()


@virtual
async def test_a_store_that_was_wiped_and_filled_again(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.wipe()
        await until(lambda: not list(monitor.resources()), TOLD_WITHIN)
        pair = site.HaInterface("ha9")
        fleet.etcd.txn(site.ha_template() | pair.keys(secondary=site.DOWN))
        await fleet.etcd.wait(pair.record, site.record("UP", "DOWN"), timeout=TOLD_WITHIN)
        await ready(monitor)


@virtual
async def test_a_lost_quorum_is_told_and_what_went_on_without_us_is_known_afterwards(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.lose_quorum()
        assert "no leader" in await unready(monitor)
        fleet.flip(0)
        await anyio.sleep(120)
        assert primary(monitor) is Status.UP
        assert not monitor.readiness().ready
        fleet.etcd.regain_quorum()
        await ready(monitor)
        await fleet.right()
        assert primary(monitor) is Status.DOWN


@virtual
async def test_a_quorum_that_is_lost_for_a_moment_costs_nothing(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        streams = [watch.reconnects for watch in monitor.measures().watches]
        fleet.etcd.lose_quorum()
        await anyio.sleep(0.1)
        fleet.flip(0)
        fleet.etcd.regain_quorum()
        await fleet.right(TOLD_WITHIN)
        await anyio.sleep(60)
        assert [watch.reconnects for watch in monitor.measures().watches] == streams


@virtual
async def test_watches_that_are_canceled_again_and_again(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        for number, reason in enumerate(("", "etcdserver: mvcc: database closed", "permission denied") * 20):
            fleet.etcd.cancel_watches(reason)
            fleet.flip(number % 3, site.UP if number % 2 else site.DOWN)
            await anyio.sleep(0.3 * (number % 4))
        await ready(monitor)
        await fleet.right()


@virtual
async def test_connections_that_break_under_every_kind_of_call(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        for number in range(200):
            fleet.flip(number % 3, site.DOWN if number // 3 % 2 else site.UP)
            await anyio.sleep(0.0001 * number)
            fleet.etcd.drop_connections()
        await ready(monitor)
        await fleet.right()


@virtual
async def test_a_full_disk_is_told_and_what_was_to_be_written_is_written_afterwards(version: str) -> None:
    fleet = Fleet(version)
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.fill_up()
        fleet.flip(0)
        assert "database space exceeded" in await unready(monitor)
        assert primary(monitor) is Status.DOWN, "it still sees"
        fleet.etcd.disarm()
        await ready(monitor)
        await fleet.right()


@virtual
async def test_transactions_that_failed_together_pause_together() -> None:
    etcd, pairs = MemoryEtcd(), [site.HaInterface() for _ in range(IN_FLIGHT * COMPARISONS_IN_A_TRANSACTION)]
    etcd.txn(site.ha_template())
    for pair in pairs:
        etcd.txn(pair.keys())
    etcd.fill_up()
    async with etcd.monitor() as monitor:
        await monitor.synced()
        await until(lambda: published(monitor).failures >= IN_FLIGHT, 1.0, lambda: published(monitor))
        etcd.disarm()
        await until(lambda: published(monitor).published == len(pairs), 6 * Backoff().first, lambda: published(monitor))


def user_settings(folder: Path) -> dict[str, Any]:
    (folder / "password").write_text("pw")
    return {"etcd_user": "monitor", "etcd_password_file": folder / "password"}


@virtual
async def test_tokens_that_end_are_renewed_a_day_long(tmp_path: Path, version: str) -> None:
    fleet = Fleet(version)
    fleet.etcd.set_user("monitor", "pw", read=["/"], write=["/monitoring/"])
    async with fleet.monitor(**user_settings(tmp_path)) as monitor:
        await fleet.right()
        for hour in range(24):
            fleet.etcd.expire_tokens()
            fleet.flip(hour % 3, site.DOWN if hour // 3 % 2 else site.UP)
            await anyio.sleep(60)
            await fleet.right(TOLD_WITHIN)
            await ready(monitor)


@virtual
async def test_a_password_file_that_is_no_text_is_told_until_it_is(tmp_path: Path, version: str) -> None:
    fleet = Fleet(version)
    fleet.etcd.set_user("monitor", "pw", read=["/"], write=["/monitoring/"])
    settings = user_settings(tmp_path)
    async with fleet.monitor(**settings) as monitor:
        await fleet.right()
        settings["etcd_password_file"].write_bytes("paßwort".encode("latin-1"))
        fleet.etcd.expire_tokens()
        assert "password: it is not UTF-8" in await unready(monitor)
        await anyio.sleep(600)
        fleet.flip(0)
        settings["etcd_password_file"].write_text("pw")
        await fleet.right(TOLD_WITHIN)
        await ready(monitor)
    settings["etcd_password_file"].write_bytes(b"\xff")
    with pytest.raises(EtcdRefused, match="password: it is not UTF-8"):
        async with fleet.monitor(**settings):
            await anyio.sleep_forever()


@virtual
async def test_rights_that_are_taken_away_and_given_back(tmp_path: Path, version: str) -> None:
    fleet = Fleet(version)
    fleet.etcd.set_user("monitor", "pw", read=["/"], write=["/monitoring/"])
    async with fleet.monitor(**user_settings(tmp_path)) as monitor:
        await fleet.right()
        fleet.etcd.set_user("monitor", "pw")
        assert "permission denied" in await unready(monitor)
        await anyio.sleep(600)
        fleet.flip(0)
        fleet.etcd.set_user("monitor", "pw", read=["/"], write=["/monitoring/"])
        await ready(monitor)
        await fleet.right()
        fleet.etcd.set_user("monitor", "another", read=["/"], write=["/monitoring/"])
        assert "authentication failed" in await unready(monitor)
        (tmp_path / "password").write_text("another")
        await ready(monitor)
        await fleet.right()


@virtual
async def test_a_refusal_at_the_start_ends_it(tmp_path: Path, version: str) -> None:
    fleet = Fleet(version)
    fleet.etcd.set_user("monitor", "other", read=["/"], write=["/"])

    async def wait() -> None:
        async with fleet.monitor(**user_settings(tmp_path)) as monitor:
            await monitor.synced()

    with pytest.raises(EtcdRefused, match="authentication failed"):
        await wait()


@virtual
async def test_an_old_server_whose_progress_can_not_be_taken_literally() -> None:
    fleet = Fleet(etcd=MemoryEtcd(version="3.5.1"))
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.put("/elsewhere", "")
        await until(lambda: monitor.revision >= fleet.etcd.revision, TOLD_WITHIN)
        fleet.etcd.go_down()
        fleet.flip(0)
        fleet.etcd.come_up()
        await ready(monitor)
        await fleet.right()


@virtual
async def test_an_etcd_that_answers_no_progress_requests_is_ready_all_the_same(version: str) -> None:
    fleet = Fleet(etcd=MemoryEtcd(version=version, answers_progress=False))
    async with fleet.monitor() as monitor:
        await fleet.right()
        await ready(monitor)
        for _ in range(120):
            await anyio.sleep(5)
            assert monitor.readiness().ready, monitor.readiness()
        assert not any(watch.relists for watch in monitor.measures().watches)
        fleet.flip(0)
        await fleet.etcd.wait(fleet.pairs[0].record, site.record("DOWN"), timeout=1.0)


@virtual
async def test_events_that_are_held_back_make_it_unready_and_are_taken_afterwards() -> None:
    fleet = Fleet()  # one that answers progress out of turn holds no events back for longer than CATCH_UP_EVERY
    async with fleet.monitor() as monitor:
        await fleet.right()
        await ready(monitor)
        fleet.etcd.hold_events()
        fleet.flip(0)
        await unready(monitor)
        fleet.etcd.release_events()
        await ready(monitor)
        assert primary(monitor) is Status.DOWN
        await fleet.right()


@virtual
async def test_a_member_that_was_silent_for_longer_than_its_lease_is_followed_by_another(version: str) -> None:
    fleet = Fleet(version)
    settings = {"group": "edge", "shards": 2, "lease_ttl": 10.0}
    async with fleet.monitor(**settings) as one:
        await ready(one)
        async with fleet.monitor(**settings) as other:
            await until(lambda: bool(owned(one)) and bool(owned(other)), 30)
            before = fleet.etcd.leases
            assert len(before) == 2
            fleet.etcd.expire_leases()
            fleet.flip(0)
            await until(lambda: sorted([*owned(one), *owned(other)]) == [0, 1], 30)
            assert not before.keys() & fleet.etcd.leases.keys()
            await fleet.right()
        fleet.flip(1)
        await until(lambda: owned(one) == (0, 1), 2.0)
        await fleet.right()
    assert fleet.etcd.leases == {}
    assert fleet.etcd.items("/ha_monitor") == {}


def owned(monitor: HaMonitor) -> tuple[int, ...]:
    status = monitor.group()
    assert status is not None
    return tuple(status.owned)


@virtual
async def test_a_lease_that_nobody_keeps_ends_when_its_time_is_over() -> None:
    etcd = MemoryEtcd()
    key = "/monitoring/v2.0/er_physical_interfaces/p"
    lease = etcd.grant(30)
    etcd.put(key, site.UP, lease)
    etcd.put("/other", "", lease)
    assert etcd.leases == {lease: [key, "/other"]}
    revision = etcd.revision
    await anyio.sleep(29.9)
    assert etcd.get(key) is not None
    await anyio.sleep(0.2)
    assert (etcd.items(), etcd.revision) == ({}, revision + 1)


@virtual
async def test_what_a_wait_that_fails_says() -> None:
    etcd = MemoryEtcd()
    etcd.put("/a", {"is": 1})
    with pytest.raises(AssertionError, match=r"/a is b'\{\"is\":1\}', and not \{'is': 2\}, after 120 s"):
        await etcd.wait("/a", {"is": 2})
    await etcd.wait("/a", {"is": 1})
    await etcd.wait("/a", '{"is":1}')
    await etcd.wait("/b", None)


@virtual
async def test_settings_that_a_monitor_is_made_with_are_kept() -> None:
    etcd = MemoryEtcd()
    etcd.txn(site.ha_template() | site.HaInterface("x").keys())
    async with HaMonitor(Settings(publish="none"), connect=etcd.connect, clock=etcd.clock) as monitor:
        await monitor.synced()
        await anyio.sleep(60)
        assert etcd.record("/monitoring/v2.0/ha_interfaces/x") is None


@virtual
async def test_a_freeze_that_is_over_leaves_nothing_behind_once_the_monitor_has_ended(
    monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    fleet = Fleet(version)
    clock = fleet.etcd.clock
    fleet.etcd.put(f"{MAINTENANCE}/ha_interface/ha0", {"until": clock.time() + 600})
    fleet.etcd.put(f"{MAINTENANCE}/ha_interface/ha1", {"until": clock.time() - 600})
    async with fleet.monitor() as monitor:
        await ready(monitor)
    asked: list[float] = []
    monkeypatch.setattr(clock, "call_later", lambda delay, callback: asked.append(delay))
    await anyio.sleep(1000.0)
    assert asked == []


@virtual
async def test_a_freeze_ends_though_the_clock_was_set_back_meanwhile() -> None:
    clock = LoopClock()
    fleet = Fleet(etcd=MemoryEtcd(clock=clock))
    pair = fleet.pairs[0]
    until_then = clock.time() + 600
    clock.set(until_then + 7200)  # a machine that nobody has told the time yet
    async with fleet.monitor() as monitor:
        fleet.etcd.put(f"{MAINTENANCE}/ha_interface/{pair.id}", {"until": until_then})
        await fleet.right()
        clock.set(until_then - 300)
        await anyio.sleep(100)
        resource = monitor.get("ha_interface", pair.id)
        assert resource is not None
        assert resource.maintenance is not None
        fleet.flip(0)
        await anyio.sleep(100)
        assert fleet.etcd.record(pair.record) == site.record()
        await anyio.sleep(100)
        await fleet.right(1.0)
