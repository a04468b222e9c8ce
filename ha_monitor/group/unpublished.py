"""Which shards of other members are not published for: their records stay out of date. Pure: times are handed in.

A foreign client may put the keys of members and of shards, and publish nothing. Every member evaluates every
resource and watches every record, so it can tell: a record that is out of date stays so, and no record of the shard
changes. A record that etcd refused to this member is none to go by: it is no fault of the owner.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Record: TypeAlias = "tuple[str, str]"
"""A resource's type and id."""

TAKEN_AFTER = 2.0
"""Leases without a published record after which a shard may be taken, of which its owner has held it for one. A member
that died, or was cut off, has lost its keys by then. Chosen."""

_MOST_DOUBLINGS = 6
"""A shard that was taken before is waited for twice as long each time, up to this often: where members evaluate a
resource differently, its shard must not go round between them. Chosen."""

_FORGOTTEN_AFTER = 360.0
"""Leases after which a takeover no longer makes the next one later: more than the longest wait. Chosen."""

_SAMPLE = 100
"""Records that are kept of each shard at the most: one is enough, the others may be put right before it is."""

_MOST_REFUSED = 10_000
"""Refused records that are known at the most: they may have ended since."""


class Unpublished:
    """As one member sees it; all times are monotonic seconds."""

    def __init__(self, shards: int) -> None:
        self._late: dict[int, dict[Record, float]] = {shard: {} for shard in range(shards)}
        """By shard: the records that are out of date, and since when; the oldest is the first."""
        self._counts_from = dict.fromkeys(range(shards), 0.0)
        """By shard: when a record of it changed last, or etcd was not heard."""
        self._owned_from = dict.fromkeys(range(shards), 0.0)
        """By shard: since when its owner has it, and could publish."""
        self._refused: set[Record] = set()
        """The records that etcd refused to this member, and that have been out of date since."""
        self._taken: dict[int, tuple[int, float]] = {}
        """By shard: how often it was taken from a silent owner, and when last."""

    def note(self, shard: int, record: Record, now: float, *, is_late: bool) -> None:
        """Note whether a record of another member's shard is out of date."""
        late = self._late[shard]
        if not is_late:
            late.pop(record, None)
            self._refused.discard(record)
        elif len(late) < _SAMPLE and record not in self._refused:
            late.setdefault(record, now)

    def refused(self, record: Record) -> None:
        """Note that etcd refused a record to this member."""
        if len(self._refused) < _MOST_REFUSED:
            self._refused.add(record)

    def count_from(self, shards: Iterable[int], now: float) -> None:
        """Count from ``now`` on: a record was published, or etcd was not heard."""
        for shard in shards:
            self._counts_from[shard] = max(self._counts_from[shard], now)

    def owned(self, shards: Iterable[int], now: float) -> None:
        """Give the owners of shards a lease from now on: they are others, or etcd took no writes."""
        self._owned_from.update(dict.fromkeys(shards, now))

    def forget(self, shards: Iterable[int]) -> None:
        """Forget the records of shards that are this member's own."""
        for shard in shards:
            self._late[shard].clear()

    def took(self, shard: int, now: float, ttl: float) -> None:
        """Note that a shard was taken since no record of it was published."""
        self._taken[shard] = self._times(shard, now, ttl) + 1, now

    def is_silent(self, shard: int, now: float, ttl: float) -> bool:
        """Tell whether a record of a shard has been out of date for a lease, and none was published in it."""
        return self._silence(shard, now) >= ttl

    def is_to_be_taken(self, shard: int, now: float, ttl: float) -> bool:
        """Tell whether a shard has been silent for so long that it may be taken from its owner."""
        wait = TAKEN_AFTER * ttl * (1 << self._times(shard, now, ttl))
        _, taken = self._taken.get(shard, (0, -math.inf))
        is_due = self._silence(shard, now) >= wait and now - taken >= wait
        return is_due and now - self._owned_from[shard] >= ttl

    def late(self, shards: Iterable[int]) -> int:
        """Give how many records of shards are known to be out of date."""
        return sum(len(self._late[shard]) for shard in shards)

    def _silence(self, shard: int, now: float) -> float:
        """Give the seconds for which nothing was published for a shard, though one of its records is out of date."""
        late = self._late[shard]
        return now - max(next(iter(late.values())), self._counts_from[shard]) if late else 0.0

    def _times(self, shard: int, now: float, ttl: float) -> int:
        times, last = self._taken.get(shard, (0, now))
        return min(times, _MOST_DOUBLINGS) if now - last < _FORGOTTEN_AFTER * ttl else 0
