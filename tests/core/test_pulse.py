"""The pulse on its own, with a clock turned by hand: a process that was frozen in the middle of a beat goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.lowlevel
import pytest
from aetcd import rpc

from ha_monitor.clock import SystemClock
from ha_monitor.watch.proof import Freshness, Reading
from ha_monitor.watch.pulse import PROBE_EVERY, Pulse

if TYPE_CHECKING:
    from ha_monitor.errors import EtcdError
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.watch.feed import Feed

pytestmark = pytest.mark.anyio


class Turned(SystemClock):
    """A clock that jumps when it is told to."""

    ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class Answers:
    """An etcd that answers every probe."""

    def __init__(self) -> None:
        self.probes = 0

    async def range(self, *_: Any) -> rpc.RangeResponse:
        self.probes += 1
        return rpc.RangeResponse(header=rpc.ResponseHeader(revision=self.probes))


class Sleepy:
    """A watch during whose progress request the whole process stands still for longer than the pause between probes."""

    caught_up = True
    revision = 1

    def __init__(self, clock: Turned) -> None:
        self.clock = clock
        self.freshness = Freshness(0.0)

    def store_read(self, reading: Reading) -> None:
        pass

    def doubt(self, revision: int) -> None:
        pass

    async def confirm(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.clock.ahead += 2 * PROBE_EVERY


async def test_a_process_frozen_in_the_middle_of_a_beat_goes_on() -> None:
    clock, etcd = Turned(), Answers()
    feeds = [cast("Feed", Sleepy(clock))]
    faults: list[EtcdError] = []
    pulse = Pulse(
        cast("EtcdClient", etcd),
        clock,
        "/config",
        lambda: feeds,
        on_turn=lambda: None,
        on_fault=lambda error, refused: faults.append(error),
    )
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pulse.run)
            while etcd.probes < 3:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert not faults
