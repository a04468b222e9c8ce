"""Which shards were held for too short, and which members leave theirs to others; times are handed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.group.attendance import Attendance
from ha_monitor.group.roster import Owner

if TYPE_CHECKING:
    from collections.abc import Mapping

TTL = 10.0
A, B = Owner("a", 5), Owner("b", 6)
ALL = {"a", "b", "c"}


def look(
    made: Attendance, now: float, owners: Mapping[int, Owner], plan: Mapping[int, str] | None = None
) -> Attendance:
    """Take two shards as they are; ``a`` looks, and publishes for all that it holds."""
    open_ = [shard for shard, owner in owners.items() if owner.member == "a"]
    made.look(now, TTL, "a", owners, plan or {}, open_)
    return made


def joined(now: float = 100.0) -> Attendance:
    made = Attendance(2)
    made.joined(now)
    return made


def test_a_shard_that_no_member_held_for_a_lease_is_neglected_and_unserved() -> None:
    made = look(joined(), 100.0, {0: A})
    assert look(made, 109.9, {0: A}).neglected(TTL) == made.unserved() == []
    assert look(made, 110.1, {0: A}).neglected(TTL) == made.unserved() == [1]
    assert look(made, 110.2, {0: A, 1: B}).neglected(TTL) == []
    assert look(made, 111.0, {0: A, 1: B}).unserved() == []


def test_a_shard_that_is_held_for_a_moment_again_and_again_is_unserved() -> None:
    made = joined()
    for tick in range(400):
        look(made, 100.0 + tick * 0.1, {0: A} if tick % 5 else {0: A, 1: B})
    assert made.neglected(TTL) == []
    assert made.unserved() == [1]


def test_a_shard_of_ours_that_we_do_not_publish_for_is_unserved() -> None:
    made = joined()
    for now in (100.0, 111.0):
        made.look(now, TTL, "a", {0: A, 1: A}, {}, [0])
    assert made.unserved() == [1]


def test_a_member_that_leaves_its_share_for_a_lease_is_passed_over_with_all_that_have_none() -> None:
    made, plan = joined(), {0: "a", 1: "b"}
    look(made, 100.0, {0: A}, plan)
    assert look(made, 109.0, {0: A}, plan).left(TTL) == set()
    assert look(made, 110.0, {0: A}, plan).left(TTL) == {"b"}
    assert made.candidates("a", ALL, {0: A}, {"b"}) == ["b", "c"]
    made.pass_over(["b", "c"], 20)
    assert made.candidates("a", ALL, {0: A}, {"b"}) == []
    made.candidates("a", ALL, {0: A, 1: Owner("b", 21)}, set())
    assert set(made.passed) == {"c"}  # the other has taken a shard since
    made.candidates("a", {"a", "b"}, {0: A}, set())
    assert made.passed == {}


def test_a_shard_that_another_does_not_give_up_for_a_lease_is_overdue_to_the_member_that_is_to_have_it() -> None:
    made, owners = joined(), {0: B, 1: B}
    look(made, 100.0, owners, {0: "a", 1: "c"})
    look(made, 109.0, owners, {0: "a", 1: "c"})
    assert (made.overdue(TTL, "a"), made.left(TTL)) == (set(), set())
    look(made, 110.0, owners, {0: "a", 1: "c"})
    assert (made.overdue(TTL, "a"), made.left(TTL)) == ({0}, {"a", "c"})
    look(made, 110.0, {0: B, 1: Owner("b", 9)}, {0: "a", 1: "a"})  # another election, another plan
    assert made.overdue(TTL, "a") == {0}


def test_no_member_is_blamed_for_the_time_in_which_it_could_not_do_anything() -> None:
    made, plan = look(joined(), 100.0, {0: B}, {0: "a", 1: "b"}), {0: "a", 1: "b"}
    look(made, 120.0, {0: B}, plan).count_anew()
    assert (made.overdue(TTL, "a"), made.left(TTL)) == (set(), set())
    assert made.neglected(TTL) == [1]  # which is so, whoever is to blame
    assert made.suspects(3.0)
    look(made, 130.0, {0: B}, plan)
    assert (made.overdue(TTL, "a"), made.left(TTL)) == ({0}, {"a", "b"})
