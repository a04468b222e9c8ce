"""When a freeze ends by itself, somebody is told of it: whichever moment the timer and the wall clock choose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from aetcd import rpc
from hypothesis import example, given
from hypothesis import strategies as st

from ha_monitor.maintained import LONGEST_WAIT, Maintained
from ha_monitor.reading.maintenance import read_maintenance
from ha_monitor.text import local_time, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable

START = 1_767_225_600.0


class Timer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due, self.callback, self.is_over = due, callback, False

    def cancel(self) -> None:
        self.is_over = True


class HandClock:
    """A clock turned by hand, on which each look at the wall clock takes its time; that one may be ahead, or behind."""

    def __init__(self, look: float = 0.0) -> None:
        self.now, self.look, self.ahead = START, look, 0.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        self.now += self.look
        return self.now + self.ahead

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + delay, callback))
        return self.timers[-1]

    def turn(self, until: float, *, early: float = 0.0) -> None:
        """Go on to a time; timers come by so much too early, as those of event loops do."""
        while due := [timer for timer in self.timers if not timer.is_over and timer.due - early <= until]:
            timer = min(due, key=lambda timer: timer.due)
            timer.is_over = True
            self.now = max(self.now + 0.000_1, timer.due - early)  # a turn of the loop takes its time, too
            timer.callback()
        self.now = max(self.now, until)


def freeze(maintained: Maintained, until: float | None) -> None:
    value = msgspec.json.encode({"until": until})
    item = rpc.KeyValue(key=b"/m/ha/1", value=value, mod_revision=5, version=1)
    for _ in maintained.view.apply([rpc.Event(type=rpc.Event.EventType.PUT, kv=item)]):
        pass


@pytest.mark.parametrize("look", [0.0, 0.000_4, 0.002])
@pytest.mark.parametrize("early", [0.0, 0.000_5, 0.001])
def test_whoever_was_told_that_it_is_frozen_is_told_of_the_end(look: float, early: float) -> None:
    clock = HandClock(look)
    told: list[bool] = []
    maintained = Maintained("/m/", clock, lambda type_, id_: told.append(maintained.of(type_, id_) is not None))
    freeze(maintained, START + 3)
    clock.turn(START + 4, early=early)
    assert told[0]
    assert not told[-1]
    assert len(maintained.frozen) == 0


@pytest.mark.parametrize("left", [0.0, 0.000_5, 0.001, 0.002])
def test_a_freeze_that_ends_while_it_is_heard_of_is_over_for_all(left: float) -> None:
    clock = HandClock(look=0.000_5)
    told: list[bool] = []
    maintained = Maintained("/m/", clock, lambda type_, id_: told.append(maintained.of(type_, id_) is not None))
    freeze(maintained, START + left)
    clock.turn(START + 4)
    assert not told[-1]


def test_a_wall_clock_that_is_set_is_looked_at_again() -> None:
    clock = HandClock()
    told: list[bool] = []
    maintained = Maintained("/m/", clock, lambda type_, id_: told.append(maintained.of(type_, id_) is not None))
    freeze(maintained, START + 10 * LONGEST_WAIT)
    assert max(timer.due for timer in clock.timers) <= START + LONGEST_WAIT
    clock.now += 9.5 * LONGEST_WAIT  # timers don't go by this clock
    clock.timers[-1].callback()
    assert told == [True]
    clock.turn(START + 11 * LONGEST_WAIT)
    assert told == [True, False]


seconds = st.integers(0, 200)
settings_of_the_clock = st.sampled_from([-7_200, -300, -60, -30, 0, 0, 30, 60, 300, 7_200])


@given(
    st.sampled_from([0.0, 0.000_4, 0.002]), st.sampled_from([0.0, 0.001]), st.integers(-200, 400),
    st.lists(st.tuples(settings_of_the_clock, seconds, seconds), min_size=1, max_size=10),
)  # fmt: skip
@example(0.0, 0.0, 600, [(7_200, 0, 1), (0, 0, 700)])  # ahead when the key is read, until somebody sets it
@example(0.0, 0.0, 60, [(0, 0, 120), (-300, 0, 200), (-300, 0, 500)])  # set back once the freeze is over
@example(0.0, 0.0, 10, [(0, 0, 20), (-300, 5, 5), (0, 0, 60)])  # for less time than between two looks
def test_whoever_decided_by_a_clock_that_is_set_decides_again(
    look: float, early: float, left: int, steps: list[tuple[int, int, int]]
) -> None:
    clock, until = HandClock(look), START + left + 0.5
    held_back = False

    def decide() -> None:
        nonlocal held_back
        held_back = frozen()

    def frozen() -> bool:
        return maintained.of("ha", "1") is not None

    maintained = Maintained("/m/", clock, lambda type_, id_: decide())
    clock.ahead = steps[0][0]
    freeze(maintained, until)
    for ahead, before, after in steps:
        clock.ahead = ahead
        clock.turn(clock.now + before, early=early)
        decide()  # the resource is another one
        clock.turn(clock.now + after, early=early)
        assert held_back is frozen() is (len(maintained.frozen) > 0)
        if before + after > LONGEST_WAIT:
            assert held_back is (clock.time() < until)


TIMES = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.datetimes().map(str), st.text(max_size=12)
)


@given(TIMES)
@example(1_795_664_044_695_702_438)  # nanoseconds
@example("9999-12-31T23:59:59-14:00")
@example("0001-01-01T00:00:00+14:00")
def test_whatever_time_a_key_gives_it_freezes_and_can_be_shown(until: object) -> None:
    found = read_maintenance(msgspec.json.encode({"until": until}))
    assert found.until is not None or found.reason.startswith("until it is taken away, since it can't be read: ")
    if found.until:
        local_time(rfc3339(found.until) or "")
