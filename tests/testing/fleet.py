"""A monitor on an etcd in memory, a few pairs in it, and the oracle: a fresh evaluation of all its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from ha_monitor import Settings
from ha_monitor.testing import MemoryEtcd
from ha_monitor.testing.versions import NEWEST
from tests.support import site
from tests.support.oracle import differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor import HaMonitor

RIGHT_WITHIN = 90.0
"""Seconds of virtual time in which all is right again: a state's timeout of 60 s, and the longest pauses."""

TOLD_WITHIN = 10.0
"""Seconds in which losing etcd has to show."""

STATE_TIMEOUT = 60.0


class Fleet:
    """Pairs 0, 1 and 2 with a gateway above the first, in an etcd."""

    def __init__(self, version: str = NEWEST, *, etcd: MemoryEtcd | None = None) -> None:
        self.etcd = etcd or MemoryEtcd(version=version)
        self.pairs = [site.HaInterface(f"ha{number}", f"p{number}", f"s{number}") for number in range(3)]
        keys: dict[str, Any] = site.ha_template() | site.gateway_template()
        for pair in self.pairs:
            keys |= pair.keys()
        keys["/config/v2.0/vpn_gateways/vpn0"] = site.envelope({"id": "vpn0", "downlink_interface_id": "ha0"})
        self.etcd.txn(keys)

    def monitor(self, **settings: Any) -> HaMonitor:
        return self.etcd.monitor(Settings(**{"state_timeout": STATE_TIMEOUT, **settings}))

    def flip(self, number: int, value: object = site.DOWN) -> None:
        """Write the state of a pair's primary side."""
        self.etcd.put(self.pairs[number].primary_state, value)

    def wrong(self) -> list[str]:
        """Give where what is published differs from a fresh evaluation."""
        return differences(self.etcd.items())

    async def right(self, within: float = RIGHT_WITHIN) -> None:
        """Wait until what is published equals a fresh evaluation."""
        await until(lambda: not differences(self.etcd.items()), within, lambda: differences(self.etcd.items()))


async def until(true: Callable[[], bool], within: float, words: Callable[[], object] = str) -> None:
    """Wait until something is so, in virtual time, where a look costs nothing."""
    with anyio.move_on_after(within):
        while not true():  # noqa: ASYNC110
            await anyio.sleep(0.05)
        return
    raise AssertionError(f"not so within {within:g} s: {words()}")


async def ready(monitor: HaMonitor, within: float = RIGHT_WITHIN) -> None:
    await until(lambda: monitor.readiness().ready, within, monitor.readiness)


async def unready(monitor: HaMonitor) -> str:
    """Wait until it says that it can't be trusted, in time; give why."""
    await until(lambda: not monitor.readiness().ready, TOLD_WITHIN)
    return monitor.readiness().reason


def owned(*monitors: HaMonitor) -> list[int]:
    """Give the shards that members publish for, each as often as there are members that do."""
    groups = [monitor.group() for monitor in monitors]
    return sorted(shard for group in groups if group is not None for shard in group.owned)


def takeovers(*monitors: HaMonitor) -> int:
    """Give how often shards came to members."""
    groups = [monitor.group() for monitor in monitors]
    return sum(group.takeovers for group in groups if group is not None)
