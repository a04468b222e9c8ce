"""Whatever somebody puts where a group has its own keys, its members publish for every shard, and say what is wrong."""

from __future__ import annotations

import pytest

from ha_monitor.errors import GroupRefused
from ha_monitor.testing import run
from tests.testing.fleet import Fleet, ready, unready

GROUP = "/ha_monitor/edge/"
DEEP = '{"shards":' + "[" * 100_000 + "]" * 100_000 + "}"


def test_a_member_key_that_is_nested_deep_is_one_that_does_not_agree() -> None:
    async def main() -> None:
        fleet = Fleet()
        fleet.etcd.put(f"{GROUP}members/deep", DEEP)
        with pytest.raises(GroupRefused, match=r"member deep runs with --shards \?, this one with --shards 1"):
            async with fleet.monitor(group="edge") as monitor:
                await ready(monitor)
        fleet.etcd.delete(f"{GROUP}members/deep")
        async with fleet.monitor(group="edge") as monitor:
            await fleet.right()
            fleet.etcd.put(f"{GROUP}members/deep", DEEP)
            fleet.etcd.expire_leases()
            assert "member deep runs with --shards ?" in await unready(monitor)
            fleet.etcd.delete(f"{GROUP}members/deep")
            await ready(monitor)

    run(main)
