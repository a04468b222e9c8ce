"""Turns what is said of a type when it has been stale for too long, and back, as changes that every reader hears.

What is said instead stands in the faces only: records stay as they are, and are right again on the first write after.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import anyio
import anyio.lowlevel
import msgspec

from ha_monitor.model import Change
from ha_monitor.sight import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ha_monitor.clock import Clock
    from ha_monitor.evaluate.unit import Family, Unit
    from ha_monitor.model import Status
    from ha_monitor.sight import Sight

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
"""Seconds between two looks. Whoever asks is answered by the moment; this is for those who are told."""

_SLICE = 500  # resources whose changes are told before the event loop has a turn: a few milliseconds
_SEEING = Seen(0, 0.0, 0.0, stale=False)


class _Turn(NamedTuple):
    """A type that turned, or is turning: for readers, the ``untold`` ones, by id, are still what they were before."""

    before: Seen
    now: Seen
    untold: set[str]

    def of(self, id_: str) -> Seen:
        """Give what readers were told last of a resource."""
        return self.before if id_ in self.untold else self.now


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
        self._turns: dict[str, _Turn] = {}
        """Of each type that is blind, or not wholly told yet that it is not any more."""
        self._called = anyio.Event()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            with anyio.move_on_after(LOOK_EVERY):
                await self._called.wait()
            self._called = anyio.Event()
            for family in tuple(self._families().values()):
                turn, seen = self._turns.get(family.type), self._sight.of(family)
                before = _SEEING if turn is None else turn.now
                if seen.instead is not before.instead:
                    await self._turn(family, before, seen)

    def look(self) -> None:
        """Look at once: etcd is heard, or no longer."""
        self._called.set()

    async def _turn(self, family: Family, before: Seen, seen: Seen) -> None:
        ids = tuple(family.units)
        if seen.instead is None:
            log.info("%s: what is said of its %d resources can be proven again", family.type, len(ids))
        else:
            log.warning("%s: all of its %d resources are %s: %s", family.type, len(ids), seen.instead, seen.reason)
        untold = set(map(family.resource_id, ids))
        self._turns[family.type] = _Turn(before, seen, untold)
        for start in range(0, len(ids), _SLICE):
            some, at = ids[start : start + _SLICE], self._clock.time()
            untold.difference_update(map(family.resource_id, some))
            units = [family.units[id_] for id_ in some if id_ in family.units]
            self._tell([change for unit in units for change in _turned(unit, before.instead, seen, at)])
            await anyio.lowlevel.checkpoint()
        if seen.instead is None:
            del self._turns[family.type]

    def passed(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Give what of the fleet's changes is to be told: of a type that is blind, only which entries come and go."""
        if not self._turns:
            return changes
        return [passed for change in changes if (passed := self._passed(change)) is not None]

    def _passed(self, change: Change) -> Change | None:
        turn = self._turns.get(change.type)
        seen = _SEEING if turn is None else turn.of(change.id)
        instead = seen.instead
        if instead is None:
            return change
        if change.new is None:
            return msgspec.structs.replace(change, old=instead, status=instead, active=None)
        if change.old is None:
            return msgspec.structs.replace(change, new=instead, status=instead, active=None, reason=seen.reason)
        return None  # told with all others once it is not blind any more


def _turned(unit: Unit, before: Status | None, seen: Seen, at: float) -> Iterator[Change]:
    instead = seen.instead
    for entry in unit.entries:
        old, new = before or entry.shown, instead or entry.shown
        if old is not new and entry.shown is not None:  # one that was never told of is told of when it comes
            yield Change(
                unit.family.type, unit.resource_id, entry.name, old, new, instead or unit.status,
                None if instead else unit.active, unit.cause(entry), at,
                seen.reason if instead else entry.why, blind=True,
            )  # fmt: skip
