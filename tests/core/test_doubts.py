"""A write whose answer was lost may land for some seconds after etcd is heard again, however often that happens."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from ha_monitor.evaluate.unit import Family
from ha_monitor.publish.decider import LATE, Decider
from ha_monitor.publish.desire import Publish
from ha_monitor.publish.transaction import Write
from ha_monitor.testing import LoopClock
from ha_monitor.watch.views import KeyView

if TYPE_CHECKING:
    from collections.abc import Callable


class Timer:
    def cancel(self) -> None:
        raise NotImplementedError


class HandClock(LoopClock):
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[tuple[float, int, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        heapq.heappush(self.due, (self.now + delay, len(self.due), callback))
        return Timer()

    def turn(self, until: float) -> None:
        while self.due and self.due[0][0] <= until:
            self.now, _, callback = heapq.heappop(self.due)
            callback()
        self.now = until


class Doubter:
    """A decider, and the records that it has looked at again."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.looked_at: list[str] = []
        self.decider = Decider(
            self.clock, form=Publish.ESI, state_timeout=60.0, want=lambda _, id_: self.looked_at.append(id_)
        )
        self._family = Family("ha_interface", KeyView("/config/v2.0/ha_interfaces/"), None)

    def unanswered(self) -> None:
        record = b'{"primary":"UP","version":1}'  # the same object each time, as what is written is kept
        of = (self._family, "a")
        self.decider.unanswered(Write(of, b"/monitoring/a", record, 0, b"/config/a", 7, self.clock.now))

    def sent_in_vain(self) -> None:
        self.decider.hear(False)
        self.unanswered()
        self.decider.hear(True)


def test_the_same_record_sent_in_vain_once_more_may_land_as_long_again() -> None:
    doubter = Doubter()
    doubter.sent_in_vain()
    doubter.clock.turn(LATE - 1.0)
    doubter.sent_in_vain()
    doubter.clock.turn(LATE + 1.0)
    assert doubter.looked_at == [], "it may still land"
    doubter.clock.turn(2 * LATE)
    assert doubter.looked_at == ["a"]


def test_one_whose_answer_is_lost_while_etcd_is_heard_may_land_no_longer() -> None:
    doubter = Doubter()
    doubter.decider.hear(True)
    doubter.clock.turn(100.0)
    doubter.unanswered()
    doubter.clock.turn(100.0 + LATE - 1.0)
    assert doubter.looked_at == [], "it may still land"
    doubter.clock.turn(100.0 + LATE)
    assert doubter.looked_at == ["a"]
