"""Members that die, freeze, are cut off, come and go, under constant changes.

After each, every record is right; and the history of etcd tells that no record was ever written that was not right at
the revision of its write.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.soak.changes import change, whole_site
from tests.support.cluster import Cluster
from tests.support.group import KEYS, PATIENCE, TTL, Changes, Group, under_changes
from tests.support.history import Judge, Lineage, Recorder
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from tests.support.etcd import Etcd


pytestmark = pytest.mark.thorough


def pause(random: Random, longest: float = 0.5) -> None:
    """Let the next thing happen at any moment."""
    time.sleep(random.uniform(0.0, longest))


def wait_without(group: Group, member_id: str) -> None:
    """Wait until etcd has a member no more."""
    group.etcd.wait(KEYS, lambda items: f"{KEYS}members/{member_id}" not in items, PATIENCE)


def test_the_shards_of_a_killed_member_are_taken_over(group: Group, changes: Changes, random: Random) -> None:
    since = changes.fill()
    members = [group.start() for _ in range(3)]
    group.wait_shared()
    with under_changes(group, changes, since):
        pause(random)
        victim = random.choice(members)
        group.lose(victim)
        victim.kill()
        group.wait_shared()


def test_a_member_that_was_frozen_in_the_middle_of_a_write_writes_nothing_stale(
    group: Group, changes: Changes, random: Random
) -> None:
    since = changes.fill()
    members = [group.start() for _ in range(2)]
    group.wait_shared()
    with under_changes(group, changes, since):
        for _ in range(2):
            pause(random)
            victim = random.choice(members)
            known_as = group.status(victim)["id"]
            victim.freeze()
            try:
                wait_without(group, known_as)
                pause(random)
            finally:
                victim.thaw()
            victim.wait_ready(PATIENCE)
            group.wait_shared()


def test_a_short_freeze_moves_no_shard(group: Group, changes: Changes, random: Random) -> None:
    since = changes.fill()
    victim, _ = group.start(), group.start()
    group.wait_shared()
    elections = group.elections()
    with under_changes(group, changes, since):
        victim.freeze()
        time.sleep(random.uniform(0.0, 0.3 * TTL))
        victim.thaw()
        group.wait_shared()
    assert group.elections() == elections


def test_a_member_that_is_cut_off_stops_before_its_lease_is_over_and_comes_back(
    group: Group, changes: Changes, random: Random
) -> None:
    since = changes.fill()
    with Relay(group.etcd.port) as relay:
        victim, _ = group.start(relay.url), group.start()
        group.wait_shared()
        known_as = group.status(victim)["id"]
        with under_changes(group, changes, since):
            pause(random)
            relay.stall()
            wait_without(group, known_as)
            status = group.status(victim)
            assert status["owned"] == []
            assert status["lease_left"] == 0
            relay.flow()
            victim.wait_ready(PATIENCE)
            group.wait_shared()
        victim.stop()
        group.lose(victim)


def test_members_come_and_go(group: Group, changes: Changes, random: Random) -> None:
    """One, three, five, two."""
    since = changes.fill()
    group.start()
    group.wait_shared()
    with under_changes(group, changes, since):
        for count in (3, 5):
            for member in [group.begin() for _ in range(count - len(group.members))]:
                member.wait_ready(PATIENCE)
            group.wait_shared()
        for leaver in random.sample(group.members, 3):
            group.lose(leaver)
            if random.random() < 0.5:
                leaver.kill()
            else:
                leaver.stop()
        group.wait_shared()


def test_a_member_hands_over_as_it_ends_and_nothing_is_missed_or_written_twice(
    group: Group, changes: Changes, random: Random
) -> None:
    since = changes.fill()
    leaver, _ = group.start(), group.start()
    group.wait_shared()
    with under_changes(group, changes, since):
        pause(random)
        group.lose(leaver)
        leaver.stop()
        assert len(group.leases()) == 1  # given back, and not left to run out
        group.wait_shared()
    assert not Lineage(group.etcd, since).twice


def test_a_lease_that_was_revoked_by_hand_is_noticed_and_the_member_comes_back(
    group: Group, changes: Changes, random: Random
) -> None:
    since = changes.fill()
    for _ in range(2):
        group.start()
    group.wait_shared()
    with under_changes(group, changes, since):
        pause(random)
        known_as, lease = random.choice(list(group.leases().items()))
        group.revoke(lease)
        wait_without(group, known_as)
        group.wait_shared()
    for member in group.members:
        assert known_as != group.status(member)["id"]


def test_keys_that_somebody_meddles_with_are_put_right(group: Group, changes: Changes, random: Random) -> None:
    since = changes.fill()
    for _ in range(2):
        group.start()
    group.wait_shared()
    with under_changes(group, changes, since):
        pause(random)
        group.etcd.delete(f"{KEYS}shards/{random.randrange(4)}")
        group.wait_shared()
        group.etcd.delete(f"{KEYS}members/{random.choice(list(group.leases()))}")
        group.wait_shared()
        victim = random.choice(group.members)
        group.lose(victim)
        victim.kill()
        for shard in range(4):  # whoever is first: a key that hangs on no lease, in the name of nobody
            if group.etcd.get(f"{KEYS}shards/{shard}") is None:
                group.etcd.put(f"{KEYS}shards/{shard}", "nobody")
        group.etcd.put(f"{KEYS}shards/nonsense", "nobody")
        group.wait_shared()


def test_nobody_moves_when_etcd_was_away_for_longer_than_a_lease(group: Group, changes: Changes) -> None:
    changes.fill()
    for _ in range(3):
        group.start()
    group.wait_shared()
    group.wait_right()
    elections = group.elections()
    since = group.etcd.revision()
    group.etcd.kill()
    time.sleep(1.5 * TTL)
    group.etcd.start()
    for _ in range(50):
        changes.one()
    for member in group.members:
        member.wait_ready(PATIENCE)
    group.wait_right()
    group.wait_shared()
    assert group.elections() == elections
    assert not Lineage(group.etcd, since).wrong


def test_no_record_goes_by_a_template_or_a_config_that_has_changed(own_etcd: Etcd, random: Random) -> None:
    """Templates break and heal, parameters are found in other configs, and records are the states of other records."""
    group = Group(own_etcd, options=("--state-timeout", "0.3"))
    recorder = Recorder(own_etcd, Judge)
    try:
        for puts, deletes in whole_site(random):
            own_etcd.txn(puts, deletes)
        for _ in range(2):
            group.start()
        group.wait_shared()
        for _ in range(1_500):
            puts, deletes = change(random)
            own_etcd.txn(puts, [key for key in deletes if key not in puts])
        group.wait_right()
        recorder.catch_up()
    finally:
        recorder.end()
        group.close()
    assert not recorder.wrong, json.dumps(recorder.wrong[:10], indent=1)
    assert recorder.writes > 100


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.close()


def test_the_leader_of_the_cluster_is_killed(cluster: Cluster, random: Random) -> None:
    leader = cluster.leader()
    etcd: Etcd = cluster.client((leader + 1) % 3)
    group, changes = Group(etcd, url=cluster.url, ttl=4.0), Changes(etcd, random)
    try:
        since = changes.fill()
        for _ in range(2):
            group.start()
        group.wait_shared()
        with under_changes(group, changes, since):
            pause(random)
            cluster.kill(leader)
            pause(random, 2.0)
            cluster.start(leader)
            for member in group.members:
                member.wait_ready(PATIENCE)
            group.wait_shared()
        for member in group.members:
            member.stop()
    finally:
        changes.end()
        group.close()
        etcd.close()
