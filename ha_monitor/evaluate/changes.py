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
    changes = []
    for entry in gone:
        why = "the resource ended" if unit.ended else unit.problem or "its template has it no longer"
        changes.append(Change(type_, id_, entry.name, entry.shown, None, status, active, unit.config_revision, at, why))
    for entry in unit.entries:
        old, new = entry.shown, entry.counts
        if old is not new:
            revision = entry.revision or unit.config_revision
            changes.append(Change(type_, id_, entry.name, old, new, status, active, revision, at, entry.why))
            entry.shown = new
            entry.since = at
    return changes
