"""Hooks of a group in which nobody can have the shards for a while: what changed meanwhile is told afterwards."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio

from ha_monitor.hooks.teller import TAKEOVER, Teller
from tests.hooks.test_teller import Notebook
from tests.support import site
from tests.testing.fleet import Fleet, ready, unready, until
from tests.testing.test_faults import user_settings, virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ha_monitor import HaMonitor

TTL = 10.0
WINDOW = 2 * TTL + TAKEOVER
CHANGE = ("ha1", "UP", "DOWN")


@contextlib.asynccontextmanager
async def telling(monitor: HaMonitor) -> AsyncIterator[Notebook]:
    """Have a receiver told of all changes."""
    notebook = Notebook()
    teller = Teller(monitor, "command", notebook, timeout=5.0, parallel=2, lease_ttl=TTL)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(teller.run)
        await until(lambda: teller.observer.is_complete, 60.0)
        yield notebook
        tasks.cancel_scope.cancel()


@virtual
async def test_what_changes_while_no_lease_can_be_had_is_told_afterwards() -> None:
    fleet = Fleet()
    async with fleet.monitor(group="edge", lease_ttl=TTL) as monitor:
        await fleet.right()
        async with telling(monitor) as notebook:
            fleet.etcd.fill_up()
            fleet.etcd.expire_leases()
            await unready(monitor)
            fleet.flip(1)
            await anyio.sleep(3 * WINDOW)
            assert notebook.told == []
            fleet.etcd.disarm()
            await until(lambda: notebook.told == [CHANGE], 30.0, lambda: notebook.told)


@virtual
async def test_what_changes_while_a_prefix_keeps_every_member_out_is_told_afterwards(tmp_path: Path) -> None:
    fleet, own = Fleet(), ["/monitoring/", "/ha_monitor/"]
    read = ["/config/v2.0/heat_templates/", "/config/v2.0/ha_interfaces/", "/config/v2.0/vpn_gateways/"]
    fleet.etcd.set_user("monitor", "pw", read=[*read, *own, "/state/"], write=own)
    async with fleet.monitor(group="edge", lease_ttl=TTL, **user_settings(tmp_path)) as monitor:
        await fleet.right()
        async with telling(monitor) as notebook:
            fleet.etcd.txn(site.reader_template("port"))  # nobody may read what it asks for
            await anyio.sleep(WINDOW)
            fleet.flip(1)
            await anyio.sleep(3 * WINDOW)
            assert notebook.told == []
            fleet.etcd.delete(site.template_key("port_monitoring"))
            await until(lambda: notebook.told == [CHANGE], 90.0, lambda: notebook.told)


@virtual
async def test_what_another_member_had_the_time_to_tell_is_not_told_by_who_follows_it() -> None:
    fleet = Fleet()
    members = [fleet.monitor(group="edge", lease_ttl=TTL) for _ in range(2)]
    async with members[0], members[1]:
        await fleet.right()
        for member in members:
            await ready(member)
        owner, follower = sorted(members, key=lambda member: not member.publishes("ha_interface", "ha1"))
        assert follower.published_elsewhere("ha_interface", "ha1")
        assert not owner.published_elsewhere("ha_interface", "ha1")
        async with telling(follower) as notebook:
            fleet.flip(2)
            await anyio.sleep(WINDOW + 1.0)
            fleet.flip(1)
            group = owner.group()
            assert group is not None
            fleet.etcd.delete(f"/ha_monitor/edge/members/{group.id}")
            await until(lambda: notebook.told == [CHANGE], 30.0, lambda: notebook.told)
