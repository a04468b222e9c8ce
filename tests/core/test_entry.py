"""An entry and the clock it goes by, turned by hand: the moments that no test from outside can meet at will."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.lowlevel
import pytest
from aetcd import rpc

from ha_monitor.clock import SystemClock
from ha_monitor.evaluate.entry import Entry
from ha_monitor.evaluate.fleet import Fleet
from ha_monitor.evaluate.leaves import Leaves
from ha_monitor.evaluate.unit import Family, Unit
from ha_monitor.model import Status
from ha_monitor.plugins.etcd_reader import EtcdReader
from ha_monitor.reading.state import StateReader, monitoring_dependencies
from ha_monitor.watch.states import StateView
from ha_monitor.watch.views import KeyView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ha_monitor.clock import Clock, Timer
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


def fleet(clock: Clock) -> Fleet:
    nothing = cast("Any", None)
    return Fleet(lookup=nothing, maker=nothing, leaves=Leaves(), workers=nothing, clock=clock)


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "not heard"])
async def test_a_deadline_that_passes_between_two_looks_at_the_clock_is_not_slept_through(heard: bool) -> None:
    host = fleet(Creeping())
    host.hear(heard)
    unit = Unit(Family("ha_interface", KeyView("/config/v2.0/ha_interfaces/"), None), "a", host)
    entry = Entry("primary", unit, cast("EntryType", Absent()), TIMEOUT)
    entry.begin(asyncio.get_running_loop())

    def verdict() -> tuple[Status | None, str]:
        return entry.status, entry.reason

    in_the_end = (Status.FAIL, "no state for 60 s") if heard else (Status.UNKNOWN, "etcd can't be heard")
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(entry.run, asyncio.get_running_loop())
            while verdict() != in_the_end:
                await anyio.lowlevel.checkpoint()
            host.hear(True)
            while verdict() != (Status.FAIL, "no state for 60 s"):
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()


async def test_a_state_that_changes_and_changes_back_in_one_reply_wakes_nobody() -> None:
    view = StateView("/p/", StateReader(frozenset({"UP"}), monitoring_dependencies))
    family = Family("ha_interface", KeyView("/config/v2.0/ha_interfaces/"), None)
    unit = Unit(family, "a", fleet(SystemClock()))
    entry = Entry("primary", unit, EtcdReader({"etcd_type": "p", "etcd_id": "a"}), TIMEOUT)
    entry.hang_on([view.hang("a", entry)])
    revision = 0

    def bring(*states: bytes) -> None:
        nonlocal revision
        events = []
        for value in states:
            revision += 1
            events.append(rpc.Event(kv=rpc.KeyValue(key=b"/p/a", value=value, mod_revision=revision)))
        for _ in view.apply(events):
            pass

    up, down = b'{"interface":"UP"}', b'{"interface":"DOWN"}'
    view.list_begins()
    for _ in view.list_ends(0):
        pass
    entry.begin(asyncio.get_running_loop())
    assert (entry.status, entry.is_behind) == (Status.UNKNOWN, False)
    bring(down)
    assert entry.is_behind, "its task has not had a turn yet, and it is known all the same"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(entry.run, asyncio.get_running_loop())
        await anyio.wait_all_tasks_blocked()
        assert (entry.status, entry.is_behind) == (Status.DOWN, False)
        bring(up)
        await anyio.wait_all_tasks_blocked()
        assert entry.wakeup is not None
        bring(down, up)
        assert (entry.wakeup.done(), entry.revision()) == (False, 4)
        bring(down, up, down)
        assert entry.wakeup.done()
        bring(up)
        await anyio.wait_all_tasks_blocked()
        assert (entry.status, entry.revision()) == (Status.UP, 8)
        tasks.cancel_scope.cancel()
