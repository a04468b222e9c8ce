"""Puts each record again once in a period, evenly: for a gohan that forgets a record which its database refuses.

gohan gives up a transaction that its database refuses (``database is locked``, a deadlock) and takes the record up only
once its key changes again. Each record has its own time in the period, by a hash of its type and id: it stays the same
whoever publishes it, after a restart and after a takeover, and no two periods begin with all records at once. A record
whose time comes while nothing can be written waits for the next period, so that there is no burst afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import anyio
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ha_monitor.clock import Clock
    from ha_monitor.evaluate.unit import Family
    from ha_monitor.publish.publisher import Publisher

WINDOWS = 64
"""Parts of a period, each of which begins with a look at all ids: 15 ms for 100,000. Chosen."""

SHORTEST_WINDOW = 1.0
"""Seconds between two such looks, at the least. Chosen: they take 1.5 % of a core with 100,000 resources."""

GAP = 0.01
"""Seconds between two turns of the event loop in which records become due, at the least."""

_IDS_IN_A_SLICE = 2_000


def offset(type_: str, id_: str, period: float) -> float:
    """Give the time of a record in a period, in seconds from its begin. Pure, and the same in every process."""
    return crc32(f"{type_}/{id_}".encode("utf-8", "surrogateescape")) / 2**32 * period


class Resync:
    """Has the records of a publisher put again; :meth:`run` does the work."""

    def __init__(
        self, publisher: Publisher, clock: Clock, families: Callable[[], Iterable[Family]], period: float
    ) -> None:
        """Prepare.

        :param families: gives the types whose records they are, as they are now.
        :param period: seconds; periods are counted from the epoch.
        """
        self._publisher = publisher
        self._clock = clock
        self._families = families
        self._period = period
        self._window = min(period, max(period / WINDOWS, SHORTEST_WINDOW))

    async def run(self) -> None:
        """Go on until cancelled."""
        begin = self._clock.time()
        while True:
            due = await self._due(begin, begin + self._window)
            for at, family, id_ in due:
                await self._until(at)
                self._publisher.repeat(family, id_)
            await self._until(begin + self._window)
            begin += self._window
            if not 0.0 <= self._clock.time() - begin < self._window:  # somebody set the clock, or the process slept
                begin = self._clock.time()

    async def _until(self, at: float) -> None:
        """Wait for a time, for no longer than a window: the clock may have been set back."""
        left = at - self._clock.time()
        if left > GAP:
            await anyio.sleep(min(left, self._window))

    async def _due(self, begin: float, end: float) -> list[tuple[float, Family, str]]:
        """Give the records that become due in a window, in order, each with its time (seconds since the epoch)."""
        due: list[tuple[float, Family, str]] = []
        period, cycle = self._period, begin - begin % self._period
        for family in tuple(self._families()):
            for number, id_ in enumerate(tuple(family.units)):
                at = cycle + offset(family.type, id_, period)
                if at < begin:
                    at += period
                if at < end:
                    due.append((at, family, id_))
                if not number % _IDS_IN_A_SLICE:
                    await anyio.lowlevel.checkpoint()
        return sorted(due, key=lambda one: one[0])
