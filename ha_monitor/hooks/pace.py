"""How fast a receiver is told: as many at once as may be, and one at a time while nothing at all gets through.

A receiver that is down, or a command that is broken, fails for every resource. It is then tried gently, one resource
after the other, so that ten thousand changes are no storm; and the first success lets all others follow at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.watch.backoff import Backoff, growing

if TYPE_CHECKING:
    from ha_monitor.hooks.ledger import Key
    from ha_monitor.hooks.receiver import Outcome

FAILING = 8
"""Resources that fail in a row until it is the receiver, and not them. Chosen."""

FIRST, LONGEST = 1.0, 60.0
"""Seconds of the pauses of one resource: doubled from the first to the longest. Chosen: a receiver that starts anew is
back within a few of them, and one that is broken is tried once a minute."""

FIRST_OF_ALL, LONGEST_OF_ALL = 0.25, 5.0
"""The same between two tries while nothing gets through. Chosen: it is found out within 5 s that it does again."""

LONGEST_ASKED = 120.0
"""Seconds that a receiver may have us wait. Chosen: longer than that, an operator would take us for dead."""


class Pace:
    """Of one receiver. Times are monotonic seconds."""

    def __init__(self, parallel: int) -> None:
        self._parallel = parallel
        self._failing: set[Key] = set()
        self._backoff = Backoff(FIRST_OF_ALL, LONGEST_OF_ALL)
        self._not_before = 0.0

    @property
    def is_down(self) -> bool:
        """Whether nothing gets through."""
        return len(self._failing) >= FAILING

    def wait(self, busy: int, now: float) -> float | None:
        """Give the seconds until another may be told; ``None``: not before one of those that are being told is over."""
        if busy >= (1 if self.is_down else self._parallel):
            return None
        return max(self._not_before - now, 0.0)

    def went(self, key: Key, outcome: Outcome, now: float) -> bool:
        """Note what came of one; tells whether it is the end of a time in which nothing got through."""
        if outcome.result in ("ok", "refused"):
            was_down = self.is_down
            self._failing.clear()
            self._backoff.reset()
            if was_down:
                self._not_before = 0.0
            return was_down
        if not self.is_down:
            self._failing.add(key)
        pause = self._backoff.delay() if self.is_down else 0.0
        self._not_before = max(self._not_before, now + max(pause, min(outcome.wait, LONGEST_ASKED)))
        return False


def pause_of(failures: int, outcome: Outcome) -> float:
    """Give the seconds after which a resource is tried again that has failed so often in a row.

    The newest of its changes is tried for ever: what is told last has to be what is, however long that takes.
    """
    backoff = Backoff(growing(FIRST, failures, LONGEST), LONGEST)
    return max(backoff.delay(), min(outcome.wait, LONGEST_ASKED))
