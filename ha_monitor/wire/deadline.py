"""Deadlines are for the other side: the time for which our own event loop was held up does not count.

An event loop that was held up runs its timers first (uvloop always, asyncio where the answer has not arrived before it
looks), and reads what has arrived meanwhile afterwards. To give up a member for that would make a slow process slower.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.clock import Timer

_HELD_UP = 0.1
"""Seconds by which a timer is late from which on the event loop counts as held up; a turn of ours takes up to 0.1 s."""

_MOST = 1.0
"""Seconds that the other side gets on top at most. Chosen: enough to read and answer; losing etcd is still told within
10 s."""


class Deadline:
    """Calls back once the other side is late; once more that much later where the event loop was held up."""

    __slots__ = ("_call_later", "_due", "_now", "_on_late", "_timer")

    def __init__(
        self,
        seconds: float,
        on_late: Callable[[], None],
        now: Callable[[], float],
        call_later: Callable[[float, Callable[[], None]], Timer],
    ) -> None:
        """Begin.

        :param seconds: from now on.
        :param now: gives the time by which ``call_later`` calls, in monotonic seconds.
        """
        self._due = now() + seconds
        self._on_late = on_late
        self._now = now
        self._call_later = call_later
        self._timer = call_later(seconds, self._fire)

    def _fire(self) -> None:
        late, self._due = self._now() - self._due, math.inf  # so that it is never late a second time
        if late > _HELD_UP:
            self._timer = self._call_later(min(late, _MOST), self._fire)
        else:
            self._on_late()

    def cancel(self) -> None:
        """Call nobody any more."""
        self._timer.cancel()
        self._on_late = _nothing  # its owner has this deadline: no cycle is left to the collector


def _nothing() -> None:
    """Do nothing."""
