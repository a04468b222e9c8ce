"""A plan on the terminal, or as JSON: a line for each resource that changes, those that change alike together."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ha_monitor.cli.lines import folded
from ha_monitor.publish.record import read_record
from ha_monitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console

    from ha_monitor.plan.report import Difference, Plan
    from ha_monitor.publish.settled import Outcome, SettledEntry

SHOWN = 20
"""Resources that are shown of each kind of change."""

_RANKS = ("DOWN", "problem", "gone", "DEGRADED", "UNKNOWN", "UP")
"""Kinds of change by what comes of it, the worst first."""

_STYLES = {
    "DOWN": "bold red", "problem": "bold magenta", "gone": "bold", "DEGRADED": "bold yellow", "UNKNOWN": "bold",
    "UP": "green",
}  # fmt: skip


def show(console: Console, planned: Plan, *, everything: bool) -> None:
    """Print it.

    :param everything: all of what changes, and not :data:`SHOWN` of each kind.
    """
    for template, (old, new) in planned.problems.items():
        words = f"{template}: problem healed: {old}" if new is None else f"{template}: {new}"
        words = words.replace(f"{template}: {template}", template, 1)  # many say it themselves
        console.print(Text(printable(words), "green" if new is None else _STYLES["problem"]), soft_wrap=True)
    groups: dict[tuple[str, str], list[Difference]] = {}
    for difference in planned.differences:
        groups.setdefault((difference.type, _course(difference)), []).append(difference)
    for (type_, course), members in sorted(groups.items(), key=lambda item: _rank(item[1][0])):
        shown = members if everything else members[:SHOWN]
        if len(members) > len(shown):
            head = f"{len(members):,} x {type_}: {course}"
            console.print(Text(printable(head), _STYLES[_kind(members[0].after)]), soft_wrap=True)
        for difference in shown:
            _line(console, difference, planned.state_timeout)
        if len(members) > len(shown):
            console.print(f"  … and {len(members) - len(shown):,} more of them; --all shows them")
    for line in folded(headline(planned), console.width) if console.is_terminal else [headline(planned)]:
        console.print(Text(line, "bold"), soft_wrap=True)


def headline(planned: Plan) -> str:
    """Say what it comes to: ``3 of 400 resources change: 2 UP -> DOWN, 1 UP -> DEGRADED``."""
    count = len(planned.differences)
    of = f"{planned.resources:,} resource{'' if planned.resources == 1 else 's'}"
    templates = len(planned.problems)
    more = f"; {templates} template{'' if templates == 1 else 's'} with another problem" if templates else ""
    if not count:
        return f"nothing changes of {of}{more}"
    courses = Counter(_course(difference) for difference in sorted(planned.differences, key=_rank))
    kinds = ", ".join(f"{number:,} {course}" for course, number in courses.items())
    return f"{count:,} of {of} change{'s' if count == 1 else ''}: {kinds}{more}"


def notes(planned: Plan) -> Iterator[str]:
    """Say what is odd about the keys, or the site."""
    for key in planned.no_effect:
        yield f"note: {key} has no effect: nothing that is monitored watches it"
    for key in planned.no_change:
        yield f"note: {key} is so already"
    if planned.restless:
        yield (
            f"note: {len(planned.restless)} records go on changing each other, and never settle:"
            f" {', '.join(planned.restless[:SHOWN])}"
        )


def _kind(outcome: Outcome | None) -> str:
    if outcome is None:
        return "gone"
    return "problem" if outcome.problem is not None else outcome.status.value


def _course(difference: Difference) -> str:
    """Say where from and where to."""
    old = "new" if difference.before is None else _kind(difference.before)
    new = _kind(difference.after)
    return f"{old} -> {new}" if old != new else f"{new} as before"


def _rank(difference: Difference) -> int:
    return _RANKS.index(_kind(difference.after))


# -- a resource


def _line(console: Console, difference: Difference, state_timeout: float) -> None:
    named = f" ({difference.name})" if difference.name not in ("", difference.id) else ""
    words = f"{difference.type}/{difference.id}{named}: {change(difference)}"
    first, *others = folded(words, console.width - 4) if console.is_terminal else [printable(words)]
    line = Text(first)
    line.highlight_words([_course(difference)], _STYLES[_kind(difference.after)])
    console.print(line, soft_wrap=True)
    for other in others:
        console.print(Text(f"    {other}"), soft_wrap=True)
    record = _record(difference, state_timeout)
    if record:
        console.print(Text(f"    record {printable(record)}", "dim"), soft_wrap=True)


def change(difference: Difference) -> str:
    """Say in one line what becomes of a resource."""
    details = list(_details(difference.before, difference.after))
    return _course(difference) + (f" ({'; '.join(details)})" if details else "")


def _details(old: Outcome | None, new: Outcome | None) -> Iterator[str]:
    if new is not None and new.problem is not None:
        yield new.problem
        return
    if old is not None and new is not None and old.problem is None and old.active != new.active:
        yield f"active: {old.active or 'none'} -> {new.active or 'none'}"
    before = {} if old is None else old.entries
    after = {} if new is None else new.entries
    for name, entry in after.items():
        known = before.get(name)
        if known is None or known.status is not entry.status:
            yield f"{name}: {_move(known, entry)}"
    if new is not None:
        yield from (f"{name}: gone" for name in before if name not in after)


def _move(old: SettledEntry | None, new: SettledEntry) -> str:
    course = f"{new.status}" if old is None else f"{old.status} -> {new.status}"
    first = "" if new.unknown_for is None else f", UNKNOWN for {new.unknown_for:g} s before"
    return f"{course}: {new.reason}{first}"


def _record(difference: Difference, state_timeout: float) -> str:
    """Say what becomes of the record that stands in etcd; empty: nothing."""
    old, new = difference.record_before, difference.record_after
    if old == new:
        stays = old is not None and (difference.after is None or not difference.after.published)
        return "stays as it is" if stays else ""
    if new is None:
        has_problem = difference.after is not None and difference.after.problem is not None
        when = f" once the problem has lasted for {state_timeout:g} s" if has_problem else ""
        return f"deleted{when}: {_text(old)}"
    if old is None:
        return f"new: {_text(new)}"
    was, is_ = read_record(old), read_record(new)
    if was is None or is_ is None:
        return f"{_text(old)} -> {_text(new)}"
    fields = [name for name in dict.fromkeys((*was, *is_)) if was.get(name) != is_.get(name)]
    return ", ".join(f"{name}: {_value(was, name)} -> {_value(is_, name)}" for name in fields)


def _value(record: Any, name: str) -> str:
    value = record.get(name, "none")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "replace")


# -- JSON


def as_items(planned: Plan) -> Sequence[Any]:
    """Give it as a list: templates with another problem first, then the resources, all in the same shape."""
    return [*_templates(planned), *_resources(planned.differences)]


def _templates(planned: Plan) -> Iterator[Any]:
    for where, (old, new) in planned.problems.items():
        yield {
            "type": None, "id": None, "name": None, "template": where.removeprefix("template "),
            "change": "problem healed" if new is None else new,
            "before": {"problem": old}, "after": {"problem": new},
        }  # fmt: skip


def _resources(differences: Iterable[Difference]) -> Iterator[Any]:
    for difference in differences:
        yield {
            "type": difference.type, "id": difference.id, "name": difference.name, "template": None,
            "change": change(difference),
            "before": _side(difference.before, difference.record_before),
            "after": _side(difference.after, difference.record_after),
        }  # fmt: skip


def _side(outcome: Outcome | None, record: bytes | None) -> Any:
    shown = None if record is None else read_record(record) or _text(record)
    if outcome is None:
        return {"status": None, "active": None, "problem": None, "entries": {}, "record": shown}
    return {
        "status": outcome.status.value,
        "active": outcome.active,
        "problem": outcome.problem,
        "entries": {
            name: {"status": entry.status.value, "reason": entry.reason, "unknown_for": entry.unknown_for}
            for name, entry in outcome.entries.items()
        },
        "record": shown,
    }
