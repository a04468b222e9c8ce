"""The records that are to be looked at: of each type in the order in which they came, and the types in turn.

So a storm in one type holds up no other, and a record that is asked for again keeps its place.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ha_monitor.evaluate.unit import Family
    from ha_monitor.publish.transaction import RecordId


class FairQueue:
    """A queue of records."""

    def __init__(self) -> None:
        self._families: OrderedDict[Family, OrderedDict[str, float]] = OrderedDict()  # a dict is slow to give its first

    def __bool__(self) -> bool:
        """Whether any waits."""
        return bool(self._families)

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._families.values()))

    def put(self, family: Family, ids: Sequence[str], since: float) -> None:
        """Have records of a type wait; those that wait already do so since then."""
        if not ids:
            return
        waiting = self._families.get(family)
        if waiting is None:
            waiting = self._families[family] = OrderedDict()
        for id_ in ids:
            if id_ not in waiting:
                waiting[id_] = since

    def put_back(self, family: Family, id_: str, since: float) -> None:
        """Have a record wait that was taken and did not fit: it is the next of its type."""
        self.put(family, (id_,), since)
        self._families[family].move_to_end(id_, last=False)

    def take(self) -> Iterator[tuple[RecordId, float]]:
        """Take one after the other, as long as they are asked for, each with the time since when it waits."""
        families = self._families
        while families:
            family, ids = next(iter(families.items()))
            id_, since = ids.popitem(last=False)
            if not ids:
                del families[family]
            elif len(families) > 1:
                families.move_to_end(family)
            yield (family, id_), since

    def hand_over(self, family: Family, other: FairQueue) -> None:
        """Give all that wait of a type to another queue, in which none of it waits."""
        ids = self._families.pop(family, None)
        if ids is not None:
            other._families[family] = ids
