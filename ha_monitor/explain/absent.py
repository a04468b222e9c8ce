"""What is known of a resource that is not monitored: its type, its template, its config, its record, its name."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from ha_monitor.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ha_monitor.evaluate.fleet import Fleet
    from ha_monitor.evaluate.templates import Templates
    from ha_monitor.evaluate.unit import Family

_NAMED = 3  # ids that are told for one name
_TYPES = 20  # types that are told


def absent(fleet: Fleet, templates: Templates, type_: str, id_: str) -> str:
    """Say in words what is known of a resource that is not there."""
    return "; ".join((f"there is no {type_} {id_}", *_facts(fleet, templates, type_, id_)))


def _facts(fleet: Fleet, templates: Templates, type_: str, id_: str) -> Iterator[str]:
    family = fleet.families.get(type_)
    if family is None or family.template_id is None:
        yield templates.lack(type_)
        if family is not None and family.configs.find(id_) in family.configs.items:
            yield f"its config is there: {family.configs.where(id_)}"
        types = sorted(name for name, each in fleet.families.items() if each.template_id is not None)
        near = difflib.get_close_matches(type_, types, 1)
        if near:
            yield f"perhaps {near[0]} is meant"
        more = f" and {len(types) - _TYPES} more" if len(types) > _TYPES else ""
        yield f"types with a template: {', '.join(types[:_TYPES]) or 'none'}{more}"
        return
    yield _config(family, id_)
    named = sorted(unit.resource_id for unit in family.units.values() if unit.name == id_)
    if named:
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        yield f"that is the name of {', '.join(named[:_NAMED])}{more}"
    at = family.configs.find(id_)
    cell = None if family.records is None or at is None else family.records.cell(at)
    if cell is not None and cell.state is not None:
        yield f"a record of it stands at {cell.name}, revision {cell.revision}"
    count = len(family.units)
    yield f"{count:,} {type_} resource{' is' if count == 1 else 's are'} monitored"


def _config(family: Family, id_: str) -> str:
    key, at = family.configs.where(id_), family.configs.find(id_)
    if not family.configs.synced:
        return f"{family.configs.prefix} is not listed yet"
    if at is None or at not in family.configs.items:
        return f"it has no config: {key} is not there"
    try:
        envelope = family.configs.envelope(at)
    except Problem:
        envelope = None
    if envelope is not None and envelope.ended:
        return f"its config is marked for deletion: {key}, revision {family.configs.revision(at)}"
    return f"its config is there, and not evaluated yet: {key}"
