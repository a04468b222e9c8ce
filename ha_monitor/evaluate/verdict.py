"""What the statuses of the entries make of the resource: the truth table, as two functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

_NOT_UP = frozenset({Status.DOWN, Status.FAIL})


def verdict(entries: Iterable[Status]) -> Status:
    """Give the resource's status: UP where all are up, DOWN where none is, DEGRADED between the two.

    UNKNOWN where an unknown entry leaves open which of them it is: with one that is up and one that is not it is
    DEGRADED whatever the unknown one turns out to be. No entries at all leave everything open.
    """
    statuses = set(entries)
    if not statuses:
        return Status.UNKNOWN
    some_up = Status.UP in statuses
    some_down = not statuses.isdisjoint(_NOT_UP)
    if some_up and some_down:
        return Status.DEGRADED
    if Status.UNKNOWN in statuses:
        return Status.UNKNOWN
    return Status.UP if some_up else Status.DOWN


def active(entries: Iterable[tuple[str, Status]]) -> str | None:
    """Give the name of the first entry that is up: the active side; ``None`` where none is."""
    return next((name for name, status in entries if status is Status.UP), None)
