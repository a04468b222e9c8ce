"""Pauses between tries: they grow, are spread by chance, capped, and start anew after a success."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random


def growing(first: float, times: int, longest: float) -> float:
    """Give a pause in seconds: ``first``, doubled so many times, ``longest`` at the most."""
    return min(first * 2.0 ** min(times, 16), longest)


@dataclass(slots=True)
class Backoff:
    """Delays in seconds: ``first``, doubled each time up to ``cap``, each spread over its upper half.

    The cap is low by choice: after an outage of an hour the next try comes within a second. The spread keeps
    many monitors from listing at the same instant (full jitter would allow a delay of nothing: a hot loop).
    """

    first: float = 0.05
    cap: float = 1.0
    random: Random = field(default_factory=Random)
    _next: float = 0.0

    def delay(self) -> float:
        """Give the pause before the next try."""
        base = self._next or self.first
        self._next = min(base * 2, self.cap)
        return base * (0.5 + self.random.random() / 2)

    def reset(self) -> None:
        """A try succeeded: begin with the shortest pause again."""
        self._next = 0.0
