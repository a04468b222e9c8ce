"""Foreign writers of our records: counted, shown, and met with growing pauses instead of a write war.

So are we ourselves, where a record goes round: resources that hang on each other's records in a circle may change them
for ever, as fast as etcd takes it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ha_monitor.watch.backoff import growing

_Key = TypeVar("_Key", bound=Hashable)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0

LONGEST_OF_OURS = 5.0
"""Seconds between our own writes of a record that goes round, at the most: it may be one that flaps. Chosen."""

MOST, WINDOW = 50, 10.0
"""Own writes of a record that others hang on, in so many seconds at the most, beyond which it is taken for one that
goes round. Chosen: what flaps five times a second is not worth more."""

QUIET = LONGEST_PAUSE + 60.0
"""Seconds after our last answer to a foreign write after which a conflict is over: none came for a minute. Chosen."""

SHOWN_FROM = 2  # one foreign write is put right without a word


@dataclass(slots=True)
class Conflict:
    """How often a record was changed by another hand, when last, and when we may write again (monotonic seconds)."""

    count: int = 0
    last: float = 0.0
    until: float = 0.0
    ours: bool = False
    """It was our own hand, again and again."""


class Conflicts(OrderedDict[_Key, Conflict]):
    """The conflicts of the last minutes, the one that has been quiet longest first.

    A dict, so that it is quick to tell that there is none. Whoever keeps it has those that are over end.
    """

    def note(self, key: _Key, now: float, *, ours: bool = False) -> None:
        """Count a foreign write that was put right. The next one is so at once, those after it ever later.

        :param ours: it is a write of ours, one too many: the next one is later already.
        """
        conflict = self.setdefault(key, Conflict())
        self.move_to_end(key)
        if conflict.ours != ours:
            conflict.count, conflict.ours = 0, ours
        conflict.count += 1
        conflict.last = now
        if ours:
            pause = growing(FIRST_PAUSE, conflict.count - 1, LONGEST_OF_OURS)
        else:
            pause = 0.0 if conflict.count == 1 else growing(FIRST_PAUSE, conflict.count - 2, LONGEST_PAUSE)
        conflict.until = now + pause

    def goes_round(self, key: _Key, now: float) -> bool:
        """Tell whether a record is one that goes round: it is written as soon as its pauses are over."""
        conflict = self.get(key)
        return conflict is not None and conflict.ours and now - conflict.last < 2 * LONGEST_OF_OURS

    def end(self, now: float) -> float | None:
        """Drop those that are over; give the seconds until the next of them is, ``None`` where there is none."""
        while self:
            left = next(iter(self.values())).last + QUIET - now
            if left > 0:
                return left
            self.popitem(last=False)
        return None

    def pause(self, key: _Key, now: float) -> float:
        """Give the seconds to wait before the next write; 0 where none."""
        conflict = self.get(key)
        return 0.0 if conflict is None else max(0.0, conflict.until - now)

    def words(self, key: _Key) -> str | None:
        """Say what is going on with a record; ``None`` where nothing is."""
        conflict = self.get(key)
        if conflict is None or conflict.count < SHOWN_FROM:
            return None
        if conflict.ours:
            return f"the published record has changed more than {MOST} times in {WINDOW:g} s: it is written with pauses"
        return f"conflict: another writer changed the published record {conflict.count} times"


class Stirs(Generic[_Key]):
    """Own writes of records that others hang on: of each, how many in this half of a window and in the one before."""

    def __init__(self) -> None:
        self._since = 0.0
        self._before: dict[_Key, int] = {}
        self._counts: dict[_Key, int] = {}

    def too_many(self, key: _Key, now: float) -> bool:
        """Count one; tells whether there are too many."""
        if now - self._since >= WINDOW / 2:
            self._before = self._counts if now - self._since < WINDOW else {}
            self._since, self._counts = now, {}
        count = self._counts[key] = self._counts.get(key, 0) + 1
        return count + self._before.get(key, 0) > MOST
