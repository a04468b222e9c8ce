"""A write whose answer was lost may land for some seconds after etcd is heard again, however often that happens."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from ha_monitor.evaluate.unit import Family
from ha_monitor.publish.decider import LATE, Decider
from ha_monitor.publish.desire import Publish, Put
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


def test_the_same_record_sent_in_vain_once_more_may_land_as_long_again() -> None:
    family = Family("ha_interface", KeyView("/config/v2.0/ha_interfaces/"), None)
    looked_at: list[tuple[Family, str]] = []
    clock = HandClock()
    decider = Decider(
        clock, form=Publish.ESI, state_timeout=60.0, want=lambda family, id_: looked_at.append((family, id_))
    )

    def sent_in_vain() -> None:
        value = bytes(bytearray(b'{"primary":"UP","version":1}'))
        decider.unanswered(Write(family, "a", Put(value, 7), b"/monitoring/a", 0, b"/config/a", clock.now))
        decider.heard()

    sent_in_vain()
    clock.turn(LATE - 1.0)
    sent_in_vain()
    clock.turn(LATE + 1.0)
    assert looked_at == [], "it may still land"
    clock.turn(2 * LATE)
    assert looked_at == [(family, "a")]
