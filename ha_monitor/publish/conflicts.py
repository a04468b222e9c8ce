"""Foreign writers of our records: counted, shown, and met with growing pauses instead of a write war."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar

from ha_monitor.watch.backoff import growing

_Key = TypeVar("_Key", bound=Hashable)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0

QUIET = LONGEST_PAUSE + 60.0
"""Seconds after our last answer to a foreign write after which a conflict is over: none came for a minute. Chosen."""

SHOWN_FROM = 2  # one foreign write is put right without a word


@dataclass(slots=True)
class Conflict:
    """How often a record was changed by another hand, when last, and when we may write again (monotonic seconds)."""

    count: int = 0
    last: float = 0.0
    until: float = 0.0


class Conflicts(OrderedDict[_Key, Conflict]):
    """The conflicts of the last minutes, the one that has been quiet longest first.

    A dict, so that it is quick to tell that there is none. Whoever keeps it has those that are over end.
    """

    def note(self, key: _Key, now: float) -> None:
        """Count a foreign write that was put right. The next one is so at once, those after it ever later."""
        conflict = self.setdefault(key, Conflict(last=now))
        self.move_to_end(key)
        conflict.count += 1
        conflict.last = now
        pause = 0.0 if conflict.count == 1 else growing(FIRST_PAUSE, conflict.count - 2, LONGEST_PAUSE)
        conflict.until = now + pause

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
        return f"conflict: another writer changed the published record {conflict.count} times"
