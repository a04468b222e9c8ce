"""Memory that is given back to the system: what the first list took, and what a fleet leaves that has gone.

Python's own allocator gives back a megabyte at a time, of which nothing may be in use; with ``PYTHONMALLOC=malloc`` the
C library takes its place, which gives back each page.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from ha_monitor.monitor import HaMonitor

FEWEST = 1_000
"""Resources that have to be gone, for it to be worth anything: they take 4 MiB."""

LOOK = 5.0
"""Seconds between two looks at how many there are."""

REST = 15.0
"""Seconds that what is told of those that have gone may lie in queues: of 10,000 changes, the log takes ten."""


def trim() -> None:
    """Give back what is free of the C library's memory."""
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such thing, or gives back by itself
        ctypes.CDLL(None).malloc_trim(0)


async def give_back(monitor: HaMonitor) -> None:
    """Whenever half of the resources have gone, give back their memory, until cancelled."""
    await monitor.synced()
    most = 0
    while True:
        await anyio.sleep(LOOK)
        left = monitor.progress().resources
        most = max(most, left)
        if most - left >= max(FEWEST, most / 2):
            await anyio.sleep(REST)
            monitor.shrink()
            trim()
            most = monitor.progress().resources
