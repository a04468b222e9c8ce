"""What a member makes of its group: which shards are not published for, who is passed over, which are to be taken."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from ha_monitor.group.attendance import LEAST_SHARE, Attendance
from ha_monitor.group.shards import shard_of
from ha_monitor.group.unpublished import Unpublished
from ha_monitor.text import legible, ranges

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ha_monitor.clock import Clock
    from ha_monitor.group.holdings import Grounds, Holdings
    from ha_monitor.group.roster import Owner, Roster

log = logging.getLogger(__name__)

NAMED = 10
"""Members that one line names at the most: their keys may be a foreign client's."""


class Findings(NamedTuple):
    """What the next balance goes by."""

    passed_over: list[str]
    """The members that are to be passed over from now on."""
    overdue: set[int]
    """The shards that the plan gives to this member, and that another one has not given up for a lease."""
    silent: set[int]
    """The shards whose owner publishes nothing."""


class Assessment:
    """Of one group by one member. Times are monotonic seconds."""

    def __init__(
        self,
        roster: Roster,
        grounds: Grounds,
        holdings: Holdings,
        clock: Clock,
        *,
        shards: int,
        ttl: float,
        patience: float,
    ) -> None:
        """Prepare.

        :param patience: seconds after the first time that it joins in which a record that is out of date may be so for
            a reason that this member has not seen.
        """
        self.me = ""
        self.ttl = ttl
        self._roster = roster
        self._grounds = grounds
        self._holdings = holdings
        self._clock = clock
        self._shards = shards
        self._patience = patience
        self._attendance = Attendance(shards)
        self._unpublished = Unpublished(shards)
        self._others: dict[int, Owner] = {}
        """The shards that other members hold, as of the last look."""

    @property
    def passed(self) -> Collection[str]:
        """The members that are passed over."""
        return self._attendance.passed.keys()

    def joined(self, me: str, ttl: float) -> None:
        """Begin anew, as member ``me`` with a lease of ``ttl`` seconds."""
        self.me, self.ttl, now = me, ttl, self._clock.monotonic()
        self._attendance.joined(now)
        self._unpublished.count_from(range(self._shards), now + self._patience)
        self._patience = 0.0

    # -- what is seen

    def owners(self) -> Mapping[int, Owner]:
        """Give the shards whose keys members created; one whose owner has no member's key is nobody's."""
        roster = self._roster
        return {shard: owner for shard, owner in roster.owners.items() if owner.member in roster.members}

    def look(self) -> None:
        """Take members, owners and our own shards as they are from now on."""
        now, owners, open_ = self._clock.monotonic(), self.owners(), self._holdings.open
        self._attendance.look(now, self.ttl, self.me, owners, dict(self._holdings.plan), open_)
        others = {shard: owner for shard, owner in owners.items() if owner.member != self.me and shard < self._shards}
        changed = [shard for shard in range(self._shards) if others.get(shard) != self._others.get(shard)]
        self._unpublished.owned(changed, now)
        self._unpublished.forget(open_)
        self._others = others
        if not self._grounds.heard:
            self._attendance.count_anew()
            self._unpublished.count_from(range(self._shards), now)

    def count_anew(self) -> None:
        """Blame no member for the time up to now: etcd took no write of ours."""
        self._attendance.count_anew()
        self._unpublished.owned(range(self._shards), self._clock.monotonic())

    def note_late(self, type_: str, id_: str, *, is_late: bool) -> None:
        """Note whether a record that another member is to write is out of date."""
        shard = shard_of(type_, id_, self._shards)
        self._unpublished.note(shard, (type_, id_), self._clock.monotonic(), is_late=is_late)

    def note_published(self, type_: str, id_: str) -> None:
        """Note that another client wrote a record."""
        self._unpublished.count_from((shard_of(type_, id_, self._shards),), self._clock.monotonic())

    def note_refused(self, type_: str, id_: str) -> None:
        """Note that etcd refused a record to this member."""
        self._unpublished.refused((type_, id_))

    def note_taken(self, shards: Collection[int]) -> None:
        """Note that shards were taken whose owner published nothing."""
        for shard in shards:
            self._unpublished.took(shard, self._clock.monotonic(), self.ttl)

    # -- what follows

    def is_silent(self, shard: int) -> bool:
        """Tell whether nothing was published for a shard of others for a lease, though a record is out of date."""
        return self._unpublished.is_silent(shard, self._clock.monotonic(), self.ttl)

    def suspects(self, seconds: float) -> bool:
        """Tell whether members may be passed over soon, or shards taken from them."""
        return self._attendance.suspects(seconds) or any(map(self.is_silent, range(self._shards)))

    def findings(self) -> Findings:
        """Give what is to be done. What could be old news is no reason to take any shard from a member."""
        self.look()
        if not self._grounds.heard:
            return Findings([], set(), set())
        attendance, now = self._attendance, self._clock.monotonic()
        silent = {shard for shard in self._others if self._unpublished.is_to_be_taken(shard, now, self.ttl)}
        left = attendance.left(self.ttl) - {self.me}
        left |= {self._others[shard].member for shard in silent}
        new = attendance.candidates(self.me, self._roster.members, self.owners(), left)
        return Findings(new, attendance.overdue(self.ttl, self.me), silent)

    def pass_over(self, members: Collection[str]) -> None:
        """Give members no more shards, until they take one."""
        if members:
            self._attendance.pass_over(members, self._roster.revision)
            names = _names(members)
            log.warning("%d members passed over, which took no shard or published nothing: %s", len(members), names)

    def words(self, group: str) -> str:
        """Say which shards are not published for; empty: none that this member knows of."""
        self.look()
        neglected = self._attendance.neglected(self.ttl)
        if neglected:
            return f"nobody has taken shards {ranges(neglected)} of group {group} for longer than a lease"
        unserved = self._attendance.unserved()
        if unserved:
            share = f"less than {LEAST_SHARE:.0%} of the last lease"
            return f"shards {ranges(unserved)} of group {group} were held for {share}"
        silent = list(filter(self.is_silent, sorted(self._others)))
        if silent:
            owners = _names({self._others[shard].member for shard in silent})
            late = self._unpublished.late(silent)
            return (
                f"nothing was published for shards {ranges(silent)} of group {group} for longer than a lease, though "
                f"at least {late} of their records are out of date: held by {owners}"
            )
        return ""


def _names(members: Collection[str]) -> str:
    return ", ".join(map(legible, sorted(members)[:NAMED])) + (", ..." if len(members) > NAMED else "")
