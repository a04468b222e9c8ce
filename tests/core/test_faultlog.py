"""What is logged of faults: each kind once and now and then, and its end when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.errors import EtcdDenied, EtcdUnavailable
from ha_monitor.faultlog import AGAIN, FaultLog, ProblemLog
from ha_monitor.testing import LoopClock

if TYPE_CHECKING:
    import pytest


class Stopped(LoopClock):
    """A clock that goes where it is told to."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_each_kind_is_said_once_and_again_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ha_monitor")
    clock = Stopped()
    faults = FaultLog(clock, "it is over")
    for second in range(int(AGAIN) + 1):
        clock.now = float(second)
        faults.note(EtcdUnavailable("no leader"))
        faults.note(EtcdDenied("permission denied"), "pair/a")
    said = ["no leader", "pair/a: permission denied"]
    again = f" ({AGAIN - 1:.0f} more like it)"
    assert caplog.messages == [*said, *(words + again for words in said)]
    caplog.clear()
    faults.over()
    faults.over()
    assert caplog.messages == ["it is over"]
    faults.note(EtcdUnavailable("no leader"))
    assert caplog.messages[1:] == ["no leader"]


def test_problems_are_said_a_few_at_a_time_and_those_that_were_said_are_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ha_monitor")
    clock = Stopped()
    problems = ProblemLog(clock)
    for number in range(12):
        problems.note("pair", str(number), "no such field")
    problems.note("pair", "3", "no such field")
    assert caplog.messages == [f"pair/{number}: problem: no such field" for number in range(10)]
    caplog.clear()
    problems.note("pair", "11", None)  # of which nothing was said
    problems.note("pair", "3", None)
    clock.now = AGAIN
    problems.note("pair", "4", "another")
    assert caplog.messages == ["pair/3: its problem is over", "pair/4: problem: another (2 more were not said)"]
