"""The time, as one object that is handed in, so that tests can turn it by hand."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_SUSPENDED_TOO: int | None = getattr(time, "CLOCK_BOOTTIME", None)
"""Linux's clock that goes on while the machine is suspended, as its monotonic one does not: a virtual machine that
wakes up would take what it knows, and its lease, for as young as they were before."""

_monotonic = time.monotonic if _SUSPENDED_TOO is None else partial(time.clock_gettime, _SUSPENDED_TOO)


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Forget the call."""


class Clock(Protocol):
    """Time in float seconds."""

    def time(self) -> float:
        """Seconds since the epoch, for showing only: it jumps when somebody sets it."""

    def monotonic(self) -> float:
        """Seconds on a clock that nobody sets, for every decision."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back on the event loop after ``delay`` seconds."""


class SystemClock:
    """The machine's own time, on the running event loop."""

    def time(self) -> float:
        """Give the wall clock."""
        return time.time()

    monotonic = staticmethod(_monotonic)
    """Give the clock that counts since the machine was started. Of C alone: it is asked for each record."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back on the running event loop."""
        return asyncio.get_running_loop().call_later(delay, callback)
