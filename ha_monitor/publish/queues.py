"""What waits to be published: a queue for all types, and one apart for each type of which etcd refused something.

etcd takes a transaction or it does not: a record that it refuses would hold up all that it is sent with, again and
again. So a type of which a transaction was refused is sent by itself, one transaction at a time, each of half as many
records as the last, down to single ones: what is refused alone is known by then. After each that is taken, twice as
many go. The other types go on as ever.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ha_monitor.publish.queue import FairQueue
from ha_monitor.publish.transaction import COMPARISONS_IN_A_TRANSACTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ha_monitor.evaluate.unit import Family
    from ha_monitor.publish.resting import Resting
    from ha_monitor.publish.transaction import Write


@dataclass(slots=True)
class Lane:
    """A type that is sent apart: its queue, and how many of its records go together."""

    family: Family
    queue: FairQueue = field(default_factory=FairQueue)
    room: int = COMPARISONS_IN_A_TRANSACTION


class Queues:
    """Every record that waits is in one of them."""

    def __init__(self, resting: Resting) -> None:
        """Prepare.

        :param resting: what of a type rests: as long as there is any, it is sent apart.
        """
        self.together = FairQueue()
        self.busy = False
        """A transaction of a type that is sent apart is under way."""
        self._lanes: OrderedDict[Family, Lane] = OrderedDict()  # the one whose turn it is first
        self._resting = resting

    def __len__(self) -> int:
        """How many wait."""
        return len(self.together) + sum(len(lane.queue) for lane in self._lanes.values())

    def of(self, family: Family) -> FairQueue:
        """Give the queue of a type."""
        lane = self._lanes.get(family)
        return self.together if lane is None else lane.queue

    @property
    def due(self) -> bool:
        """Whether there is anything that may be looked at now."""
        return bool(self.together) or (not self.busy and any(lane.queue for lane in self._lanes.values()))

    def turns(self) -> Iterator[Lane]:
        """Give the types that are sent apart and may be now, each once, the one whose turn it is first."""
        for lane in tuple(self._lanes.values()):
            if self.busy:
                return
            if lane.queue:
                self._lanes.move_to_end(lane.family)
                yield lane

    def refused(self, writes: Sequence[Write]) -> None:
        """Note that a transaction was refused: its types are sent apart, and have less room."""
        for family in {write.of[0] for write in writes}:
            lane = self._lanes.get(family)
            if lane is None:
                lane = self._lanes[family] = Lane(family)
                self.together.hand_over(family, lane.queue)
            if len(writes) > 1:
                lane.room = min(lane.room, len(writes) // 2)

    def taken(self, lane: Lane) -> None:
        """Note that a transaction of a type that is sent apart was taken: more go together, at last with others."""
        lane.room = min(lane.room * 2, COMPARISONS_IN_A_TRANSACTION)
        if lane.room == COMPARISONS_IN_A_TRANSACTION and not self._resting.of(lane.family):
            del self._lanes[lane.family]
            lane.queue.hand_over(lane.family, self.together)
