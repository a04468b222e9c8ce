"""What the statuses of the entries make of the resource: the truth table, as two functions."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_UP, _DOWN, _FAIL, _UNKNOWN = Status.UP, Status.DOWN, Status.FAIL, Status.UNKNOWN


def verdict(entries: Collection[Status]) -> Status:
    """Give the resource's status: UP where all are up, DOWN where none is, DEGRADED between the two.

    UNKNOWN where an unknown entry leaves open which of them it is: with one that is up and one that is not it is
    DEGRADED whatever the unknown one turns out to be. No entries at all leave everything open.
    """
    some_up = _UP in entries
    some_down = _DOWN in entries or _FAIL in entries
    if some_up and some_down:
        return Status.DEGRADED
    if not entries or _UNKNOWN in entries:
        return _UNKNOWN
    return _UP if some_up else _DOWN


def active(entries: Sequence[Status]) -> int | None:
    """Give the place of the first entry that is up: the active side; ``None`` where none is."""
    return entries.index(_UP) if _UP in entries else None


@lru_cache(256)  # resources are many, and what they come to is not
def judged(entries: tuple[Status, ...]) -> tuple[Status, int | None]:
    """Give the resource's status, and the place of its active side."""
    return verdict(entries), active(entries)
