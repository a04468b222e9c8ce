"""Python's cyclic garbage collector, told that this process keeps millions of objects for long.

As Python sets it, it looks at all of them again and again while a large fleet is listed: a third of the time that
100,000 resources take to start, and a second at a time in which nothing else happens. Nothing here makes cycles in
numbers; what ends is taken apart by its owner. So it rests while the first list is taken and evaluated, too. An
application that embeds the monitor decides for itself.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import anyio

from ha_monitor.cli.memory import trim

if TYPE_CHECKING:
    from ha_monitor.monitor import HaMonitor

_THRESHOLDS = (10_000, 5_000, 100)
"""New objects until the youngest are looked at, which takes 5 ms while a list is evaluated; how many times that until
older ones are. Chosen."""

_FIRST_LIST = 120.0
"""Seconds for which it rests at the most, while etcd is waited for, say: eight times what 100,000 resources take."""


def collect_rarely() -> None:
    """Have the collector look at the youngest objects now and then, and at old ones rarely."""
    gc.set_threshold(*_THRESHOLDS)


async def keep_out_of_it(monitor: HaMonitor) -> None:
    """Until the fleet is known, have the collector rest; from then on, have it pass over all of that for good."""
    gc.disable()
    try:
        with anyio.move_on_after(_FIRST_LIST):
            await monitor.synced()
    finally:
        gc.freeze()
        gc.enable()
    await monitor.synced()
    gc.freeze()
    trim()  # the pages of the list: a tenth of all memory that would stay with us
