"""What a group meets beside the death of members: a suspended machine, a full etcd, other groups, long leases."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from ha_monitor import HaMonitor, Settings
from ha_monitor.clock import SystemClock
from tests.faults.operate import disarm, raise_no_space
from tests.support import site
from tests.support.etcd import Etcd
from tests.support.group import KEYS, PATIENCE, TTL, Changes, Group, under_changes
from tests.support.history import Lineage
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PAIR = site.HaInterface("ha-1")


class Turned(SystemClock):
    """A clock that is ahead when it is told to, as it is when the machine was suspended."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110 - nobody tells of it
            await anyio.sleep(0.01)


@pytest.mark.anyio
async def test_a_machine_that_was_suspended_vouches_for_nothing_until_it_has_looked(etcd: Etcd) -> None:
    etcd.txn(site.ha_template() | PAIR.keys())
    clock = Turned()
    settings = Settings(etcd=[etcd.url], group="edge", lease_ttl=9.0)

    def owned() -> bool:
        status = monitor.group()
        return status is not None and list(status.owned) == [0]

    async with HaMonitor(settings, clock=clock) as monitor:
        await until(owned)
        clock.ahead += 3_600.0
        assert not owned()
        assert not monitor.readiness().ready
        etcd.put(PAIR.primary_state, site.DOWN)
        await until(owned)
        await anyio.to_thread.run_sync(etcd.wait_record, PAIR.record, site.record(primary="DOWN"))
        await until(lambda: monitor.readiness().ready)


def test_shards_change_hands_while_etcd_is_full(group: Group, changes: Changes, random: Random) -> None:
    """Nobody can take a shard then, and nobody can publish; those who are there have what they had."""
    since = changes.fill()
    leaver, _ = group.start(), group.start()
    group.wait_shared()
    with under_changes(group, changes, since):
        raise_no_space(group.etcd)
        try:
            group.lose(leaver)
            leaver.stop()
            beginner = group.begin()
            (stayer, _) = group.members
            group.etcd.wait(KEYS, lambda items: sum("/members/" in key for key in items) == 1)
            give_up = time.monotonic() + PATIENCE
            while len(group.status(stayer)["unowned"]) != 2 or "space" not in _reason(beginner):
                assert time.monotonic() < give_up, (group.status(stayer), _reason(beginner))
                time.sleep(0.05)
        finally:
            disarm(group.etcd)
        beginner.wait_ready(PATIENCE)
        group.wait_shared()


def _reason(member: Service) -> str:
    answer = member.get_or_none("/readyz")
    return "" if answer is None else answer[1].decode()


def test_two_groups_on_one_etcd_do_not_meet(own_etcd: Etcd) -> None:
    """The name of one begins as the other's does; each has types and shards of its own."""
    gateway = {f"{site.config_key('vpn_gateways', 'vpn-1')}": site.envelope({"downlink_interface_id": "ha-1"})}
    since = own_etcd.txn(site.ha_template() | site.gateway_template() | PAIR.keys() | gateway)
    groups = [
        Service(own_etcd.url, "--group", name, "--shards", shards, "--types", type_, "--lease-ttl", str(TTL))
        for name, shards, type_ in (("edge", "2", "ha_interface"), ("edge-2", "3", "vpn_gateway"))
    ]
    try:
        for member in groups:
            member.wait_ready()
        own_etcd.wait_record(PAIR.record, site.record())
        own_etcd.wait_record(site.monitoring_key("vpn_gateways", "vpn-1"), {"downlink": "UP", "version": 1})
        shown = [member.json("/api/v1/group") for member in groups]
        assert [(status["name"], status["owned"]) for status in shown] == [("edge", [0, 1]), ("edge-2", [0, 1, 2])]
        assert not Lineage(own_etcd, since).wrong
        for member in groups:
            member.stop()
    finally:
        for member in groups:
            member.kill()


def test_a_lease_that_is_longer_than_asked_for_counts() -> None:
    """etcd gives none that an election could outlast."""
    slow = Etcd("--heartbeat-interval", "500", "--election-timeout", "5000")
    group = Group(slow, shards=1)
    try:
        slow.start()
        slow.txn(site.ha_template() | PAIR.keys())
        member = group.start()
        slow.wait_record(PAIR.record, site.record())
        status = group.status(member)
        assert status["lease_ttl"] == math.ceil(3 * 5.0 / 2)
        assert TTL < status["lease_left"] < status["lease_ttl"]
        member.stop()
        assert slow.items(KEYS) == {}
    finally:
        group.close()
        slow.close()


@pytest.mark.parametrize(
    "ended", [PAIR.config, site.template_key("ha_interface_monitoring")], ids=["config", "template"]
)
def test_who_takes_over_deletes_the_record_of_a_resource_that_ended_meanwhile(own_etcd: Etcd, ended: str) -> None:
    """No record tells by its keys that it is the group's here: the next one knows since it has evaluated all along."""
    text = "{% if secondary_interface_id %}" + site.PAIR + "{% endif %}"
    own_etcd.txn(site.template("ha_interface_monitoring", text) | PAIR.keys())
    strange = site.monitoring_key("ha_interfaces", "strange")
    own_etcd.put(strange, site.record())
    group = Group(own_etcd, shards=1)
    try:
        active = group.start()
        own_etcd.wait_record(PAIR.record, site.record())
        standby = group.start()
        group.lose(active)
        active.kill()
        own_etcd.delete(ended)
        own_etcd.wait_record(PAIR.record, None)
        assert group.status(standby)["owned"] == [0]
        assert own_etcd.record(strange) == site.record()
        standby.stop()
    finally:
        group.close()
