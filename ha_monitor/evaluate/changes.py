"""What is told of a resource whose verdict was worked out: a change for each entry that is another one now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.model import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ha_monitor.evaluate.entry import Entry
    from ha_monitor.evaluate.unit import Unit


def changes_of(unit: Unit, gone: Iterable[Entry], at: float) -> list[Change]:
    """Give the changes since the last time, and note that they were told.

    :param gone: the entries that were dropped since.
    """
    type_, id_, status, active = unit.family.type, unit.id, unit.status, unit.active
    if not unit.family.configs.ids_are_resources:  # hardly ever, and asked for each change
        id_ = unit.resource_id
    changes = []
    for entry in gone:
        unit.revision = unit.cause(entry)  # nothing older is told of the next one of that name
        why = _why_gone(unit, entry)
        changes.append(Change(type_, id_, entry.name, entry.shown, None, status, active, unit.revision, at, why))
    least = unit.revision
    for entry in unit.entries:
        old, new = entry.shown, entry.status if entry.damper is None else entry.counts
        if old is not new:
            revision = entry.revision()
            if revision < least:
                revision = least
            why = entry.reason if entry.damper is None else entry.why
            changes.append(Change(type_, id_, entry.name, old, new, status, active, revision, at, why))
            entry.shown = new
            entry.since = at
    return changes


def _why_gone(unit: Unit, entry: Entry) -> str:
    if unit.ended:
        return "the resource ended"
    if unit.problem:
        return unit.problem
    is_another = any(other.name == entry.name for other in unit.entries)
    return "it goes by another state now" if is_another else "its template has it no longer"
