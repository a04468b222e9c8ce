"""How things are written for people."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.text import local_time, ranges, rfc3339


def test_numbers_that_follow_one_another_are_a_range() -> None:
    assert ranges([]) == ""
    assert ranges([3]) == "3"
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2, 5, 7-8"


@given(st.sets(st.integers(0, 40)))
def test_no_number_is_lost(numbers: set[int]) -> None:
    read = set()
    for part in ranges(sorted(numbers)).split(", ") if numbers else []:
        first, _, last = part.partition("-")
        read |= set(range(int(first), int(last or first) + 1))
    assert read == numbers


@given(st.floats(min_value=0, exclude_min=True))
def test_a_time_beyond_the_calendar_can_be_written_and_shown(at: float) -> None:
    """As long as somebody may wait for: ``--rise 1e12``, so that an entry never comes back by itself."""
    local_time(rfc3339(at) or "")
