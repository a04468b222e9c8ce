"""Logs faults of etcd and problems of resources, so that an hour of them is a few lines: a new one is said at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ha_monitor.clock import Clock

log = logging.getLogger("ha_monitor")

AGAIN = 30.0
"""Seconds after which a fault that goes on is said again."""

_AT_ONCE = 10
"""Problems of resources that are said in these seconds: a template that changes may bring 100,000."""

_REMEMBERED = 1_000
"""Of which it is said that they are over."""


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


class ProblemLog:
    """Says which resources get a problem, and when that is over: no change of an entry tells it where there is none."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = -AGAIN
        self._count = 0
        self._kept_back = 0
        self._said: dict[tuple[str, str], str] = {}

    def note(self, type_: str, id_: str, problem: str | None) -> None:
        """Say a problem that a resource has from now on, unless many were said just now; ``None``: it has none."""
        key = (type_, id_)
        if problem is None:
            if self._said.pop(key, None) is not None:
                log.info("%s/%s: its problem is over", type_, id_, extra={"type": type_, "id": id_})
            return
        if self._said.get(key) == problem:
            return
        now = self._clock.monotonic()
        if now - self._began >= AGAIN:
            self._began, self._count = now, 0
        if self._count == _AT_ONCE:
            self._kept_back += 1
            return
        self._count += 1
        more = f" ({self._kept_back} more were not said)" if self._kept_back else ""
        self._kept_back = 0
        fields = {"type": type_, "id": id_, "problem": problem}
        log.warning("%s/%s: problem: %s%s", type_, id_, problem, more, extra=fields)
        if len(self._said) < _REMEMBERED:
            self._said[key] = problem
