"""What is logged of faults: each kind once and now and then, and its end when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.errors import EtcdDenied, EtcdUnavailable
from ha_monitor.faultlog import AGAIN, FaultLog
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
