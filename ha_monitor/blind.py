"""Turns what is said of a type when it has been stale for too long, and back, as changes that every reader hears.

What is said instead stands in the faces only: records stay as they are, and are right again on the first write after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import msgspec

from ha_monitor.model import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ha_monitor.clock import Clock
    from ha_monitor.evaluate.unit import Family, Unit
    from ha_monitor.model import Status
    from ha_monitor.sight import Seen, Sight

LOOK_EVERY = 0.5
"""Seconds between two looks. Whoever asks is answered by the moment; this is for those who are told."""

_SLICE = 500  # resources whose changes are told before the event loop has a turn: a few milliseconds


class Blindness:
    """Tells the changes; what the fleet tells meanwhile of a type that is blind is kept back."""

    def __init__(
        self,
        families: Callable[[], Mapping[str, Family]],
        sight: Sight,
        clock: Clock,
        tell: Callable[[Sequence[Change]], None],
    ) -> None:
        """Prepare; :meth:`run` does the work.

        :param families: gives the types that there are.
        :param tell: hands changes to all readers.
        """
        self._families = families
        self._sight = sight
        self._clock = clock
        self._tell = tell
        self._instead: dict[str, Status] = {}
        self._called = anyio.Event()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            with anyio.move_on_after(LOOK_EVERY):
                await self._called.wait()
            self._called = anyio.Event()
            for family in tuple(self._families().values()):
                seen = self._sight.of(family)
                before = self._instead.get(family.type)
                if seen.instead is not before:
                    await self._turn(family, before, seen)

    def look(self) -> None:
        """Look at once: etcd is heard, or no longer."""
        self._called.set()

    async def _turn(self, family: Family, before: Status | None, seen: Seen) -> None:
        if seen.instead is None:
            del self._instead[family.type]
        else:
            self._instead[family.type] = seen.instead
        units = tuple(family.units.values())
        for start in range(0, len(units), _SLICE):
            at = self._clock.time()
            self._tell([change for unit in units[start : start + _SLICE] for change in _turned(unit, before, seen, at)])
            await anyio.lowlevel.checkpoint()

    def passed(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Give what of the fleet's changes is to be told: of a type that is blind, only that an entry is no more."""
        if not self._instead:
            return changes
        return [passed for change in changes if (passed := self._passed(change)) is not None]

    def _passed(self, change: Change) -> Change | None:
        instead = self._instead.get(change.type)
        if instead is None:
            return change
        if change.new is None:
            return msgspec.structs.replace(change, old=instead, status=instead, active=None)
        return None  # told with all others once it is not blind any more


def _turned(unit: Unit, before: Status | None, seen: Seen, at: float) -> Iterator[Change]:
    instead = seen.instead
    for entry in unit.entries:
        old, new = before or entry.shown, instead or entry.shown
        if old is not new and not unit.ended:
            yield Change(
                unit.family.type, unit.id, entry.name, old, new, instead or unit.status,
                None if instead else unit.active, entry.revision or unit.config_revision, at,
                seen.reason if instead else entry.why,
            )  # fmt: skip
