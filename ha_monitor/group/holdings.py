"""The shards that a member has: which are to be its share, which it holds in etcd, and which it may publish for.

No shard is open, after it was taken or after a gap in which we heard nothing, until every watch is known to be right up
to a revision from after that: whoever had it before may have gone by what we have not heard yet.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.lowlevel

from ha_monitor.errors import EtcdError
from ha_monitor.group.election import claim, release
from ha_monitor.group.roster import Owner
from ha_monitor.group.shards import shard_of, share_out
from ha_monitor.publish.fence import Fence
from ha_monitor.text import legible

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from anyio.abc import TaskGroup

    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.group.election import Identity
    from ha_monitor.group.roster import Roster

log = logging.getLogger(__name__)

_TURNS = 3
"""Turns of the event loop after which what a watch has brought is evaluated, or has its verdict in a queue: the
entry's task is woken, runs, and puts its resource there."""


class Grounds(Protocol):
    """What a member has to know of the monitor that it is part of."""

    @property
    def heard(self) -> bool:
        """Whether every watch is caught up."""

    async def ready(self) -> None:
        """Wait until every resource was evaluated once, and every watch is caught up."""

    async def prove(self, revision: int) -> None:
        """Wait until every watch is known to be right up to a revision."""

    async def take_over(self, is_ours: Callable[[str, str], bool]) -> None:
        """Have the records looked at, by type and id, that are ours from now on."""


class Holdings:
    """Of one member, for as long as its lease lives; :meth:`clear` makes it ready for the next."""

    def __init__(self, client: EtcdClient, roster: Roster, grounds: Grounds, shards: int) -> None:
        self.open: dict[int, Fence] = {}
        """The shards that we may publish for."""
        self.taken = 0
        """How often a shard came to us; one that is opened again after a gap has been ours all the time."""
        self.plan: dict[int, str] = {}
        """Which member is to have each shard, as of the last :meth:`balance`."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when other shards are open, or about to be others."""
        self._client = client
        self._roster = roster
        self._grounds = grounds
        self._shards = shards
        self._held: dict[int, int] = {}
        """The shards that are ours in etcd, with the revisions at which their keys were created."""
        self._opening: dict[int, int] = {}
        """Those of them that are to be opened once all is proven, in the same form."""
        self._given_up: dict[int, int] = {}
        self._unanswered: set[int] = set()
        """The shards for which a claim was sent whose answer is not known."""
        self._opened: dict[int, int] = {}
        """The last of each shard that was open: the revision at which its key was created."""

    def fence(self, type_: str, id_: str) -> Fence | None:
        """Give the fence of a resource's shard; ``None`` where that is not open."""
        return self.open.get(shard_of(type_, id_, self._shards))

    def clear(self) -> None:
        """Have nothing."""
        for shards in (self._held, self.open, self._opening, self._given_up, self.plan):
            shards.clear()
        self._unanswered.clear()

    async def balance(
        self,
        member: Identity,
        passed: Container[str] = (),
        overdue: Container[int] = (),
        silent: Container[int] = (),
    ) -> list[int]:
        """Reconcile the shards that this member holds with the plan; give the silent ones that it took.

        :param passed: members that are given no more shards than they have.
        :param overdue: shards that are taken from another member, where the plan gives them to us.
        :param silent: shards whose owner publishes nothing: they are shared out as if no member had them.
        """
        roster = self._roster
        self._compare_with(roster, member)
        owners = {shard: owner.member for shard, owner in roster.owners.items() if shard not in silent}
        owners.update(dict.fromkeys(self._held, member.id))
        self.plan = share_out(roster.members, owners, self._shards, passed)
        taken: list[int] = []
        for shard, owner_to_be in sorted(self.plan.items()):
            is_due, owner = owner_to_be == member.id, roster.owners.get(shard)
            if shard in self._held:
                if not is_due:
                    await self._give_up(shard)
            elif owner is None:
                if is_due:
                    await self._take(shard, member)
            elif owner.member == member.id:  # in our name, and none of our claims
                if self._given_up.get(shard) != owner.revision:
                    await release(self._client, roster, shard, owner.revision)
            elif is_due and (owner.member not in roster.members or shard in overdue or shard in silent):
                await self._take_from(shard, owner, member)
                if shard in silent:
                    taken.append(shard)
        return taken

    async def _take_from(self, shard: int, owner: Owner, member: Identity) -> None:
        """Remove another client's key of a shard, and take the shard with the next request, before its owner could."""
        failed: list[EtcdError] = []

        async def remove() -> None:
            try:
                if await release(self._client, self._roster, shard, owner.revision):
                    log.warning("shard %d taken from %s", shard, legible(owner.member) or "a key without a lease")
            except EtcdError as error:
                failed.append(error)

        async with anyio.create_task_group() as removing:
            removing.start_soon(remove)
            await anyio.lowlevel.checkpoint()  # it has sent its request
            try:
                await self._take(shard, member)
            except EtcdError as error:
                failed.append(error)
        if failed:
            raise failed[0]

    async def restore(self, member: Identity) -> None:
        """Put the keys of ours again that another client put over, so that they name us, and end with our lease."""
        for shard in sorted(self._roster.overwritten & self._held.keys()):
            await claim(self._client, self._roster, shard, member, self._held[shard])

    def _compare_with(self, roster: Roster, member: Identity) -> None:
        """Believe etcd: a shard whose key is not ours there is lost, and one of which no answer told us is ours."""
        for shard, revision in tuple(self._held.items()):
            owner = roster.owners.get(shard)
            if roster.revision >= revision and owner != Owner(member.id, revision):
                log.warning("shard %d is lost: its key is %s", shard, "gone" if owner is None else "another's")
                del self._held[shard]
                self.open.pop(shard, None)
                self.on_change()
        for shard in tuple(self._unanswered):
            owner = roster.owners.get(shard)
            if owner is not None and owner.member == member.id and self._given_up.get(shard) != owner.revision:
                self._unanswered.discard(shard)
                self._held.setdefault(shard, owner.revision)

    async def _take(self, shard: int, member: Identity) -> None:
        self._unanswered.add(shard)
        revision = await claim(self._client, self._roster, shard, member)
        self._unanswered.discard(shard)
        if revision is not None:
            self._held[shard] = revision

    async def _give_up(self, shard: int) -> None:
        revision = self._held.pop(shard)  # before etcd is asked: nothing may open it while the answer is on its way
        self.open.pop(shard, None)
        self.on_change()
        await release(self._client, self._roster, shard, revision)
        self._given_up[shard] = revision
        log.info("shard %d given up", shard)

    def open_soon(self, revision: int, tasks: TaskGroup) -> None:
        """Publish for the shards that are ours and not open, once everything up to a revision is known.

        :param revision: 0: the one at which the last of them was taken.
        """
        shards = {
            shard: created
            for shard, created in self._held.items()
            if shard not in self.open and self._opening.get(shard) != created
        }
        if shards:
            self._opening.update(shards)
            tasks.start_soon(self._open_when_proven, shards, revision or max(shards.values()))

    async def _open_when_proven(self, shards: Mapping[int, int], revision: int) -> None:
        """Open shards once all is known that whoever had them before may have gone by."""
        await self._grounds.prove(revision)
        for _ in range(_TURNS):
            await anyio.lowlevel.checkpoint()
        for shard, created in shards.items():
            if self._opening.get(shard) == created:  # and not lost, and taken again, meanwhile
                del self._opening[shard]
        opened = {shard for shard, created in shards.items() if self._held.get(shard) == created}
        for shard in opened:
            self.open[shard] = Fence(self._roster.shard_key(shard), shards[shard])
        self.on_change()
        again = {shard for shard in opened if self._opened.get(shard) == shards[shard]}
        for words, some in (("shards taken: %s", opened - again), ("shards published for again: %s", again)):
            if some:
                log.info(words, ", ".join(str(shard) for shard in sorted(some)))
        self.taken += len(opened - again)
        if opened:
            self._opened.update((shard, shards[shard]) for shard in opened)
            await self._grounds.take_over(lambda type_, id_: shard_of(type_, id_, self._shards) in opened)
