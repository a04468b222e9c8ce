"""A foreign client that may write the keys of a group can delay its members, and can't keep them from publishing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support import site
from tests.testing.fleet import Fleet, owned, ready, until
from tests.testing.test_faults import virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ha_monitor import HaMonitor

GROUP = "/ha_monitor/edge/"
TTL = 10.0
BOUND = 4 / 3 * TTL + 3.0
"""Seconds after which members publish all again: a lease, the next look at it, and the time to take the shards."""


@contextlib.asynccontextmanager
async def twenty_times_a_second(write: Callable[[], object]) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            write()
            await anyio.sleep(0.05)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(repeat)
        yield
        tasks.cancel_scope.cancel()


def member_of(fleet: Fleet) -> HaMonitor:
    return fleet.monitor(group="edge", shards=4, lease_ttl=TTL)


async def all_published(fleet: Fleet, *monitors: HaMonitor) -> None:
    """See that each shard has one member that publishes for it, and that records follow the states."""
    await until(lambda: owned(*monitors) == [0, 1, 2, 3], BOUND, lambda: [monitor.group() for monitor in monitors])
    for number in range(3):
        fleet.flip(number)
    await fleet.right(BOUND)


def forge(fleet: Fleet, count: int) -> None:
    """Register members that never do anything, with a lease that outlives the test."""
    lease = fleet.etcd.grant(36_000)
    for number in range(count):
        fleet.etcd.put(f"{GROUP}members/forged-{number:02}", '{"shards": 4}', lease=lease)


@pytest.mark.parametrize("when", ["before", "after"])
@virtual
async def test_forged_members_are_passed_over_after_a_lease(when: str, caplog: pytest.LogCaptureFixture) -> None:
    fleet = Fleet()
    if when == "before":
        forge(fleet, 50)
    async with member_of(fleet) as one, member_of(fleet) as other:
        if when == "after":
            await ready(one)
            await ready(other)
            forge(fleet, 50)
        await all_published(fleet, one, other)
        await until(  # who came second has its share, too
            lambda: len(owned(one)) == len(owned(other)) == 2, BOUND, lambda: (one.group(), other.group())
        )
        await ready(one, BOUND)
        group = one.group()
        assert group is not None
        assert len(group.passed_over) == 50
        assert "forged-00" in caplog.text
        await anyio.sleep(5 * TTL)
        assert owned(one, other) == [0, 1, 2, 3]
        async with member_of(fleet) as third:  # has its share all the same
            await until(lambda: bool(owned(third)), 2 * BOUND, third.group)
            await all_published(fleet, one, other, third)


@pytest.mark.parametrize("leased", [True, False])
@pytest.mark.parametrize("members", [1, 2])
@virtual
async def test_a_shard_key_that_is_put_all_the_time_stays_with_its_member(members: int, leased: bool) -> None:
    fleet = Fleet()
    lease = fleet.etcd.grant(36_000) if leased else 0
    key = f"{GROUP}shards/1"
    async with contextlib.AsyncExitStack() as stack:
        monitors = [await stack.enter_async_context(member_of(fleet)) for _ in range(members)]
        async with twenty_times_a_second(lambda: fleet.etcd.put(key, "ghost", lease=lease)):
            await all_published(fleet, *monitors)
            async with member_of(fleet) as late:  # lists the foreign value
                await all_published(fleet, *monitors, late)
                await ready(late, BOUND)
        await until(lambda: fleet.etcd.items(key).get(key) != b"ghost", BOUND)
        await all_published(fleet, *monitors)


@virtual
async def test_a_member_whose_shard_is_deleted_all_the_time_is_not_ready_or_publishes() -> None:
    fleet = Fleet()
    async with member_of(fleet) as monitor:
        await ready(monitor)
        async with twenty_times_a_second(lambda: fleet.etcd.delete(f"{GROUP}shards/1")):
            await anyio.sleep(3 * TTL)
            for _ in range(50):
                fleet.flip(0)
                await anyio.sleep(0.21)
                assert not monitor.readiness().ready or not fleet.wrong(), monitor.group()
        await all_published(fleet, monitor)


@virtual
async def test_a_shard_that_is_held_too_short_makes_its_member_unready() -> None:
    """Each claim is undone before it can be proven."""
    fleet, ttl = Fleet(), 2.0
    async with fleet.monitor(group="edge", shards=4, lease_ttl=ttl) as monitor:
        await ready(monitor)

        async def undo() -> None:
            while True:
                fleet.etcd.delete(f"{GROUP}shards/1")
                await anyio.sleep(0.001)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(undo)
            await until(lambda: not monitor.readiness().ready, BOUND)
            assert "shards 1 of group edge" in monitor.readiness().reason
            for _ in range(20):
                assert not monitor.readiness().ready
                await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
        await ready(monitor, 2 * ttl)
        await all_published(fleet, monitor)


def hold_all(fleet: Fleet, *members: str) -> None:
    """Put the keys of all shards in the name of members, with a lease that outlives the test."""
    lease = fleet.etcd.grant(36_000)
    keys = [f"{GROUP}shards/{shard}" for shard in range(4)]
    fleet.etcd.txn({}, keys)
    for shard, key in enumerate(keys):
        fleet.etcd.put(key, members[shard % len(members)], lease=lease)


@virtual
async def test_a_forged_member_that_takes_all_shards_is_left_no_more_than_its_share() -> None:
    """Nothing changes, so that nothing tells that it does not publish: what is due to others is taken from it."""
    fleet = Fleet()
    async with member_of(fleet) as monitor:
        await fleet.right()
        forge(fleet, 1)
        hold_all(fleet, "forged-00")
        await until(lambda: len(owned(monitor)) == 2, BOUND, monitor.group)
        await anyio.sleep(10 * TTL)
        assert len(owned(monitor)) == 2
        assert monitor.readiness().ready


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("forged", [1, 50])
@virtual
async def test_forged_members_that_hold_all_shards_lose_those_whose_records_are_out_of_date(
    forged: int, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    fleet = Fleet()

    def take_all() -> None:
        forge(fleet, forged)
        hold_all(fleet, *(f"forged-{number:02}" for number in range(min(forged, 4))))

    if when == "before":
        take_all()
    async with member_of(fleet) as one, member_of(fleet) as other:
        await anyio.sleep(1.0)
        if when == "after":
            await fleet.right()
            take_all()
            for number in range(3):
                fleet.flip(number)
        reasons = set[str]()

        def is_right() -> bool:
            reasons.update(monitor.readiness().reason for monitor in (one, other))
            return not fleet.wrong()

        await until(is_right, 4 * TTL)
        assert any("was published for" in reason and "forged-00" in reason for reason in reasons), reasons
        assert " taken from forged-00" in caplog.text
        await ready(one, BOUND)
        await ready(other, BOUND)
        await anyio.sleep(5 * TTL)
        for number in range(3):
            fleet.flip(number, site.UP)
        await fleet.right(4 * TTL)
