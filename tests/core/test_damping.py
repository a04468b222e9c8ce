"""What counts of an entry that is damped: the moments one by one, and properties over any history."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from ha_monitor.evaluate.damping import Damped, Damping, all_down, damp, give_up
from ha_monitor.model import Status

UP, DOWN, FAIL, UNKNOWN = Status.UP, Status.DOWN, Status.FAIL, Status.UNKNOWN


class Moment(NamedTuple):
    at: float
    raw: Status
    counts: Status
    damped: Damped


def play(damping: Damping, history: list[tuple[float, Status]], until: float) -> list[Moment]:
    """Live through what an entry was, from when on, with a look at each time that is due."""
    moments: list[Moment] = []
    damped: Damped | None = None
    for (at, raw), (end, _) in pairwise([*history, (until, UNKNOWN)]):
        damped = damp(damping, damped, raw, at)
        moments.append(Moment(at, raw, damped.counts, damped))
        while damped.due is not None and damped.due < end:
            now = damped.due
            damped = damp(damping, damped, raw, now)
            moments.append(Moment(now, raw, damped.counts, damped))
    return moments


def counted(damping: Damping, *history: tuple[float, Status], until: float = 1000.0) -> list[tuple[float, Status]]:
    """Give what counts, each with the time from which on."""
    told: list[tuple[float, Status]] = []
    for moment in play(damping, list(history), until):
        if not told or told[-1][1] is not moment.counts:
            told.append((moment.at, moment.counts))
    return told


def test_a_cold_start_is_not_damped() -> None:
    for first in (UP, DOWN, FAIL, UNKNOWN):
        assert counted(Damping(rise=5, fall=3), (0, first)) == [(0, first)]
    assert counted(Damping(rise=5), (0, UNKNOWN), (2, UP)) == [(0, UNKNOWN), (2, UP)]


def test_what_rises_or_falls_has_to_stay_so() -> None:
    damping = Damping(rise=5, fall=3)
    assert counted(damping, (0, UP), (10, DOWN), (20, UP)) == [(0, UP), (13, DOWN), (25, UP)]
    assert counted(damping, (0, UP), (10, DOWN), (12, UP)) == [(0, UP)]
    assert counted(damping, (0, UP), (10, DOWN), (12, UP), (14, DOWN)) == [(0, UP), (17, DOWN)]


def test_what_can_not_be_known_counts_at_once_and_breaks_the_wait() -> None:
    damping = Damping(rise=5, fall=3)
    assert counted(damping, (0, UP), (10, DOWN), (11, UNKNOWN), (12, DOWN)) == [
        (0, UP), (11, UNKNOWN), (12, UP), (15, DOWN),
    ]  # fmt: skip
    assert counted(damping, (0, UP), (10, UNKNOWN), (12, UP)) == [(0, UP), (10, UNKNOWN), (12, UP)]


def test_a_state_that_was_away_for_its_timeout_counts_at_once() -> None:
    assert counted(Damping(fall=30), (0, UP), (10, UNKNOWN), (70, FAIL)) == [(0, UP), (10, UNKNOWN), (70, FAIL)]
    assert counted(Damping(fall=30), (0, DOWN), (10, FAIL)) == [(0, DOWN), (10, FAIL)]


def test_what_is_pending_says_when() -> None:
    pending = play(Damping(fall=3), [(0, UP), (10, DOWN)], 11)[-1].damped
    assert (pending.pending, pending.raw, pending.counts, pending.due) == (True, DOWN, UP, 13)
    assert not play(Damping(fall=3), [(0, UP), (10, DOWN)], 20)[-1].damped.pending


def test_what_turns_too_often_is_held_down_until_it_is_quiet() -> None:
    damping = Damping(turns=2, window=10)
    history = [(0, UP), (1, DOWN), (2, UP), (3, DOWN), (4, UP), (8, DOWN), (9, UP)]
    assert counted(damping, *((float(at), raw) for at, raw in history)) == [
        (0, UP), (1, DOWN), (2, UP), (3, DOWN), (19, UP),
    ]  # fmt: skip
    moments = play(damping, [(float(at), raw) for at, raw in history], 15.0)
    assert [moment.damped.flapping for moment in moments] == [False, False, False, True, True, True, True]
    assert counted(damping, (0, UP), (20, DOWN), (40, UP), (60, DOWN)) == [(0, UP), (20, DOWN), (40, UP), (60, DOWN)]


def test_nobody_waits_to_hear_that_everything_is_down() -> None:
    falling = play(Damping(fall=30), [(0, UP), (10, DOWN)], 11)[-1].damped
    assert give_up(falling).counts is DOWN
    assert give_up(falling).due is None
    rising = play(Damping(rise=30), [(0, DOWN), (10, UP)], 11)[-1].damped
    assert give_up(rising) is rising
    assert all_down([DOWN, FAIL])
    assert not all_down([DOWN, UNKNOWN])
    assert not all_down([DOWN, UP])


HISTORIES = st.lists(
    st.tuples(st.sampled_from([0.5, 1.0, 2.0, 3.0, 7.0, 20.0]), st.sampled_from([UP, DOWN, DOWN, FAIL, UNKNOWN])),
    min_size=1, max_size=25,
).map(lambda steps: [(sum(wait for wait, _ in steps[: i + 1]), raw) for i, (_, raw) in enumerate(steps)])  # fmt: skip
SPANS = st.sampled_from([0.0, 1.0, 2.5, 6.0])


@given(HISTORIES, SPANS, SPANS)
def test_what_counts_is_what_it_was_for_long_enough(
    history: list[tuple[float, Status]], rise: float, fall: float
) -> None:
    """The oracle looks at the whole history at once, from the end of what counted before."""
    for moment in play(Damping(rise, fall), history, 1000.0):
        so_far = [(at, raw) for at, raw in history if at <= moment.at]
        raw = so_far[-1][1]
        if raw is UNKNOWN:
            assert moment.counts is UNKNOWN
            continue
        since = next(
            (at for at, other in reversed(so_far) if other is UNKNOWN or (other is UP) is not (raw is UP)), None
        )
        began = min(at for at, _ in so_far if since is None or at > since)
        stayed = moment.at - began
        if raw is FAIL or stayed >= (rise if raw is UP else fall):
            assert moment.counts is raw
        elif moment.counts is not raw:
            assert (moment.counts is UP) is not (raw is UP)
            assert moment.damped.due == began + (rise if raw is UP else fall)


@given(HISTORIES, SPANS, SPANS, st.integers(0, 4))
def test_in_the_end_it_counts_as_what_it_is_in_bounded_memory(
    history: list[tuple[float, Status]], rise: float, fall: float, turns: int
) -> None:
    moments = play(Damping(rise, fall, turns, 10.0), history, 10_000.0)
    assert moments[-1].counts is history[-1][1]
    assert not moments[-1].damped.flapping
    assert moments[-1].damped.due is None
    assert all(len(moment.damped.turns) <= turns + 1 for moment in moments)


@given(HISTORIES, SPANS, SPANS, st.integers(1, 4))
def test_what_flaps_is_never_up(history: list[tuple[float, Status]], rise: float, fall: float, turns: int) -> None:
    for moment in play(Damping(rise, fall, turns, 10.0), history, 1000.0):
        if moment.damped.flapping:
            assert moment.counts in (DOWN, FAIL)


@given(st.floats(0, 1e6), st.floats(0.1, 1e3), SPANS)
@example(0.8395932076435852, 10.0, 0.0)
def test_at_the_time_that_was_named_something_else_counts(turned: float, span: float, rise: float) -> None:
    """Whatever the two round to: who comes at that very moment is not told to come at it once more."""
    for damping in (Damping(turns=1, window=span), Damping(rise=rise, fall=span)):
        damped = damp(damping, damp(damping, None, DOWN, turned / 2), UP, turned / 2)
        damped = damp(damping, damped, DOWN, turned)
        while damped.due is not None:
            now = damped.due
            damped = damp(damping, damped, DOWN, now)
            assert damped.due is None or damped.due > now
