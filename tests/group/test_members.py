"""What a member of a group shows, and who is not let in."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.support import site
from tests.support.group import KEYS, PATIENCE, Group
from tests.support.service import Service, command

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

PAIR = site.HaInterface("ha-1")


def metrics(member: Service) -> Mapping[str, float]:
    status, body = member.get("/metrics")
    assert status == 200
    families = text_string_to_metric_families(body.decode())
    return {sample.name: sample.value for family in families for sample in family.samples if "group" in sample.name} | {
        "leader": float(body.decode().partition("\nha_monitor_leader ")[2].split()[0])
    }


def test_one_publishes_and_the_others_stand_by(own_etcd: Etcd) -> None:
    own_etcd.txn(site.ha_template() | PAIR.keys(secondary=site.DOWN))
    group = Group(own_etcd, shards=1)
    try:
        active = group.start()
        own_etcd.wait_record(PAIR.record, site.record(secondary="DOWN"))
        standby = group.start()
        status = group.status(standby)
        assert (status["name"], status["role"], status["owned"], status["unowned"]) == ("edge", "standby", [], [])
        assert status["fault"] == ""
        mine = group.status(active)
        assert (mine["role"], mine["owned"], mine["takeovers"], mine["lease_ttl"]) == ("active", [0], 1, 2.0)
        assert 0 < mine["lease_left"] <= 2.0
        group.etcd.wait(KEYS, lambda items: len(items) == 3)
        assert sorted(group.status(active)["members"], key=lambda member: not member["here"]) == [
            {"id": mine["id"], "shards": [0], "here": True},
            {"id": status["id"], "shards": [], "here": False},
        ]
        assert standby.get("/readyz")[0] == 200
        assert standby.get(f"/probe/ha_interface/{PAIR.id}?active=primary")[0] == 200
        assert standby.json(f"/api/v1/resources/ha_interface/{PAIR.id}")["published"] == site.record(secondary="DOWN")
        give_up = time.monotonic() + PATIENCE
        while len(group.status(standby)["members"]) != 2:  # its watch brings its own key after it has joined
            assert time.monotonic() < give_up
            time.sleep(0.02)
        one, other = metrics(active), metrics(standby)
        assert (one["leader"], one["ha_monitor_group_owned_shards"]) == (1, 1)
        assert (other["leader"], other["ha_monitor_group_owned_shards"]) == (0, 0)
        assert one["ha_monitor_group_takeovers_total"] == 1
        for shown in (one, other):
            assert shown["ha_monitor_group_members"] == 2
            assert shown["ha_monitor_group_shards"] == 1
            assert shown["ha_monitor_group_unowned_shards"] == 0
            assert shown["ha_monitor_group_passed_over_members"] == 0
            assert shown["ha_monitor_group_lease_seconds"] > 0
        said = command("status", "--url", active.url).stdout.decode()
        assert "group edge: active here, shard 0 of 1; 2 members" in said
        assert "group edge: standby here; 2 members" in command("status", "--url", standby.url).stdout.decode()
        assert json.loads(command("status", "--url", standby.url, "--json").stdout)["group"]["id"] == status["id"]
        standby.stop()
        active.stop()
        assert own_etcd.items(KEYS) == {}
    finally:
        group.close()


def test_alone_it_says_so(etcd: Etcd, service: StartService) -> None:
    running = service()
    assert running.json("/api/v1/group") == {
        "name": None, "id": None, "role": "alone", "shards": 1, "owned": [], "unowned": [], "members": [],
        "lease_ttl": None, "lease_left": None, "takeovers": 0, "fault": "",
        "passed_over": [],
    }  # fmt: skip
    assert "ha_monitor_leader 1.0" in running.get("/metrics")[1].decode()
    assert "ha_monitor_group" not in running.get("/metrics")[1].decode()
    assert "group" not in command("status", "--url", running.url).stdout.decode()
    assert etcd.items("/ha_monitor/") == {}


def test_a_member_with_another_number_of_shards_is_refused_in_words(own_etcd: Etcd) -> None:
    group = Group(own_etcd, shards=3)
    try:
        group.start()
        group.wait_shared()
        before = own_etcd.items(KEYS)
        ended = command("run", "--etcd", own_etcd.url, "--listen", "", "--group", "edge", "--shards", "4")
        assert ended.returncode == 2
        last = ended.stderr.decode().splitlines()[-1]
        assert last.startswith("group refused: /ha_monitor/edge/: member ")
        assert "runs with --shards 3, this one with --shards 4" in last
        assert "Traceback" not in ended.stderr.decode()
        assert own_etcd.items(KEYS) == before
    finally:
        group.close()


def test_of_two_that_come_at_once_and_do_not_agree_one_is_refused(own_etcd: Etcd) -> None:
    options = ("--group", "edge", "--lease-ttl", "2")
    both = [Service(own_etcd.url, *options, "--shards", shards) for shards in ("2", "3")]
    try:
        until = time.monotonic() + PATIENCE
        while all(one.running for one in both):
            assert time.monotonic() < until, [one.log for one in both]
            time.sleep(0.02)
        refused, other = sorted(both, key=lambda one: one.running)
        assert "group refused" in refused.log
        other.wait_ready()
        other.stop()
    finally:
        for one in both:
            one.kill()


def test_a_member_that_finds_another_group_where_its_own_was_waits_until_it_is_gone(own_etcd: Etcd) -> None:
    """Its keys are taken away, and others are put there that do not agree: it publishes no more, and says why."""
    group = Group(own_etcd, shards=2)
    own_etcd.txn(site.ha_template() | PAIR.keys())
    try:
        member = group.start()
        own_etcd.wait_record(PAIR.record, site.record())
        own_etcd.delete_prefix(f"{KEYS}shards/")
        own_etcd.txn({f"{KEYS}members/other": '{"shards": 5}'}, [f"{KEYS}members/{group.status(member)['id']}"])
        words = "it is no member of group edge: /ha_monitor/edge/: member other runs with --shards 5"
        until = time.monotonic() + PATIENCE
        while words not in (answer := member.get("/readyz"))[1].decode():
            assert time.monotonic() < until, answer
            time.sleep(0.02)
        assert answer[0] == 503
        said = command("status", "--url", member.url).stdout.decode()
        assert "group edge: OUTSIDE here: /ha_monitor/edge/: member other runs with --shards 5" in said
        own_etcd.put(PAIR.primary_state, site.DOWN)
        own_etcd.delete(f"{KEYS}members/other")
        own_etcd.wait_record(PAIR.record, site.record(primary="DOWN"))
        member.wait_ready()
        member.stop()
    finally:
        group.close()


def test_wrong_settings_are_named() -> None:
    for options, words in (
        (("--group", "a/b"), "group: 'a/b'"),
        (("--group", "maintenance"), "group: 'maintenance' is where"),
        (("--group", "edge", "--publish", "none"), "nothing to share with --publish none"),
        (("--shards", "2"), "shards: they are shared by the members of a --group"),
        (("--group", "edge", "--shards", "0"), "shards: '0'"),
        (("--group", "edge", "--lease-ttl", "1"), "lease-ttl: '1'"),
    ):
        ended = command("run", *options)
        assert ended.returncode == 2
        assert words in ended.stderr.decode()
