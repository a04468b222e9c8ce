"""The monitor as its embedders meet it: one object in their own event loop."""

from __future__ import annotations

import asyncio
import logging
import signal
from random import Random
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from ha_monitor import Change, EtcdRefused, EtcdUnavailable, HaMonitor, Resync, Settings, Status
from ha_monitor.clock import SystemClock
from ha_monitor.etcd.client import EtcdClient, open_client
from ha_monitor.etcd.connection import ChannelStubs
from ha_monitor.evaluate import unused
from ha_monitor.watch import lag
from ha_monitor.wire.channel import Channel
from tests.support import site
from tests.support.etcd import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aetcd import rpc

    from ha_monitor.etcd.connection import Access
    from tests.runtime.conftest import Served
    from tests.support.etcd import Etcd

pytestmark = pytest.mark.anyio


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something of the monitor's own is so; there is no event for it outside."""
    with anyio.fail_after(seconds):
        while not true():  # noqa: ASYNC110
            await anyio.sleep(0.01)


@pytest.fixture(autouse=True)
async def nothing_is_left_behind() -> AsyncIterator[None]:
    yield
    own = {name for name in map(str, asyncio.all_tasks()) if "TestRunner" not in name}
    assert own == set()


async def test_a_resource_is_a_frozen_record_with_both_sides(served: Served) -> None:
    pair = site.HaInterface()
    served.txn(site.ha_template() | pair.keys(secondary=site.DOWN, version=3))
    async with served.monitor() as monitor:
        await monitor.synced()
        await until(lambda: (got := monitor.get("ha_interface", pair.id)) is not None and got.published is not None)
        resource = monitor.get("ha_interface", pair.id)
        assert resource is not None
        assert (resource.status, resource.active, resource.version) == (Status.DEGRADED, "primary", 3)
        assert resource.published == site.record("UP", "DOWN", 3)
        assert list(resource.entries) == ["primary", "secondary"]
        assert resource.entries["secondary"].key == pair.secondary_state
        assert resource.entries["secondary"].reason == 'interface is "DOWN"'
        assert not resource.stale
        assert resource.problem is None
        with pytest.raises(AttributeError):
            resource.status = Status.UP  # type: ignore[misc]
        assert monitor.get("ha_interface", "nobody") is None
        assert monitor.get("nothing", pair.id) is None
        assert [resource.id for resource in monitor.resources()] == [pair.id]


async def test_revision_and_proof_advance_while_nothing_changes(served: Served) -> None:
    pair = site.HaInterface()
    served.txn(site.ha_template() | pair.keys())
    async with served.monitor(publish="none") as monitor:
        await monitor.synced()
        first = monitor.get("ha_interface", pair.id)
        assert first is not None
        revision = served.put("/elsewhere", "x")

        def advanced() -> bool:
            now = monitor.get("ha_interface", pair.id)
            return now is not None and now.revision >= revision and now.proven_at > first.proven_at

        await until(advanced, 15.0)


async def test_every_change_reaches_every_reader_with_its_revision(served: Served) -> None:
    pair = site.HaInterface()
    served.txn(site.ha_template() | pair.keys())
    async with served.monitor() as monitor:
        await monitor.synced()
        async with monitor.changes() as one, monitor.changes() as other:
            revision = served.txn({pair.primary_state: site.DOWN, pair.secondary_state: site.DOWN})
            with anyio.fail_after(5):
                for changes in (one, other):
                    got = [await anext(changes), await anext(changes)]
                    assert all(isinstance(change, Change) for change in got)
                    assert {change.entry for change in got if isinstance(change, Change)} == {"primary", "secondary"}
                    for change in got:
                        assert isinstance(change, Change)
                        assert (change.old, change.new, change.status) == (Status.UP, Status.DOWN, Status.DOWN)
                        assert change.revision == revision, "one transaction, one verdict: nothing between"


async def test_a_reader_that_sleeps_gets_a_marker_and_holds_up_nobody(served: Served) -> None:
    pair = site.HaInterface()
    served.txn(site.ha_template() | pair.keys())
    async with served.monitor() as monitor:
        await monitor.synced()
        with monitor._broadcast.subscribe(limit=3) as sleeper:
            async with monitor.changes() as awake:
                for number in range(10):
                    served.put(pair.primary_state, site.UP if number % 2 else site.DOWN)
                    with anyio.fail_after(5):
                        assert isinstance(await anext(awake), Change)
            marker = await anext(aiter(sleeper))
            assert isinstance(marker, Resync)
            assert marker.missed == 10


async def test_a_foreign_writer_who_goes_on_is_shown_as_a_conflict(served: Served) -> None:
    pair = site.HaInterface()
    served.txn(site.ha_template() | pair.keys())
    async with served.monitor() as monitor:
        await monitor.synced()
        await served.wait(pair.record, site.record())
        for _ in range(3):
            served.put(pair.record, site.record("FAIL", "FAIL"))
            await served.wait(pair.record, site.record())
        resource = monitor.get("ha_interface", pair.id)
        assert resource is not None
        assert resource.problem is not None
        assert resource.problem.startswith("conflict: another writer changed the published record")


async def test_an_error_of_the_block_comes_out_as_it_went_in(served: Served) -> None:
    async def fail() -> None:
        async with served.monitor() as monitor:
            await monitor.synced()
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await fail()


async def test_a_cancelled_scope_ends_it_cleanly_at_any_moment(etcd: Etcd) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    for url in (etcd.url, f"http://127.0.0.1:{free_port()}"):
        for seconds in (0.0, 0.005, 0.05, 0.3):
            with anyio.move_on_after(seconds) as scope:
                async with HaMonitor(Settings(etcd=[url])):
                    await anyio.sleep_forever()
            assert scope.cancelled_caught


async def test_a_reader_comes_to_its_end_with_the_monitor(served: Served) -> None:
    served.txn(site.ha_template())
    seen: list[Change | Resync] = []
    async with anyio.create_task_group() as tasks, served.monitor() as monitor:
        await monitor.synced()

        async def read() -> None:
            async with monitor.changes() as changes:
                seen.extend([change async for change in changes])

        tasks.start_soon(read)
        await anyio.sleep(0.01)
    assert seen == []


async def test_a_refusal_at_the_start_is_raised_from_the_block(etcd: Etcd, tmp_path: Path) -> None:
    settings = Settings(etcd=[etcd.url], etcd_user="me", etcd_password_file=tmp_path / "password")

    async def wait() -> None:
        async with HaMonitor(settings) as monitor:
            with anyio.fail_after(10):
                await monitor.synced()

    with pytest.raises(EtcdRefused, match="password: No such file"):
        await wait()


async def test_a_call_that_is_under_way_ends_in_words_when_its_connection_is_left(own_etcd: Etcd) -> None:
    async with open_client(Settings(etcd=[own_etcd.url])) as client:
        await client.put_many([("/a", b"1")])
        connection = await client.connection()
        own_etcd.freeze()

        async def call() -> None:
            with pytest.raises(EtcdUnavailable, match="left on purpose"):
                await client.put_many([("/a", b"2")])

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            client.abandon(connection, "left on purpose")
        assert not tasks.cancel_scope.cancel_called


async def test_a_deadline_around_a_call_is_kept_and_swallowed_where_it_stands(own_etcd: Etcd) -> None:
    async with open_client(Settings(etcd=[own_etcd.url])) as client:
        await client.put_many([("/a", b"1")])
        own_etcd.freeze()
        with anyio.move_on_after(0.05) as scope:
            await client.put_many([("/a", b"2")])
        assert scope.cancelled_caught


async def test_no_entry_fails_for_a_state_that_nobody_could_see(own_served: Served) -> None:
    pair = site.HaInterface()
    own_served.txn(site.ha_template() | pair.keys())
    async with own_served.monitor(publish="none", state_timeout=3.0) as monitor:
        await monitor.synced()

        def primary() -> tuple[Status, str, bool]:
            resource = monitor.get("ha_interface", pair.id)
            assert resource is not None
            entry = resource.entries["primary"]
            return entry.status, entry.reason, resource.stale

        own_served.delete(pair.primary_state)
        await until(lambda: primary()[0] is Status.UNKNOWN)
        await own_served.go_down()
        await until(lambda: primary() == (Status.UNKNOWN, "etcd can't be heard", True))
        await own_served.come_up()
        await until(lambda: primary() == (Status.FAIL, "no state for 3 s", False))


@pytest.mark.parametrize("config_too", [False, True], ids=["problem", "resource ended"])
async def test_a_record_whose_answer_was_lost_is_ours_all_the_same(
    etcd: Etcd, monkeypatch: pytest.MonkeyPatch, config_too: bool
) -> None:
    """It lands, nobody tells us, and before we look again the resource can't be vouched for any more."""
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    broken = site.template("ha_interface_monitoring", "{% BROKEN %}")
    answered, lost = EtcdClient.txn, False

    def vouched_for() -> bool:
        resource = monitor.get("ha_interface", pair.id)
        return resource is not None and resource.problem is None

    async def txn(self: EtcdClient, request: rpc.TxnRequest, doing: str) -> rpc.TxnResponse:
        nonlocal lost
        answer = await answered(self, request, doing)
        if not lost:
            lost = True
            etcd.txn(broken, [pair.config] if config_too else [])
            await until(lambda: not vouched_for())
            raise EtcdUnavailable("the answer was lost")
        return answer

    monkeypatch.setattr(EtcdClient, "txn", txn)
    async with HaMonitor(Settings(etcd=[etcd.url], state_timeout=0.3)) as monitor:
        await until(lambda: lost)
        await until(lambda: etcd.get(pair.record) is None)
        await until(lambda: monitor.readiness().ready)


class JumpingClock(SystemClock):
    """A machine whose wall clock somebody sets."""

    offset = 0.0

    def time(self) -> float:
        return super().time() + self.offset


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0], ids=["a day back", "a day ahead"])
async def test_a_wall_clock_that_jumps_changes_no_status_and_no_deadline(etcd: Etcd, jump: float) -> None:
    pair, gone = site.HaInterface(), site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys() | gone.keys(primary=None))
    clock = JumpingClock()
    async with HaMonitor(Settings(etcd=[etcd.url], state_timeout=1.0), clock=clock) as monitor:
        await monitor.synced()

        def primary(of: site.HaInterface) -> Status:
            resource = monitor.get("ha_interface", of.id)
            assert resource is not None
            return resource.entries["primary"].status

        assert primary(gone) is Status.UNKNOWN
        clock.offset = jump
        await anyio.sleep(0.2)
        assert (primary(pair), primary(gone)) == (Status.UP, Status.UNKNOWN)
        assert monitor.readiness().ready
        await until(lambda: primary(gone) is Status.FAIL)
        etcd.put(pair.primary_state, site.DOWN)
        await until(lambda: primary(pair) is Status.DOWN)
        resource = monitor.get("ha_interface", pair.id)
        assert resource is not None
        assert abs(resource.since - clock.time()) < 60, "what is shown goes by the clock on the wall"
        assert not resource.stale


async def test_a_channel_of_the_embedders_own_is_taken(etcd: Etcd) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    asked: list[str] = []

    def connect(url: str, access: Access) -> ChannelStubs:
        asked.append(url)
        return ChannelStubs(Channel(etcd.url))

    async with HaMonitor(Settings(etcd=["http://by-another-name:1"]), connect=connect) as monitor:
        await monitor.synced()
        assert monitor.get("ha_interface", pair.id) is not None
    assert asked == ["http://by-another-name:1"]


async def test_signals_and_logging_are_left_alone(served: Served) -> None:
    before = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), list(logging.getLogger().handlers))
    async with served.monitor() as monitor:
        await monitor.synced()
        assert (
            signal.getsignal(signal.SIGTERM),
            signal.getsignal(signal.SIGINT),
            list(logging.getLogger().handlers),
        ) == before


async def test_lists_in_the_middle_of_changes_lose_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a list were no work at all, so that there is one whenever the watch is a moment behind."""
    monkeypatch.setattr(lag, "WORTH_A_LOOK", 15)
    monkeypatch.setattr(lag, "_KEY", 0.0)
    random, words = Random(6), {"UP": site.UP, "DOWN": site.DOWN}
    pairs: dict[site.HaInterface, tuple[str, str, int]] = {site.HaInterface(): ("UP", "UP", 1) for _ in range(8)}
    served.txn(site.ha_template())
    for pair in pairs:
        served.txn(pair.keys())
    async with served.monitor() as monitor:
        await monitor.synced()
        for _ in range(40):
            for pair in random.choices([*pairs], k=random.randrange(1, 12)):  # all before the loop has a turn
                if random.random() < 0.2:
                    served.delete(pair.config)
                primary, secondary, version = random.choice([*words]), random.choice([*words]), random.randrange(1, 9)
                pairs[pair] = primary, secondary, version
                served.txn(pair.keys(words[primary], words[secondary], version=version))
            await anyio.sleep(random.choice([0, 0, 0.001, 0.02]))
        wanted = {pair.id: site.record(*stands) for pair, stands in pairs.items()}
        await until(lambda: {resource.id: resource.published for resource in monitor.resources()} == wanted)
        for pair, stands in pairs.items():
            await served.wait(pair.record, site.record(*stands))
        assert sum(watch.relists for watch in monitor.measures().watches) > 5


async def test_prefixes_that_are_asked_for_again_as_their_watch_ends(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it were looked all the time for what nobody goes by: watches end while they list, open, and are heard."""
    monkeypatch.setattr(unused, "LOOK_EVERY", 0.002)
    random, config, types = Random(7), site.config_key("ports", "a"), [f"type{number}" for number in range(4)]
    text = "a:\n  type: etcd_reader\n  etcd_type: {{ type }}\n  etcd_id: b\n"
    served.txn(site.template("port_monitoring", text, {"type": {"field": "type"}}))
    served.txn({site.monitoring_key(f"{type_}s", "b"): site.UP for type_ in types})
    async with served.monitor() as monitor:
        await monitor.synced()
        for version in range(150):
            type_, state = random.choice(types), random.choice(["UP", "DOWN"])
            served.put(config, site.envelope({"type": type_}, version=version))
            served.put(site.monitoring_key(f"{type_}s", "b"), {"a": state})
            await anyio.sleep(random.choice([0.0, 0.001, 0.005, 0.02]))
        await served.wait(site.monitoring_key("ports", "a"), {"a": state, "version": version})
        needed = {"heat_templates", "ports", "maintenance", f"{type_}s"}
        await until(lambda: {prefix.split("/")[-2] for prefix in monitor.prefixes} == needed)
        await until(lambda: monitor.readiness().ready)
        served.put(site.monitoring_key(f"{type_}s", "b"), site.UP)
        await served.wait(site.monitoring_key("ports", "a"), {"a": "UP", "version": version})
