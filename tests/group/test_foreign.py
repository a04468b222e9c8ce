"""A foreign client that puts keys of a group, on a real etcd: its members publish all the same."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.group import KEYS, PATIENCE, Changes, Group, under_changes
from tests.support.history import Lineage
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.thorough

LONG = 3_600
"""Seconds of a foreign lease: it outlives the test."""


def forge(group: Group, count: int) -> list[str]:
    """Register members that never do anything."""
    names, lease = [f"forged-{number:02}" for number in range(count)], group.grant(LONG)
    for name in names:
        group.etcd.put(f"{KEYS}members/{name}", '{"shards": 4}', lease=lease)
    return names


def wait_for(holds: Callable[[], bool], words: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, words()
        time.sleep(0.02)


def wait_owned(group: Group) -> None:
    """Wait until each shard is published for by one member."""

    def owned() -> list[int]:
        return sorted(shard for member in group.members for shard in group.status(member)["owned"])

    wait_for(lambda: owned() == [0, 1, 2, 3], owned)


@contextlib.contextmanager
def twenty_times_a_second(write: Callable[[], object]) -> Iterator[None]:
    stop = threading.Event()

    def repeat() -> None:
        while not stop.wait(0.05):
            write()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)


def test_forged_members_do_not_keep_the_others_from_publishing(group: Group, changes: Changes) -> None:
    since = changes.fill()
    one, _ = group.start(), group.start()
    group.wait_shared()
    with under_changes(group, changes, since):
        names = forge(group, 50)
        wait_for(lambda: set(group.status(one)["passed_over"]) >= set(names), lambda: group.status(one))
        wait_owned(group)
    for member in group.members:
        member.wait_ready(PATIENCE)
    wait_for(lambda: len(group.status(one)["passed_over"]) == 50, lambda: group.status(one))
    assert "52 members (50 passed over)" in command("status", "--url", one.url).stdout.decode()
    assert "ha_monitor_group_passed_over_members" in one.get("/metrics")[1].decode()
    assert "forged-00" in one.log


def test_a_shard_key_that_is_put_all_the_time_under_a_foreign_lease_stays_with_its_member(
    group: Group, changes: Changes
) -> None:
    since, lease, key = changes.fill(), group.grant(LONG), f"{KEYS}shards/1"
    members = [group.start(), group.start()]
    group.wait_shared()
    elections = group.elections()
    with under_changes(group, changes, since):
        with twenty_times_a_second(lambda: group.etcd.put(key, "ghost", lease=lease)):
            wait_for(lambda: all(f"{key} counts for nothing" in member.log for member in members), str)
            wait_owned(group)
            changes.end()
            group.wait_right()  # while it is put
        group.etcd.wait(KEYS, lambda items: items.get(key) not in {None, b"ghost"}, PATIENCE)
    assert group.elections() == elections
    group.wait_shared()
    for member in members:
        member.wait_ready(PATIENCE)


def test_forged_members_that_hold_all_shards_lose_them(group: Group, changes: Changes) -> None:
    """The other members find that the records stay out of date, say so, and take the shards."""
    since = changes.fill()
    names, lease = forge(group, 4), group.grant(LONG)
    for shard, name in enumerate(names):
        group.etcd.put(f"{KEYS}shards/{shard}", name, lease=lease)
    one, other = group.start(), group.begin()
    reasons = set[str]()

    def told() -> bool:
        for member in (one, other):
            answer = member.get_or_none("/readyz")
            reasons.add(json.loads(answer[1])["reason"] if answer is not None and answer[0] == 503 else "")
        return any("nothing was published for shards" in reason and "forged-0" in reason for reason in reasons)

    wait_for(told, lambda: reasons)
    wait_owned(group)
    group.wait_right()
    for member in (one, other):
        member.wait_ready(PATIENCE)
    assert not Lineage(group.etcd, since).wrong
