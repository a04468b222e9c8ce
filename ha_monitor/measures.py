"""What is counted while the monitor runs, for whoever draws it: plain numbers, cheap enough for every event."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.model import Alarm, Status

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of a latency, in seconds: from a round trip to etcd up to its deadlines."""


class Histogram:
    """How long something took: counts by bucket, the last one for all that took longer than any bound."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        """Sum, in seconds."""

    def observe(self, seconds: float, count: int = 1) -> None:
        """Count one, or some that took the same time."""
        self.counts[bisect_left(BOUNDS, seconds)] += count
        self.total += seconds * count


@dataclass(frozen=True, slots=True)
class WatchMeasures:
    """One watched prefix: ``lag`` is the seconds since it was last proven to be right up to etcd's revision."""

    prefix: str
    events: int
    relists: int
    reconnects: int
    lag: float


@dataclass(frozen=True, slots=True)
class TypeMeasures:
    """How far the answers of one type are behind etcd: ``lag`` is the seconds since they were last confirmed."""

    type: str
    lag: float
    revisions: int


@dataclass(frozen=True, slots=True)
class PublishMeasures:
    """What was written: ``latency`` is from the change of a verdict to etcd's answer."""

    published: int
    failures: int
    pending: int
    latency: Histogram


@dataclass(frozen=True, slots=True)
class HookMeasures:
    """What was told to a receiver of changes, ``kind``.

    ``runs`` counts by result; ``pending``, ``failing`` and ``held`` are the resources that have something to be told,
    could not be told of, and are held back by their maintenance. ``latency`` is from the change to the end of the
    run that told it.
    """

    kind: str
    runs: Mapping[str, int]
    pending: int
    failing: int
    held: int
    latency: Histogram


@dataclass(frozen=True, slots=True)
class Measures:
    """All of it.

    ``transitions`` counts by type and by the status that a resource came to; ``problems`` are the resources with one,
    by type. ``blind`` tells of each type whether something else is said than the last verdicts; ``maintenance`` counts
    the resources that are frozen; ``alarms`` are those of etcd that are raised.
    """

    revision: int
    watches: Sequence[WatchMeasures]
    publish: PublishMeasures | None
    transitions: Mapping[tuple[str, Status], int]
    problems: Mapping[str, int]
    blind: Mapping[str, bool]
    maintenance: int
    alarms: Sequence[Alarm]
    types: Sequence[TypeMeasures]
