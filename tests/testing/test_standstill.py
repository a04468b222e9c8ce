"""A process that was frozen, or its machine suspended: what was due has its turn before what waits to be read.

The time of the loop is advanced under it, and what etcd had sent comes a moment after the timers that were due, and
after etcd's answer to the first question. A real process meets this order where that is the last to be read.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, cast

import anyio
import pytest

from ha_monitor import Settings, Status
from ha_monitor.plugins import Plugins, StateRef
from ha_monitor.testing import MemoryEtcd
from ha_monitor.testing.loop import VirtualLoop
from ha_monitor.watch.feed import NO_SIGN_OF_LIFE
from tests.support import site
from tests.testing.fleet import Fleet, ready, until
from tests.testing.held_back import HeldBack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence


TIMEOUT = 6.0
FROZEN = 20.0
ON_ITS_WAY = 0.05
"""Seconds from the end of the freeze until what the watches had sent is read: the timers and the probe are quicker."""


class Loop(VirtualLoop):
    def stand_still(self, seconds: float) -> None:
        """Have the time pass while nobody has a turn."""
        self._now += seconds


async def change_while_frozen(etcd: HeldBack, changes: dict[str, object]) -> None:
    etcd.holds = True
    etcd.txn(changes)
    await anyio.sleep(0.001)  # etcd sends it
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.stand_still(FROZEN)
    await anyio.sleep(ON_ITS_WAY)
    etcd.let_go()


def in_a_loop_that_freezes(main: Callable[[], Awaitable[None]]) -> None:
    anyio.run(main, backend="asyncio", backend_options={"loop_factory": Loop})


@pytest.fixture(params=["3.5.1", "3.5.9"], ids=["progress overtakes", "progress in line"])
def fleet(request: pytest.FixtureRequest) -> Fleet:
    return Fleet(etcd=HeldBack(version=request.param))


@pytest.mark.parametrize(
    ("gone", "ends_as", "settings"),
    [(None, Status.FAIL, {}), (site.DOWN, Status.DOWN, {"fall": TIMEOUT})],
    ids=["no state", "held back"],
)
def test_what_was_back_before_anybody_looked_is_not_told_as_gone(
    fleet: Fleet, gone: object, ends_as: Status, settings: dict[str, Any]
) -> None:
    async def main() -> None:
        etcd = fleet.etcd
        assert isinstance(etcd, HeldBack)
        async with etcd.monitor(Settings(state_timeout=TIMEOUT, **settings)) as monitor:
            await ready(monitor)
            await fleet.right()
            for number in (0, 1):
                if gone is None:
                    etcd.delete(fleet.pairs[number].primary_state)
                else:
                    fleet.flip(number, gone)
            await anyio.sleep(1.0)
            before = etcd.revision
            await change_while_frozen(etcd, {fleet.pairs[0].primary_state: site.UP})
            await until(lambda: etcd.record(fleet.pairs[1].record) == site.record(ends_as), 2.0)
            await anyio.sleep(3 * TIMEOUT)
            told = [(change.id, change.new) for change in monitor.history() if change.entry == "primary"]
            assert ("ha1", ends_as) in told, "who stays gone is told of, once that can be known"
            assert ("ha0", ends_as) not in told
            assert etcd.revision == before + 2, "one change of etcd's in the freeze, and one record"
            assert etcd.record(fleet.pairs[0].record) == site.record()
            assert monitor.readiness().ready

    in_a_loop_that_freezes(main)


SLICES, IN_A_SLICE = 100, 4


class Slow:
    """An entry type that takes its time."""

    shared = True
    types: ClassVar[tuple[str, ...]] = ("slow",)
    required: ClassVar[tuple[str, ...]] = ("id",)
    text: ClassVar[frozenset[str]] = frozenset({"id"})
    ids: ClassVar[frozenset[str]] = frozenset({"id"})
    defaults: ClassVar[dict[str, Any]] = {}
    seconds = 0.0

    def __init__(self, props: Mapping[str, Any]) -> None:
        self.keys = (StateRef("er_physical_interface", props["id"]),)

    def evaluate(self, states: Sequence[object]) -> tuple[Status, str]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        loop.stand_still(Slow.seconds)
        return (Status.UP if any(states) else Status.DOWN), ""


def test_a_watch_whose_last_word_is_still_being_taken_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ha_monitor.monitor.load_plugins", lambda: Plugins({"slow": cast("Any", Slow)}, ()))
    monkeypatch.setattr("ha_monitor.watch.states.WOKEN_IN_A_SLICE", IN_A_SLICE)
    count = SLICES * IN_A_SLICE
    states = [f"/monitoring/v2.0/er_physical_interfaces/{number}" for number in range(count)]

    async def main() -> None:
        etcd = MemoryEtcd()
        text = "a: {type: slow, id: '{{ i }}'}\n"
        etcd.txn(site.template("port_monitoring", text, {"i": {"field": "id"}}))
        for number, state in enumerate(states):
            etcd.txn({state: site.UP, f"/config/v2.0/ports/{number}": site.envelope({"id": f"{number}"})})
        async with etcd.monitor(Settings()) as monitor:
            await ready(monitor)
            opened = [watch.reconnects for watch in monitor.measures().watches]
            monkeypatch.setattr(Slow, "seconds", NO_SIGN_OF_LIFE / 8 / IN_A_SLICE)
            etcd.delete_prefix("/monitoring/v2.0/er_physical_interfaces/")
            await until(lambda: {resource.status for resource in monitor.resources()} == {Status.DOWN}, 600.0)
            await anyio.sleep(10.0)
            assert [watch.reconnects for watch in monitor.measures().watches] == opened

    in_a_loop_that_freezes(main)
