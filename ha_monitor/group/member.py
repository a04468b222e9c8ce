"""A member of a group: keeps a lease, has the shards that are its share, and may publish for those alone.

Everything in etcd that says that we may publish was put with the lease, and ends with it. We stop before it could have
run out, by a clock that never jumps, and every write is fenced with the shard's key besides: a process that was frozen
between its last look at the clock and the write finds the fence down.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from ha_monitor.errors import EtcdError, GroupRefused
from ha_monitor.etcd.connection import CALL_TIMEOUT
from ha_monitor.etcd.lease import grant, refresh, revoke
from ha_monitor.group.assessment import Assessment
from ha_monitor.group.balancer import Balancer
from ha_monitor.group.election import Identity, join
from ha_monitor.group.holdings import Holdings
from ha_monitor.group.shards import shard_of
from ha_monitor.model import GroupStatus
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.group.holdings import Grounds
    from ha_monitor.group.roster import Roster
    from ha_monitor.publish.fence import Fence

log = logging.getLogger(__name__)

REFRESHES = 3
"""Refreshes in the time of a lease, as etcd's own client has it: one that gets no answer is no loss."""

MARGIN = 0.2
"""Part of a lease's time in which we do not publish any more, though etcd may still keep it: clocks are not equal, and
the request that refreshed it was under way. Chosen."""

REFUSED_AGAIN = 5.0
"""Seconds until a group that has become another one meanwhile is asked again to let us in. Chosen."""

FAREWELL = 0.8
"""Seconds that giving the lease back may take at the end; where it takes longer, the lease runs out by itself."""


class Member:
    """This process' part in a group; :meth:`run` plays it. Implements :class:`ha_monitor.publish.fence.Mandate`."""

    def __init__(
        self,
        client: EtcdClient,
        clock: Clock,
        roster: Roster,
        grounds: Grounds,
        *,
        group: str,
        name: str,
        shards: int,
        ttl: float,
        on_fault: Callable[[EtcdError], None],
        patience: float,
    ) -> None:
        """Prepare; nothing is asked of etcd yet.

        :param name: of this process, to be read by people: the host's, say.
        :param ttl: seconds that etcd keeps the lease without a sign of life.
        :param on_fault: called with each failure, before the pause.
        :param patience: seconds for which a member that has just started may evaluate otherwise than the others.
        """
        self.id = ""
        """Another one each time that it joins, so that nothing of an earlier time is taken for its own."""
        self.fault = "it has not joined yet"
        """Why it is no member at this moment; empty where it is."""
        self._client = client
        self._clock = clock
        self._roster = roster
        self._grounds = grounds
        self._group = group
        self._name = name
        self._shards = shards
        self._wanted_ttl = self._ttl = ttl
        self._on_fault = on_fault
        self._lease = 0
        self._valid_until = 0.0
        self._holdings = Holdings(client, roster, grounds, shards)
        self._assessment = Assessment(roster, grounds, self._holdings, clock, shards=shards, ttl=ttl, patience=patience)
        self._holdings.on_change = self._assessment.look
        self._balancer = Balancer(
            client, clock, roster, self._holdings, self._assessment, shards=shards, on_fault=on_fault
        )
        self._joined_before = False
        self._joins = Backoff()
        # An etcd that was away keeps a lease for its time once it is back, however long it was: tries come often in it.
        self._refreshes = Backoff(cap=min(Backoff().cap, ttl / REFRESHES / 2))
        self._scope = anyio.CancelScope()
        self._expelled = anyio.Event()
        roster.on_news = self._balancer.wake
        roster.on_list = self._listed_again

    # -- what others ask

    def fence(self, type_: str, id_: str) -> Fence | None:
        """Give the fence for a resource's record; ``None`` where it is not ours to write at this moment."""
        if self._clock.monotonic() >= self._valid_until:
            return None
        return self._holdings.fence(type_, id_)

    def knows_another(self, type_: str, id_: str) -> bool:
        """Tell whether another member has the shard of a resource, by what etcd has said within the time of a lease."""
        if self._clock.monotonic() >= self._valid_until or not self._grounds.heard:
            return False
        shard = shard_of(type_, id_, self._shards)
        owner = self._roster.owners.get(shard)
        if owner is None or owner.member == self.id or owner.member not in self._roster.members:
            return False
        return not self._assessment.is_silent(shard)

    def note_late(self, type_: str, id_: str, *, is_late: bool) -> None:
        """Note whether a record that another member is to write is out of date."""
        self._assessment.note_late(type_, id_, is_late=is_late)

    def note_published(self, type_: str, id_: str) -> None:
        """Note that another client wrote a record."""
        self._assessment.note_published(type_, id_)

    def note_refused(self, type_: str, id_: str) -> None:
        """Note that etcd refused a record to this member."""
        self._assessment.note_refused(type_, id_)

    def status(self) -> GroupStatus:
        """Say who is there, and who has what."""
        shares: dict[str, list[int]] = {member: [] for member in sorted(self._roster.members)}
        for shard, owner in sorted(self._assessment.owners().items()):
            shares[owner.member].append(shard)
        now = self._clock.monotonic()
        owned = tuple(sorted(self._holdings.open)) if now < self._valid_until else ()
        left = max(self._valid_until - now, 0.0)
        members = {member: tuple(own) for member, own in shares.items()}
        return GroupStatus(
            self._group, self.id, self._shards, owned, members, self._ttl, left, self._holdings.taken, self.fault,
            tuple(sorted(self._assessment.passed)),
        )  # fmt: skip

    @property
    def trouble(self) -> str:
        """Say why not all is published that its group is there for; empty where it is, as far as it knows."""
        if self.fault:
            return f"it is no member of group {self._group}: {self.fault}"
        return self._assessment.words(self._group)

    # -- its life

    async def run(self) -> None:
        """Be a member until cancelled. Raises :class:`GroupRefused` at the start, and what ``on_fault`` raises."""
        with self._scope:
            while True:
                await self._grounds.ready()
                try:
                    me = await self._join()
                    self.fault = await self._stay(me)
                    log.warning("out of group %s: %s", self._group, self.fault)
                except GroupRefused as error:
                    if not self._joined_before:
                        raise
                    self.fault = str(error)
                    await anyio.sleep(REFUSED_AGAIN)
                except EtcdError as error:
                    self.fault = str(error)
                    self._on_fault(error)
                    await anyio.sleep(self._joins.delay())
                await self._give_back()

    async def leave(self) -> None:
        """Hand the shards over: the others learn of it at once, and not when the lease runs out."""
        self._scope.cancel()
        with anyio.move_on_after(FAREWELL, shield=True):
            await self._give_back()

    async def _give_back(self) -> None:
        """Have no shards any more, and end the lease, which removes every key that was put with it."""
        self._valid_until = 0.0
        self._holdings.clear()
        if self._lease:
            try:
                await revoke(self._client, self._lease)
            except EtcdError as error:
                log.debug("%s", error)  # it has ended, or will
            self._lease = 0  # not before: who is cancelled here ends, and has it to give back still

    async def _join(self) -> Identity:
        asked = self._clock.monotonic()
        lease = await grant(self._client, self._wanted_ttl)
        self._lease, self._ttl, self.id = lease.id, lease.ttl, f"{self._name}-{lease.id:x}"
        joined_at = await join(self._client, self._roster, self.id, self._shards, lease.id)
        self._valid_until = asked + (1 - MARGIN) * self._ttl
        self._expelled, self.fault, self._joined_before = anyio.Event(), "", True
        self._assessment.joined(self.id, self._ttl)
        self._joins.reset()
        log.info("joined group %s as %s: %d shards, lease of %g s", self._group, self.id, self._shards, self._ttl)
        return Identity(self.id, joined_at, lease.id)

    async def _stay(self, me: Identity) -> str:
        """Be a member; gives why it is over."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._balance, me, tasks)
            why = await self._keep_alive(me, tasks)
            tasks.cancel_scope.cancel()
        return why

    # -- the lease

    async def _keep_alive(self, me: Identity, tasks: TaskGroup) -> str:
        """Keep the lease; gives why it is over."""
        pause, deaf_since = self._ttl / REFRESHES, None
        while True:
            with anyio.move_on_after(pause):
                await self._expelled.wait()
                return "its key was removed, or the store is another one"
            asked = self._clock.monotonic()
            try:
                lease = await refresh(self._client, self._lease, min(CALL_TIMEOUT, self._ttl / REFRESHES))
            except EtcdError as error:
                self._on_fault(error)
                pause, deaf_since = self._refreshes.delay(), None
                continue
            if not lease.ttl:
                return "its lease has run out"
            self._refreshes.reset()
            self._prolong(asked, lease.revision, tasks)
            tasks.start_soon(self._balancer.restore, me)
            pause = self._ttl / REFRESHES
            deaf_since = None if self._grounds.heard else (deaf_since or asked)
            if deaf_since is not None and asked - deaf_since >= self._ttl:
                return "its watches have heard nothing for the time of a lease"  # and another member's may

    def _prolong(self, asked: float, revision: int, tasks: TaskGroup) -> None:
        lapsed = self._clock.monotonic() >= self._valid_until
        self._valid_until = asked + (1 - MARGIN) * self._ttl
        if lapsed:
            self._holdings.open.clear()
            self._assessment.look()
            self._holdings.open_soon(revision, tasks)

    # -- the shards

    async def _balance(self, me: Identity, tasks: TaskGroup) -> None:
        await self._balancer.run(me, self._ttl, tasks)
        self._expelled.set()

    def _listed_again(self) -> None:
        """Take nothing for granted where the store may be another one, or an older one: join anew."""
        self._expelled.set()
