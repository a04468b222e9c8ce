"""Healthy members of a group blame one another for nothing: no shard moves that need not, whatever they meet."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio

from ha_monitor.group.holdings import Holdings
from tests.support import site
from tests.testing.fleet import Fleet, owned, ready, takeovers, until
from tests.testing.test_faults import user_settings, virtual

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pytest
    from anyio.abc import TaskStatus

    from ha_monitor import HaMonitor
    from ha_monitor.group.election import Identity

GROUP = "/ha_monitor/edge/"
TTL = 10.0
BOUND = TTL + 3.0


def member_of(fleet: Fleet, **settings: Any) -> HaMonitor:
    return fleet.monitor(**{"group": "edge", "shards": 4, "lease_ttl": TTL, **settings})


async def shared(*monitors: HaMonitor) -> None:
    """Wait until two members have two of four shards each."""
    await until(lambda: [len(owned(monitor)) for monitor in monitors] == [2, 2], BOUND)


def passed_over(*monitors: HaMonitor) -> set[str]:
    return {member for monitor in monitors if (group := monitor.group()) is not None for member in group.passed_over}


@virtual
async def test_a_member_that_has_published_what_is_due_keeps_its_shards_however_quiet_it_is() -> None:
    fleet = Fleet()
    async with member_of(fleet) as one, member_of(fleet) as other:
        await fleet.right()
        await shared(one, other)
        elections, before = fleet.etcd.items(f"{GROUP}shards/"), takeovers(one, other)
        for number in range(6):
            await anyio.sleep(5 * TTL)
            fleet.flip(number % 3, site.DOWN if number < 3 else site.UP)
        await fleet.right()
        assert fleet.etcd.items(f"{GROUP}shards/") == elections
        assert takeovers(one, other) == before


@virtual
async def test_a_record_that_etcd_refuses_to_all_members_does_not_move_its_shard_for_long(tmp_path: Path) -> None:
    """The other takes it once, and finds that it can't publish it either."""
    fleet = Fleet()
    rights = user_settings(tmp_path)
    fleet.etcd.set_user("monitor", "pw", read=["/"], write=["/ha_monitor/"])
    settings = {"group": "edge", "shards": 1, "lease_ttl": TTL, **rights}
    async with fleet.monitor(**settings) as one, fleet.monitor(**settings) as other:
        await anyio.sleep(1500.0)
        moved = takeovers(one, other)
        assert moved <= 1 + 2  # first for the pairs, and then for the gateway that waited for their records
        fleet.etcd.set_user("monitor", "pw", read=["/"], write=["/"])
        await fleet.right()
        await anyio.sleep(1500.0)
        assert takeovers(one, other) == moved
        await ready(one)
        await ready(other)


@virtual
async def test_no_member_is_blamed_while_etcd_takes_no_writes() -> None:
    fleet = Fleet()
    async with member_of(fleet) as one, member_of(fleet) as other:
        await fleet.right()
        await shared(one, other)
        fleet.etcd.fill_up()
        fleet.flip(0)
        fleet.etcd.delete(f"{GROUP}shards/1")
        await anyio.sleep(10 * TTL)
        before = takeovers(one, other)
        fleet.etcd.disarm()
        await until(lambda: owned(one, other) == [0, 1, 2, 3], BOUND)
        await fleet.right(BOUND)
        assert takeovers(one, other) == before + 1
        assert not passed_over(one, other)


@virtual
async def test_a_member_that_is_slow_for_less_than_a_lease_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every claim takes most of a lease."""
    take = Holdings._take

    async def take_late(holdings: Holdings, shard: int, member: Identity) -> None:
        await anyio.sleep(0.2 * TTL)
        await take(holdings, shard, member)

    monkeypatch.setattr(Holdings, "_take", take_late)
    fleet = Fleet()
    async with member_of(fleet) as one, member_of(fleet) as other:
        passed = set[str]()

        def is_shared() -> bool:
            passed.update(passed_over(one, other))
            return len(owned(one)) == len(owned(other)) == 2

        await until(is_shared, 5 * TTL)
        assert not passed


class Running:
    """A member in a task of its own, so that it can end before those that started after it."""

    def __init__(self) -> None:
        self.stop, self.ended = anyio.Event(), anyio.Event()

    async def run(self, fleet: Fleet, *, task_status: TaskStatus[HaMonitor]) -> None:
        async with member_of(fleet, shards=6) as monitor:
            task_status.started(monitor)
            await self.stop.wait()
        self.ended.set()


@virtual
async def test_a_rolling_restart_moves_the_shards_of_the_member_that_restarts_alone() -> None:
    """Two shards of each leaver go to the others, and two come back."""
    fleet = Fleet()
    async with anyio.create_task_group() as tasks:
        running = [Running() for _ in range(3)]
        members = [await tasks.start(one.run, fleet) for one in running]

        def have_two_each() -> bool:
            return [len(owned(member)) for member in members] == [2, 2, 2]

        def others_have_all(leaver: int) -> bool:
            return owned(*members[:leaver], *members[leaver + 1 :]) == list(range(6))

        await until(have_two_each, BOUND)
        for number in range(3):
            before = takeovers(*members) - takeovers(members[number])
            running[number].stop.set()
            await running[number].ended.wait()
            await until(partial(others_have_all, number), BOUND)
            running[number] = Running()
            members[number] = await tasks.start(running[number].run, fleet)
            await until(have_two_each, BOUND)
            assert takeovers(*members) == before + 2 + 2
        await anyio.sleep(5 * TTL)
        assert have_two_each()
        assert not passed_over(*members)
        for one in running:
            one.stop.set()


@virtual
async def test_a_member_that_has_not_seen_an_entry_flap_does_not_blame_the_owner_that_has() -> None:
    """The owner holds the entry DOWN; one that has just started evaluates it as UP for as long as the window lasts."""
    fleet = Fleet()
    settings = {"shards": 1, "flap_turns": 2, "flap_window": 100.0}
    async with member_of(fleet, **settings) as owner:
        await fleet.right()
        for value in (site.DOWN, site.UP, site.DOWN, site.UP):
            fleet.flip(0, value)
            await anyio.sleep(1.0)
        assert fleet.etcd.record(fleet.pairs[0].record) == site.record("DOWN")
        async with member_of(fleet, **settings) as other:
            await ready(other, 1.0)
            for _ in range(200):
                await anyio.sleep(1.0)
                assert other.readiness().ready
            assert takeovers(owner, other) == 1
