"""Which shards are not published for, by the records that stay out of date; times are handed in."""

from __future__ import annotations

from ha_monitor.group.unpublished import TAKEN_AFTER, Unpublished

TTL = 10.0
RECORD, OTHER = ("ha_interface", "ha-1"), ("ha_interface", "ha-2")


def late_since(now: float) -> Unpublished:
    made = Unpublished(2)
    made.note(1, RECORD, now, is_late=True)
    return made


def test_a_shard_is_silent_after_a_lease_and_to_be_taken_after_two() -> None:
    made = late_since(100.0)
    assert [made.is_silent(1, now, TTL) for now in (100.0, 109.9, 110.0)] == [False, False, True]
    assert [made.is_to_be_taken(1, 100.0 + TAKEN_AFTER * TTL - less, TTL) for less in (0.1, 0.0)] == [False, True]
    assert not made.is_silent(0, 1000.0, TTL)
    assert made.late((0, 1)) == 1


def test_a_record_that_is_put_right_counts_no_more() -> None:
    made = late_since(100.0)
    made.note(1, OTHER, 105.0, is_late=True)
    made.note(1, RECORD, 106.0, is_late=False)
    assert [made.is_silent(1, now, TTL) for now in (114.9, 115.0)] == [False, True]
    made.forget((1,))
    assert not made.is_silent(1, 1000.0, TTL)


def test_a_change_of_another_record_shows_that_the_owner_publishes() -> None:
    made = late_since(100.0)
    made.count_from((1,), 108.0)
    made.count_from((1,), 104.0)
    assert [made.is_silent(1, now, TTL) for now in (117.9, 118.0)] == [False, True]


def test_an_owner_has_a_lease_to_publish_and_no_other_owner_makes_the_shard_less_silent() -> None:
    made = late_since(100.0)
    made.owned((1,), 115.0)
    assert made.is_silent(1, 110.0, TTL)
    assert [made.is_to_be_taken(1, now, TTL) for now in (124.9, 125.0)] == [False, True]


def test_a_record_that_etcd_refused_to_us_is_no_fault_of_the_owner_until_it_was_right_once() -> None:
    made = Unpublished(2)
    made.refused(RECORD)
    made.note(1, RECORD, 100.0, is_late=True)
    assert not made.is_silent(1, 1000.0, TTL)
    made.note(1, RECORD, 1000.0, is_late=False)
    made.note(1, RECORD, 1001.0, is_late=True)
    assert made.is_silent(1, 1011.0, TTL)


def test_a_shard_that_was_taken_in_vain_is_waited_for_twice_as_long_each_time() -> None:
    made, now, waits = late_since(0.0), 0.0, []
    for _ in range(9):
        before = now
        while not made.is_to_be_taken(1, now, TTL):
            now += 1.0
        made.took(1, now, TTL)
        waits.append(now - before)
    assert waits == [20, 40, 80, 160, 320, 640, 1280, 1280, 1280]
    assert made.is_to_be_taken(1, now + 3600.0, TTL)
    made.took(1, now + 3600.0, TTL)
    assert made.is_to_be_taken(1, now + 3640.0, TTL)  # what was longer ago than that is forgotten
