"""The roster as events and lists bring it, held against all that stands in etcd, read plainly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetcd import rpc
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.group.roster import NOBODY, Owner, Roster

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/ha_monitor/edge/"
NAMES = [
    "members/a",
    "members/b",
    "members/a/b",
    "members/",
    "members",
    "shards/0",
    "shards/1",
    "shards/10",
    "shards/01",
    "shards/x",
    "shards/",
    "else/a",
    "a",
]
LEASES = {"a": 5, "b": 6}
"""What is put with a lease, by its value; the rest is put by no member."""

Keys = dict[str, tuple[str, int, int]]
"""What stands there: value, create revision, mod revision."""

CHANGES = st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.sampled_from("abc")), max_size=30)


def item(name: str, value: str, created: int, changed: int) -> rpc.KeyValue:
    return rpc.KeyValue(
        key=f"{PREFIX}{name}".encode(), value=value.encode(), create_revision=created, mod_revision=changed,
        lease=LEASES.get(value, 0),
    )  # fmt: skip


def after(changes: list[tuple[str, str | None]]) -> tuple[Keys, list[rpc.Event]]:
    """Give what stands there after changes, one a revision, and the events."""
    keys: Keys = {}
    events = []
    for revision, (name, value) in enumerate(changes, 2):
        if value is None:
            if keys.pop(name, None) is not None:
                kv = rpc.KeyValue(key=f"{PREFIX}{name}".encode(), mod_revision=revision)
                events.append(rpc.Event(type=rpc.Event.EventType.DELETE, kv=kv))
            continue
        created = keys[name][1] if name in keys else revision
        keys[name] = (value, created, revision)
        events.append(rpc.Event(type=rpc.Event.EventType.PUT, kv=item(name, *keys[name])))
    return keys, events


def listed(roster: Roster, keys: Mapping[str, tuple[str, int, int]], revision: int) -> None:
    roster.list_begins()
    for _ in roster.put_items([item(name, *known) for name, known in keys.items()]):
        pass
    for _ in roster.list_ends(revision):
        pass


def members_of(keys: Keys) -> set[str]:
    return {name for name in "ab" if keys.get(f"members/{name}", "-")[0] in LEASES}


def owners_of(keys: Keys) -> dict[int, Owner]:
    owners = {number: keys[f"shards/{number}"] for number in (0, 1, 10) if f"shards/{number}" in keys}
    return {
        number: Owner(value if value in LEASES else NOBODY, created) for number, (value, created, _) in owners.items()
    }


def elected(changes: list[tuple[str, str | None]], first: int) -> dict[int, Owner]:
    """Give the owners as one sees them who listed after ``first`` changes, and had every one that followed."""
    owners = owners_of(after(changes[:first])[0])
    for count in range(first + 1, len(changes) + 1):
        keys = after(changes[:count])[0]
        now = owners_of(keys)
        for number, before in owners.items():
            is_same_election = number in now and now[number].revision == before.revision
            if is_same_election and before.member in members_of(after(changes[: count - 1])[0]):
                now[number] = before  # who put over it was not elected
        owners = now
    return owners


def assert_right(roster: Roster, keys: Keys, owners: dict[int, Owner] | None = None) -> None:
    assert roster.members == members_of(keys)
    assert roster.owners == (owners_of(keys) if owners is None else owners)
    assert roster.count() == len(keys)


@given(CHANGES, st.integers(0, 30))
def test_what_events_bring_is_what_stands_there(changes: list[tuple[str, str | None]], first: int) -> None:
    roster = Roster(PREFIX)
    keys, _ = after(changes[:first])
    listed(roster, keys, first + 1)
    assert_right(roster, keys)
    keys, events = after(changes)
    rest = [event for event in events if event.kv.mod_revision > first + 1]
    if rest:
        for _ in roster.apply(rest):
            pass
        assert roster.revision == rest[-1].kv.mod_revision
    assert_right(roster, keys, elected(changes, first))


@given(CHANGES, CHANGES)
def test_a_list_leaves_nothing_of_the_store_before(
    before: list[tuple[str, str | None]], now: list[tuple[str, str | None]]
) -> None:
    roster, told = Roster(PREFIX), []
    listed(roster, after(before)[0], 40)
    roster.on_list = lambda: told.append(roster.revision)
    keys, _ = after(now)
    listed(roster, keys, 3)  # an older one
    assert_right(roster, keys)
    assert roster.revision == 3
    assert told == [0]
