"""What is remembered and counted for the faces, held against the plainest way to do the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.history import History
from ha_monitor.measures import BOUNDS, Histogram
from ha_monitor.model import Change, Status

OF_ALL, OF_ONE, IN_TOTAL = 7, 3, 8

changes = st.builds(
    lambda id_, revision: Change(
        type="t", id=id_, entry="e", old=Status.UP, new=Status.DOWN, status=Status.DOWN, active=None,
        revision=revision, at=0.0, reason="",
    ),
    st.sampled_from("abcd"),
    st.integers(1, 1_000),
)  # fmt: skip


@given(st.lists(st.tuples(st.lists(changes, max_size=6), st.booleans()), max_size=12))
def test_a_history_has_the_last_changes_and_no_more(batches: list[tuple[list[Change], bool]]) -> None:
    history = History(OF_ALL, OF_ONE, IN_TOTAL)
    so_far: list[Change] = []
    for batch, rewritten in batches:
        history.add(batch)
        so_far += batch
        if rewritten:
            history.rewrite()
        assert history.of_all() == tuple(reversed(so_far))[:OF_ALL]
        kept = {id_: history.of_one("t", id_) for id_ in "abcd"}
        assert sum(map(len, kept.values())) <= IN_TOTAL
        for id_, of_one in kept.items():
            whole = tuple(change for change in reversed(so_far) if change.id == id_)[:OF_ONE]
            assert of_one == whole[: len(of_one)]
        if so_far:
            assert kept[so_far[-1].id][0] == so_far[-1], "who has just changed is not the one to go"


def test_a_history_that_is_rewritten_is_another_one_that_shares_what_it_shared() -> None:
    history = History()
    history.add([Change("t", "a", "e", Status.UP, Status.DOWN, Status.DOWN, None, 7, 0.0, "why")])
    (before,) = history.of_all()
    history.rewrite()
    (after,) = history.of_all()
    assert after == before
    assert after is not before
    assert history.of_one("t", "a")[0] is after


def test_a_history_that_cannot_be_rewritten_stays_as_it_is() -> None:
    """Reasons are a plugin's, and may be any kind of text."""

    class Text(str):
        __slots__ = ()

    change = Change("t", "a", "e", Status.UP, Status.DOWN, Status.DOWN, None, 7, 0.0, Text("why"))
    history = History()
    history.add([change])
    history.rewrite()
    assert history.of_all() == history.of_one("t", "a") == (change,)


@given(st.lists(st.lists(changes, max_size=6), max_size=12))
def test_with_room_for_all_nothing_is_forgotten_early(batches: list[list[Change]]) -> None:
    history = History(OF_ALL, OF_ONE, in_total=4 * OF_ONE)
    so_far = [change for batch in batches for change in batch]
    for batch in batches:
        history.add(batch)
    for id_ in "abcd":
        assert history.of_one("t", id_) == tuple(change for change in reversed(so_far) if change.id == id_)[:OF_ONE]


@given(st.lists(st.one_of(st.floats(0, 100), st.sampled_from(BOUNDS))))
def test_a_histogram_counts_each_where_it_belongs(observed: list[float]) -> None:
    histogram = Histogram()
    for seconds in observed:
        histogram.observe(seconds)
    for number, bound in enumerate(BOUNDS):
        assert sum(histogram.counts[: number + 1]) == sum(seconds <= bound for seconds in observed)
    assert sum(histogram.counts) == len(observed)
    assert histogram.total == pytest.approx(sum(observed))  # from Python 3.12 on, sum() makes up for what it rounds
