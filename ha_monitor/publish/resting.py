"""Records that etcd does not take though they are sent alone: each rests, with a growing pause of its own.

What one is refused for is a matter of that record: it is too large, or we may not write there. It may be over at any
time, and nobody tells us: so each is tried again, and where one is taken, others of its type that rest are tried at
once, as they may have been refused for the same reason.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from ha_monitor.watch.backoff import growing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ha_monitor.evaluate.unit import Family

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0

APART = 0.05
"""Seconds between two tries where many rest: their pauses are longer, so that etcd is asked no more often. Chosen."""

_TRIED_AT_ONCE = 2
"""Others that are tried where one was taken. Each that is taken as well has as many tried: all are soon."""


@dataclass(slots=True)
class Rest:
    """Why a record was refused, how often in turn, and until when it rests (monotonic seconds)."""

    words: str = ""
    count: int = 0
    until: float = 0.0


class Resting(dict["Family", "OrderedDict[str, Rest]"]):
    """All records that rest, by type and id; of a type, first the one that was not tried for longest.

    A dict, so that it is quick to tell that none rests.
    """

    def __init__(self) -> None:
        super().__init__()
        self._length = 0

    def of(self, family: Family) -> Collection[str]:
        """Give the ids of those of a type."""
        return self.get(family, ())

    def note(self, family: Family, id_: str, words: str, now: float) -> float:
        """Note that a record was refused; give the seconds that it rests."""
        rests = self.setdefault(family, OrderedDict())
        if id_ not in rests:
            rests[id_] = Rest()
            self._length += 1
        rests.move_to_end(id_)
        rest = rests[id_]
        pause = max(growing(FIRST_PAUSE, rest.count, LONGEST_PAUSE), APART * self._length)
        rest.words, rest.count, rest.until = words, rest.count + 1, now + pause
        return pause

    def pause(self, family: Family, id_: str, now: float) -> float:
        """Give the seconds that a record rests still; 0 where it does not."""
        rest = self._rest(family, id_)
        return 0.0 if rest is None else max(0.0, rest.until - now)

    def words(self, family: Family, id_: str) -> str | None:
        """Say why a record is not written; ``None`` where none of it was refused."""
        rest = self._rest(family, id_)
        return None if rest is None else f"etcd refuses its record: {rest.words}"

    def _rest(self, family: Family, id_: str) -> Rest | None:
        rests = self.get(family)
        return None if rests is None else rests.get(id_)

    def forget(self, family: Family, id_: str) -> bool:
        """Forget a record, which is right or no longer wanted; tells whether it rested."""
        rests = self.get(family)
        if rests is None or rests.pop(id_, None) is None:
            return False
        self._length -= 1
        if not rests:
            del self[family]
        return True

    def taken(self, family: Family, id_: str) -> Sequence[str]:
        """Note that a record was written; give those that are to be tried as well, now."""
        if not self.forget(family, id_):
            return ()
        rests = self.get(family, OrderedDict())
        others = tuple(islice(rests, _TRIED_AT_ONCE))
        for other in others:
            rests.move_to_end(other)
            rests[other].until = 0.0
        return others
