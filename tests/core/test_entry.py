"""An entry and the clock it goes by, turned by hand: the moments that no test from outside can meet at will."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.lowlevel
import pytest

from ha_monitor.clock import SystemClock
from ha_monitor.evaluate.entry import Entry
from ha_monitor.evaluate.fleet import Fleet
from ha_monitor.evaluate.unit import Family, Unit
from ha_monitor.model import Status
from ha_monitor.watch.views import KeyView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ha_monitor.clock import Timer
    from ha_monitor.plugins import EntryType
    from ha_monitor.reading.state import State

pytestmark = pytest.mark.anyio

TIMEOUT = 60.0


class Creeping(SystemClock):
    """A clock that moves on at each look, and by nothing else; its timers fire a moment early, as uvloop's do."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        self.now += 0.001
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.now = max(self.now, self.now + delay - 0.0015)
        return super().call_later(0.0, callback)


class Absent:
    """What hangs on a state that is not there."""

    def evaluate(self, states: Sequence[State | None]) -> tuple[Status, str]:
        return Status.UNKNOWN, "no state"


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "not heard"])
async def test_a_deadline_that_passes_between_two_looks_at_the_clock_is_not_slept_through(heard: bool) -> None:
    nothing = cast("Any", None)
    fleet = Fleet(
        keyspace=nothing, plugins={}, read_state=nothing, state_timeout=TIMEOUT, watches=nothing, leaves=nothing,
        workers=nothing, clock=Creeping(),
    )  # fmt: skip
    fleet.hear(heard)
    unit = Unit(Family("ha_interface", KeyView("/config/v2.0/ha_interfaces/"), None), "a", fleet)
    entry = Entry("primary", unit, cast("EntryType", Absent()), TIMEOUT)

    def verdict() -> tuple[Status | None, str]:
        return entry.status, entry.reason

    in_the_end = (Status.FAIL, "no state for 60 s") if heard else (Status.UNKNOWN, "etcd can't be heard")
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(entry.run)
            while verdict() != in_the_end:
                await anyio.lowlevel.checkpoint()
            fleet.hear(True)
            while verdict() != (Status.FAIL, "no state for 60 s"):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
