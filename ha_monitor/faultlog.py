"""Logs faults of etcd so that an outage of an hour is a few lines: a new one at once, the same one now and then."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ha_monitor.clock import Clock

log = logging.getLogger("ha_monitor")

AGAIN = 30.0
"""Seconds after which a fault that goes on is said again."""


@dataclass(slots=True)
class _Said:
    at: float
    kept_back: int = 0


class FaultLog:
    """Says the faults of one thing that is done with etcd, and their end."""

    def __init__(self, clock: Clock, end: str = "") -> None:
        """Prepare.

        :param end: says that they are over.
        """
        self._clock = clock
        self._end = end
        self._said: dict[type[Exception], _Said] = {}

    def note(self, error: Exception, where: str = "") -> None:
        """Say a fault unless one of its kind was said just now.

        :param where: what it is about, where the error does not say.
        """
        now = self._clock.monotonic()
        said = self._said.get(type(error))
        if said is not None and now - said.at < AGAIN:
            said.kept_back += 1
            return
        more = f" ({said.kept_back} more like it)" if said is not None and said.kept_back else ""
        log.warning("%s%s%s", f"{where}: " if where else "", error, more)
        self._said[type(error)] = _Said(now)

    def over(self) -> None:
        """Say that there are none any more, where one was said."""
        if self._said:
            log.info(self._end)
            self._said.clear()
