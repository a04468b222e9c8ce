"""Brings the shards that a member has to its share: a reconciler, woken by news of the group, and now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ha_monitor.errors import EtcdError
from ha_monitor.group.election import touch
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.group.assessment import Assessment
    from ha_monitor.group.election import Identity
    from ha_monitor.group.holdings import Holdings
    from ha_monitor.group.roster import Roster

LOOKS = 3
"""Looks at the group in the time of a lease, should no news come: time alone may give a shard to us. Chosen."""


class Balancer:
    """Of one member. Times are monotonic seconds."""

    def __init__(
        self,
        client: EtcdClient,
        clock: Clock,
        roster: Roster,
        holdings: Holdings,
        assessment: Assessment,
        *,
        shards: int,
        on_fault: Callable[[EtcdError], None],
    ) -> None:
        """Prepare.

        :param on_fault: called with each failure, before the pause.
        """
        self._client = client
        self._clock = clock
        self._roster = roster
        self._holdings = holdings
        self._assessment = assessment
        self._shards = shards
        self._on_fault = on_fault
        self._touch_at = 0.0
        """When etcd may be asked again whether it takes writes."""
        self._backoff = Backoff()
        self._news = anyio.Event()

    def wake(self) -> None:
        """Have the group looked at: its members or owners are others."""
        self._assessment.look()
        self._news.set()

    async def run(self, me: Identity, ttl: float, tasks: TaskGroup) -> None:
        """Go on until the key of this member is gone."""
        while True:
            self._news = anyio.Event()
            try:
                if self._roster.revision >= me.joined_at:
                    if me.id not in self._roster.members:
                        return
                    await self._balance(me, ttl / LOOKS)
            except EtcdError as error:
                self._on_fault(error)
                self._assessment.count_anew()
                self._holdings.open_soon(0, tasks)  # those that were taken before it failed
                await anyio.sleep(self._backoff.delay())
                continue
            self._backoff.reset()
            self._holdings.open_soon(0, tasks)
            with anyio.move_on_after(ttl / LOOKS):
                await self._news.wait()

    async def _balance(self, me: Identity, pause: float) -> None:
        """Bring the shards to what is to be ours; take them from members that do not publish for them."""
        assessment, now = self._assessment, self._clock.monotonic()
        assessment.look()
        if now >= self._touch_at and assessment.suspects(pause):
            self._touch_at = now + pause
            await touch(self._client, self._roster, self._shards, me)  # where it fails, the others can't do anything
        findings = assessment.findings()
        assessment.pass_over(findings.passed_over)
        taken = await self._holdings.balance(me, assessment.passed, findings.overdue, findings.silent)
        assessment.note_taken(taken)
        assessment.look()

    async def restore(self, me: Identity) -> None:
        """Put the keys of ours again that another client put over."""
        try:
            await self._holdings.restore(me)
        except EtcdError as error:
            self._on_fault(error)
