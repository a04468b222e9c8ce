"""What surrounds a record: who is to write it, and whether anything holds that up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.explain.record import Circumstances
from ha_monitor.group.shards import shard_of
from ha_monitor.publish.desire import Publish

if TYPE_CHECKING:
    from ha_monitor.evaluate.unit import Unit
    from ha_monitor.group.member import Member
    from ha_monitor.model import Resource
    from ha_monitor.publish.publisher import Publisher
    from ha_monitor.settings import Settings


def circumstances(
    settings: Settings, unit: Unit, resource: Resource, deaf: str, publisher: Publisher | None, member: Member | None
) -> Circumstances:
    """Give what decides whether a record is written.

    :param deaf: why the resource can't be vouched for; empty where it can.
    """
    return Circumstances(
        form=None if settings.publish == "none" else Publish(settings.publish),
        state_timeout=settings.state_timeout,
        once=publisher is None,
        frozen="" if resource.maintenance is None else "it is in maintenance, and left as it is",
        deaf=deaf,
        elsewhere="" if member is None else elsewhere(member, unit.family.type, unit.resource_id),
        refused="" if publisher is None else publisher.records.resting.words(unit.family, unit.id) or "",
        fault="" if publisher is None else publisher.fault,
        pause=0.0 if publisher is None else publisher.records.pause(unit.family, unit.id),
    )


def elsewhere(member: Member, type_: str, id_: str) -> str:
    """Say who publishes for a resource; empty where this member does, at this moment."""
    if member.fence(type_, id_) is not None:
        return ""
    group = member.status()
    shard = shard_of(type_, id_, group.shards)
    where = f"shard {shard} of group {group.name}"
    owner = next((name for name, shards in group.members.items() if shard in shards), None)
    if owner is None:
        return f"nobody has {where} at this moment"
    if owner == group.id:
        return f"{where} is ours, and not open to be published for: {member.fault or 'what we heard is being proven'}"
    return f"member {owner} publishes it: it has {where}"
