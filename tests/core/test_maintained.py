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
    """A clock turned by hand, on which each look at the wall clock takes its time."""

    def __init__(self, look: float = 0.0) -> None:
        self.now, self.look = START, look
        self.timers: list[Timer] = []

    def time(self) -> float:
        self.now += self.look
        return self.now

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
    assert len(maintained) == 0


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
