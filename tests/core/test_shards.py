"""Which shard a resource falls into, and who is to have which: properties, with all possible shares as the oracle."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.group.shards import shard_of, share_out

MEMBERS = st.sets(st.sampled_from("abcdef"), min_size=1)
OWNERS = st.dictionaries(st.integers(0, 11), st.sampled_from("abcdefxy"))
SHARDS = st.integers(1, 10)


def test_a_resource_is_in_the_same_shard_for_good() -> None:
    """Members of different versions share the work: another number here would have two of them write one record."""
    assert [shard_of("ha_interface", f"ha-{number}", 8) for number in range(8)] == [0, 4, 5, 7, 5, 4, 5, 5]
    assert shard_of("ha_interface", "\udcff", 256) == 255
    assert shard_of("anything", "at all", 1) == 0


def test_shards_are_of_one_size() -> None:
    sizes = Counter(shard_of("ha_interface", f"{number:08}", 7) for number in range(14_000))
    assert set(sizes) == set(range(7))
    assert max(sizes.values()) - min(sizes.values()) < 250  # the deviation of such a draw is 41


@given(MEMBERS, OWNERS, SHARDS)
def test_every_shard_has_a_member_and_nobody_has_two_more_than_another(
    members: set[str], owners: dict[int, str], shards: int
) -> None:
    plan = share_out(members, owners, shards)
    assert sorted(plan) == list(range(shards))
    sizes = [list(plan.values()).count(member) for member in members]
    assert sum(sizes) == shards
    assert max(sizes) - min(sizes) <= 1


@given(MEMBERS, OWNERS, SHARDS)
def test_no_shard_moves_that_need_not(members: set[str], owners: dict[int, str], shards: int) -> None:
    held = {shard: owner for shard, owner in owners.items() if owner in members and shard < shards}
    plan = share_out(members, owners, shards)
    kept = sum(plan[shard] == owner for shard, owner in held.items())
    least, more = divmod(shards, len(members))
    sizes = Counter(held.values())
    most_kept = max(
        sum(min(sizes[member], least + (member in favoured)) for member in members)
        for favoured in itertools.combinations(sorted(members), more)
    )
    assert kept == most_kept


@given(MEMBERS, OWNERS, SHARDS)
def test_what_is_shared_out_stays_so(members: set[str], owners: dict[int, str], shards: int) -> None:
    plan = share_out(members, owners, shards)
    assert share_out(members, plan, shards) == plan


def test_nobody_has_anything_where_nobody_is() -> None:
    assert share_out((), {0: "a"}, 3) == {}


@given(MEMBERS, OWNERS, SHARDS, st.sets(st.sampled_from("abcdef")))
def test_who_is_passed_over_gets_no_more_and_the_others_share_the_rest(
    members: set[str], owners: dict[int, str], shards: int, passed: set[str]
) -> None:
    passed -= {min(members)}  # who works it out does not pass over itself
    held = Counter(owner for shard, owner in owners.items() if owner in members and shard < shards)
    plan = share_out(members, owners, shards, passed)
    sizes = Counter(plan.values())
    assert sorted(plan) == list(range(shards))
    assert all(sizes[member] <= held[member] for member in members & passed)
    free = [sizes[member] for member in members - passed]
    assert max(free) - min(free) <= 1
    assert all(sizes[member] <= min(free) + 1 for member in members & passed)
    assert share_out(members, plan, shards, passed) == plan
