"""As of when a watch is right: linearizable reads of the store's revision, and the revision that the watch has reached.

A watch says up to which revision it is right, never as of when: a member that lags behind, or a process that is slow
itself, may reach an old revision at any time. A linearizable read says which revision the store had when the read was
sent. So a watch is right as of the newest such read whose revision it has reached. Kubernetes does the same for
consistent reads from its watch cache (KEP 2340).
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

_PENDING = 16
"""Reads whose revision is still to be reached that are kept, the newest. At a read each 2.5 s a watch that is further
behind has been stale for half a minute; it only counts as older than it is until it reaches one of these."""


_APART = 1.0
"""Seconds between two of those that are kept, at least: consistent reads may ask for hundreds in a second."""


class Reading(NamedTuple):
    """The store's revision, by a linearizable read; when that was sent, in seconds since the epoch and monotonic."""

    revision: int
    at: float
    sent: float


class Freshness:
    """As of when one watch is known to be right."""

    def __init__(self, began: float) -> None:
        """Begin.

        :param began: monotonic seconds; what counts as proof before the first one, so that an age can be told.
        """
        self.proven_at = 0.0
        """Seconds since the epoch; 0 before the first proof."""
        self.proven = began
        """The same in monotonic seconds."""
        self._pending: deque[Reading] = deque(maxlen=_PENDING)

    def read(self, reading: Reading, reached: int) -> None:
        """Note a read, and up to which revision the watch is right already."""
        if reading.revision <= reached:
            self._prove(reading)
        elif not self._pending or reading.sent - self._pending[-1].sent >= _APART:
            self._pending.append(reading)

    def reached(self, revision: int) -> None:
        """Note that the watch is right up to a revision."""
        pending = self._pending
        while pending and pending[0].revision <= revision:
            self._prove(pending.popleft())

    def forget(self) -> None:
        """Drop the reads whose revision was not reached: the store may never have it again."""
        self._pending.clear()

    def _prove(self, reading: Reading) -> None:
        if reading.sent > self.proven or not self.proven_at:
            self.proven_at, self.proven = reading.at, reading.sent
