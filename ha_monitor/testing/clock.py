"""A clock that goes by the event loop's own time, so that it stands, or jumps, with it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.clock import Timer

WALL_CLOCK = 1_767_225_600.0
"""What the clock on the wall shows at the start, in seconds since the epoch: 2026-01-01T00:00:00Z. Chosen: the same in
each run, so that what is shown can be compared."""


class LoopClock:
    """Implements :class:`ha_monitor.clock.Clock` on the time of the event loop that runs."""

    def __init__(self, wall: float = WALL_CLOCK) -> None:
        """Prepare; the clock starts when it is first looked at.

        :param wall: what the clock on the wall shows then, in seconds since the epoch.
        """
        self._wall = wall
        self._started: float | None = None

    def time(self) -> float:
        """Seconds since the epoch."""
        now = self.monotonic()
        if self._started is None:
            self._started = now
        return self._wall + now - self._started

    def set(self, wall: float) -> None:
        """Set the clock on the wall, as somebody does whose clock was wrong; what is due comes no sooner."""
        self._wall, self._started = wall, self.monotonic()

    def monotonic(self) -> float:
        """Seconds on the event loop's clock."""
        return asyncio.get_running_loop().time()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back on the running event loop."""
        return asyncio.get_running_loop().call_later(delay, callback)
