"""Makes what leaves the package from what the fleet tracks: records of a resource, and what it renders to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ha_monitor.errors import Problem
from ha_monitor.evaluate.lookup import NotYet
from ha_monitor.model import EntryStatus, Maintenance, Pending, Resource, Status
from ha_monitor.publish.record import read_record
from ha_monitor.publish.take_up import take_up

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ha_monitor.evaluate.entry import Entry
    from ha_monitor.evaluate.lookup import Lookup
    from ha_monitor.evaluate.unit import Family, Unit
    from ha_monitor.keys import Keyspace
    from ha_monitor.lang.template import Rendering
    from ha_monitor.sight import Seen


def describe(
    unit: Unit, seen: Seen, *, trouble: str | None, maintenance: Maintenance | None, ahead: float, ordered: bool
) -> Resource:
    """Give a resource as it stands.

    :param seen: how fresh the answers of its type are.
    :param trouble: what its record meets, in words.
    :param ahead: how far the wall clock is ahead of the monotonic one, in seconds.
    :param ordered: revisions are etcd's, and not places in a file.
    """
    family, instead = unit.family, seen.instead
    records = family.records
    standing = None if records is None else records.standing(records.key(unit.id))[0]
    return Resource(
        type=family.type,
        id=unit.resource_id,
        name=unit.name,
        version=unit.version,
        template=family.template_id,
        status=instead or unit.status,
        active=None if instead else unit.active,
        since=unit.since if instead is None else seen.since,
        problem=unit.problem or trouble,
        published=None if standing is None else read_record(standing),
        revision=seen.revision,
        proven_at=seen.proven_at,
        stale=seen.stale,
        entries={entry.name: _entry(entry, seen, ahead, unit.cause(entry)) for entry in unit.entries},
        maintenance=maintenance,
        blind=instead is not None,
        take_up=take_up(unit, ordered=ordered),
    )


def _entry(entry: Entry, seen: Seen, ahead: float, revision: int) -> EntryStatus:
    key = None if entry.cell is None else entry.cell.name
    status = entry.shown or Status.UNKNOWN
    if seen.instead is not None:
        return EntryStatus(seen.instead, seen.since, key, f"{seen.reason}; it was {status}", revision=revision)
    damped = None if entry.damper is None else entry.damper.state
    if damped is None:
        return EntryStatus(status, entry.since, key, entry.why, revision=revision)
    pending = Pending(damped.raw, damped.due + ahead) if damped.pending and damped.due is not None else None
    return EntryStatus(status, entry.since, key, entry.why, pending, damped.flapping, revision)


def rendering(family: Family, id_: str, keyspace: Keyspace, lookup: Lookup) -> Mapping[str, Any]:
    """Give what a resource renders to, in the form of ``ha-monitor render --json``."""
    shown: dict[str, Any] = {
        "type": family.type,
        "id": id_,
        "version": None,
        "template": family.template_id,
        "parameters": {},
        "document": None,
        "entries": {},
        "depends_on": [family.configs.where(id_)],
        "problem": family.problem,
    }
    if family.template_id is not None:
        shown["depends_on"].append(keyspace.templates + family.template_id)
    try:
        at = family.configs.find(id_)
        envelope = None if at is None else family.configs.envelope(at)
        if envelope is None or envelope.ended or family.template is None:
            return shown
        shown["version"] = envelope.version
        result = family.template.render(family.type, id_, envelope.body, lookup)
        shown["depends_on"] += _keys(family, id_, result, lookup)
        shown["problem"] = result.problem
        for_people = family.template.shown(result)
        shown["parameters"] = for_people.parameters
        shown["entries"] = {entry.name: {"type": entry.type, **entry.props} for entry in for_people.entries}
        shown["document"] = for_people.document
    except (Problem, NotYet) as problem:
        shown["problem"] = shown["problem"] or str(problem)
    return shown


def _keys(family: Family, id_: str, result: Rendering, lookup: Lookup) -> Iterator[str]:
    reads = dict.fromkeys(result.reads)
    for ref in reads:
        yield lookup.view(ref).where(ref.id)
    for ref in result.refers:
        if ref not in reads:
            yield lookup.where(ref)
    unit = family.find(id_)
    for entry in () if unit is None else unit.entries:
        for cell in entry.cells:
            yield cell.name
