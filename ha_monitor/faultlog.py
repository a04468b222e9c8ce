"""Logs faults of etcd so that an outage of an hour is a few lines: a new one at once, the same one now and then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ha_monitor.clock import Clock

log = logging.getLogger("ha_monitor")

AGAIN = 30.0
"""Seconds after which a fault that goes on is said again."""


class FaultLog:
    """Says faults, and their end."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kind: type[Exception] | None = None
        self._said_at = 0.0
        self._kept_back = 0

    def note(self, error: Exception) -> None:
        """Say a fault unless one of its kind was said just now."""
        now = self._clock.monotonic()
        if type(error) is self._kind and now - self._said_at < AGAIN:
            self._kept_back += 1
            return
        more = f" ({self._kept_back} more like it)" if self._kept_back else ""
        log.warning("%s%s", error, more)
        self._kind, self._said_at, self._kept_back = type(error), now, 0

    def over(self) -> None:
        """Say that etcd is heard again, where it was said that it is not."""
        if self._kind is not None:
            log.info("etcd is heard and every watch is caught up")
            self._kind, self._kept_back = None, 0
