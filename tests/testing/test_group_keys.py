"""Whatever somebody puts where a group has its own keys, its members publish for every shard, and say what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from ha_monitor.errors import GroupRefused
from ha_monitor.testing import run
from tests.testing.fleet import Fleet, ready, unready, until

if TYPE_CHECKING:
    from pathlib import Path

    from ha_monitor import HaMonitor

GROUP = "/ha_monitor/edge/"
DEEP = '{"shards":' + "[" * 100_000 + "]" * 100_000 + "}"


async def one_has_all(fleet: Fleet, monitor: HaMonitor) -> None:
    """See that one member publishes for every shard, by keys that end with its lease."""

    def has_all() -> bool:
        group, shards = monitor.group(), fleet.etcd.items(f"{GROUP}shards/")
        ends = {key for keys in fleet.etcd.leases.values() for key in keys}
        return group is not None and list(group.owned) == [0, 1, 2, 3] and not group.unowned and shards.keys() <= ends

    await until(has_all, 10.0, monitor.group)
    for number in range(3):
        fleet.flip(number)
    await fleet.right()
    await ready(monitor, 1.0)


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


@pytest.mark.parametrize("name", ["members", "members/", "members/x", "members/x/y"])
def test_a_key_that_no_member_put_is_given_no_shard(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        for is_first in (True, False):
            fleet = Fleet()
            if is_first:
                fleet.etcd.put(GROUP + name, '{"shards": 4}')
            caplog.clear()
            async with fleet.monitor(group="edge", shards=4) as monitor:
                await fleet.right()
                fleet.etcd.put(GROUP + name, '{"shards": 4}')
                await one_has_all(fleet, monitor)
                assert caplog.text.count(f"{GROUP}{name} counts for nothing: a member puts its keys with a lease") == 1
                group = monitor.group()
                assert group is not None
                assert list(group.members) == [group.id]

    run(main)


def test_a_name_with_a_slash_is_no_members_whatever_its_lease() -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor(group="edge", shards=4) as monitor:
            await ready(monitor)
            fleet.etcd.put(f"{GROUP}members/x/y", '{"shards": 4}', lease=fleet.etcd.grant(3600))
            await anyio.sleep(1.0)
            await one_has_all(fleet, monitor)

    run(main)


def test_a_host_whose_name_has_a_slash_is_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "rack/7")

    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor(group="edge", shards=4) as monitor:
            await one_has_all(fleet, monitor)

    run(main)


@pytest.mark.parametrize("whose", ["nobody's", "its own"])
def test_a_shard_key_that_no_member_put_is_taken_over(whose: str, caplog: pytest.LogCaptureFixture) -> None:
    """Such a key would keep its shard from the others once the member that it names is gone."""

    async def main() -> None:
        fleet = Fleet()
        fleet.etcd.txn({f"{GROUP}shards/{shard}": "ghost" for shard in range(4)})
        async with fleet.monitor(group="edge", shards=4) as monitor:
            await one_has_all(fleet, monitor)
            group = monitor.group()
            assert group is not None
            fleet.etcd.put(f"{GROUP}shards/2", group.id if whose == "its own" else "ghost")
            await anyio.sleep(1.0)
            await one_has_all(fleet, monitor)
            for shard, times in enumerate((1, 1, 2, 1)):
                assert caplog.text.count(f"{GROUP}shards/{shard} counts for nothing: ") == times

    run(main)


def test_shards_that_nobody_takes_make_a_member_unready(tmp_path: Path) -> None:
    async def main() -> None:
        fleet, words = Fleet(), "nobody has taken shards 0-3 of group edge for longer than a lease"
        (tmp_path / "password").write_text("pw")
        fleet.etcd.set_user("me", "pw", read=["/"], write=["/monitoring/", f"{GROUP}members/"])
        async with fleet.monitor(
            group="edge", shards=4, lease_ttl=5.0, etcd_user="me", etcd_password_file=tmp_path / "password"
        ) as monitor:
            await ready(monitor, 4.0)
            assert await unready(monitor) == words
            await anyio.sleep(60.0)
            assert monitor.readiness().reason == words
            fleet.etcd.set_user("me", "pw", read=["/"], write=["/monitoring/", GROUP])
            await ready(monitor)
            await one_has_all(fleet, monitor)

    run(main)
