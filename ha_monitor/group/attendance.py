"""Whether every shard is held by a member, and which members do not take their share. Pure: times are handed in.

A foreign client may register members that do nothing, or write the keys of shards. A member takes the shards that the
plan gives it: the others pass over one that does not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ha_monitor.group.roster import Owner

LEAST_SHARE = math.exp(-1)
"""Part of the last lease for which a shard has to be held by a member, and published for where that is this one. It is
what an exponential average over a lease falls to when the shard was without a member for all of it."""


class Attendance:
    """As one member sees it; all times are monotonic seconds."""

    def __init__(self, shards: int) -> None:
        self.passed: dict[str, int] = {}
        """The members that are passed over, each with the revision at which it was: they get no more shards."""
        self._shards = shards
        self._begin(0.0)

    def _begin(self, now: float) -> None:
        self._looked = now
        self._served = dict.fromkeys(range(self._shards), True)
        """Whether a shard was held by a member at the last look, and published for where that is this member."""
        self._average = dict.fromkeys(range(self._shards), 1.0)
        self._free: dict[int, float] = {}
        """The shards that no member holds, and since when."""
        self._plan: Mapping[int, str] = {}
        self._blames_from = now
        """When etcd was last not heard, or took no write of ours: no member could do anything until then."""
        self._withheld: dict[int, tuple[Owner, str, float]] = {}
        """The shards that the plan gives to another member than has it: their owner, who is to have it, since when."""

    def joined(self, now: float) -> None:
        """Begin anew: nothing is known of what happened while this process was no member."""
        self._begin(now)
        self.passed.clear()

    def look(
        self,
        now: float,
        ttl: float,
        me: str,
        owners: Mapping[int, Owner],
        plan: Mapping[int, str],
        open_: Collection[int],
    ) -> None:
        """Take what is so from now on.

        :param owners: of members alone.
        :param plan: the member that is to have each shard.
        :param open_: the shards that this member publishes for.
        """
        decay = math.exp(-max(now - self._looked, 0.0) / ttl)
        self._looked = now
        for shard, served in self._served.items():
            self._average[shard] = served + (self._average[shard] - served) * decay
            owner = owners.get(shard)
            self._served[shard] = shard in open_ if owner is None or owner.member == me else True
        self._free = {shard: self._free.get(shard, now) for shard in range(self._shards) if shard not in owners}
        withheld = {}
        for shard, member in plan.items():
            owner = owners.get(shard)
            if owner is not None and owner.member != member:
                before = self._withheld.get(shard)
                is_known = before is not None and before[:2] == (owner, member)
                withheld[shard] = before if before is not None and is_known else (owner, member, now)
        self._withheld = withheld
        self._plan = plan

    def count_anew(self) -> None:
        """Blame no member for the time up to the last look: it could not do anything."""
        self._blames_from = self._looked

    def candidates(
        self, me: str, members: Collection[str], owners: Mapping[int, Owner], left: Collection[str]
    ) -> list[str]:
        """Give the members that are to be passed over.

        Which of the members without a shard would take one can't be told: they are passed over as well, and one that
        takes a shard counts again. A real one among them takes what is :meth:`overdue` to it.

        :param owners: of members alone.
        :param left: the members that leave shards without a publisher; empty: no shard is.
        """
        newest: dict[str, int] = {}
        for owner in owners.values():
            newest[owner.member] = max(owner.revision, newest.get(owner.member, 0))
        for member, at in tuple(self.passed.items()):
            if member not in members or newest.get(member, 0) > at:
                del self.passed[member]
        idle = set(members) - newest.keys() | set(left) & set(members)
        return sorted(idle - self.passed.keys() - {me}) if left else []

    def pass_over(self, members: Collection[str], revision: int) -> None:
        """Give members no more shards.

        :param revision: up to which members and owners are known.
        """
        self.passed.update(dict.fromkeys(members, revision))

    def neglected(self, ttl: float) -> list[int]:
        """Give the shards that no member has held for a lease."""
        return [shard for shard, since in self._free.items() if self._looked - since >= ttl]

    def suspects(self, seconds: float) -> bool:
        """Tell whether a shard is without a member, or with another than is to have it, for some time."""
        since = [*self._free.values(), *(since for _, _, since in self._withheld.values())]
        return bool(since) and self._looked - min(since) >= seconds

    def left(self, ttl: float) -> set[str]:
        """Give the members that could have taken a shard for a lease, and have not."""
        if self._looked - self._blames_from < ttl:
            return set()
        free = {self._plan[shard] for shard in self.neglected(ttl) if shard in self._plan}
        return free | {member for _, member, since in self._withheld.values() if self._looked - since >= ttl}

    def overdue(self, ttl: float, me: str) -> set[int]:
        """Give the shards that the plan gives to this member, and that another one could have given up for a lease."""
        if self._looked - self._blames_from < ttl:
            return set()
        return {
            shard
            for shard, (_, member, since) in self._withheld.items()
            if member == me and self._looked - since >= ttl
        }

    def unserved(self) -> list[int]:
        """Give the shards that were published for during less than :data:`LEAST_SHARE` of the last lease."""
        return [shard for shard, average in self._average.items() if average < LEAST_SHARE]
