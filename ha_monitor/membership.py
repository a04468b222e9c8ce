"""The monitor as a member of its group: what the member has to know of it, and what becomes of a shard that is ours."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ha_monitor.group.member import Member
from ha_monitor.group.roster import Roster
from ha_monitor.text import legible

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ha_monitor.clock import Clock
    from ha_monitor.errors import EtcdError
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.evaluate.fleet import Fleet
    from ha_monitor.publish.publisher import Publisher
    from ha_monitor.settings import Settings
    from ha_monitor.watch.pulse import Pulse
    from ha_monitor.watch.watches import Watches


@dataclass(frozen=True, slots=True)
class MonitorGrounds:
    """Implements :class:`ha_monitor.group.member.Grounds`."""

    fleet: Fleet
    pulse: Pulse
    publisher: Publisher
    synced: asyncio.Event

    @property
    def heard(self) -> bool:
        """Whether every watch is caught up."""
        return self.fleet.heard

    async def ready(self) -> None:
        """Wait until every resource was evaluated once, and every watch is caught up."""
        await self.synced.wait()
        await self.pulse.prove(0)

    async def prove(self, revision: int) -> None:
        """Wait until every watch is known to be right up to a revision."""
        await self.pulse.prove(revision)

    async def take_over(self, is_ours: Callable[[str, str], bool]) -> None:
        """Have the records looked at, by type and id, that are ours from now on."""
        await self.publisher.take_over(tuple(self.fleet.families.values()), is_ours)


def open_member(
    settings: Settings,
    client: EtcdClient,
    clock: Clock,
    watches: Watches,
    grounds: MonitorGrounds,
    on_fault: Callable[[EtcdError], None],
) -> Member | None:
    """Make the member that the settings ask for, and let the publisher go by it; ``None`` where they ask for none."""
    if settings.group is None:
        return None
    roster, host = Roster(settings.group_keys), legible(socket.gethostname())
    member = Member(
        client, clock, roster, grounds, group=settings.group, name=host.replace("/", "-"),  # one segment of a key
        shards=settings.shards, ttl=settings.lease_ttl, on_fault=on_fault, patience=_patience(settings),
    )  # fmt: skip
    grounds.publisher.records.mandate = member
    watches.follow(roster)
    return member


def _patience(settings: Settings) -> float:
    """Give the seconds for which a member that has just started may evaluate otherwise than one that saw it all."""
    damped = [settings.rise, settings.fall, *settings.rise_by_type.values(), *settings.fall_by_type.values()]
    return max(damped) + (settings.flap_window if settings.flap_turns else 0.0)
