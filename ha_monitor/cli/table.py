"""Resources as a table on the terminal: what is not healthy first, and a letter beside each colour."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ha_monitor.text import local_time, parsed, printable, ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from ha_monitor.transition import Transition
    from ha_monitor.web import shapes
    from ha_monitor.web.shapes import Entry, Resource

_WIDE = 110  # columns from which on there is room for a column that says why
_PLAIN = 200  # columns where there is no terminal
_NAME = 120  # characters that are shown of a name

_STYLES = {"X": "bold red", "P": "bold magenta", "S": "bold yellow", "D": "yellow", "?": "dim", "U": "green"}
_ENTRY_STYLES = {"UP": "green", "DOWN": "bold red", "FAIL": "bold red", "UNKNOWN": "dim"}
_MARKS = {"P": "problem", "S": "failover"}
_WORDS = {
    "X": ("down", "down"),
    "P": ("problem", "problems"),
    "S": ("failover", "failovers"),
    "D": ("degraded", "degraded"),
    "?": ("unknown", "unknown"),
}


def console_here() -> Console:
    """Give stdout: with colours on a terminal only, and not with NO_COLOR; with long lines where it is none."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PLAIN
    return console


def print_trimmed(console: Console, shown: RenderableType) -> None:
    """Print something; without the blanks at the ends of lines where there is no terminal, which wrap in a pager."""
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as capture:
        console.print(shown)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def draws(console: Console) -> bool:
    """Tell whether a table can be drawn anew in its place."""
    return console.is_terminal and not console.is_dumb_terminal


def board(
    fault: str,
    news: Sequence[str],
    letters: str,
    resources: Iterable[Resource],
    width: int,
    group: shapes.Group | None = None,
    warning: str = "",
) -> Group:
    """Give all of it: what is wrong with the answer itself, what changed last, the totals, the group, the table.

    :param warning: a fault that does not make the monitor unready.
    :param letters: one for each resource that there is, as ``/api/v1/map`` gives them.
    """
    parts: list[RenderableType] = []
    if fault:
        parts += [Text(printable(fault), "bold red"), ""]
    if warning:
        parts += [Text(printable(warning), "yellow"), ""]
    if news:
        parts += [Text("\n".join(news)), ""]
    if letters or not fault:
        worst = next((code for code in _WORDS if code in letters), "U")
        parts.append(Text(headline(letters), _STYLES[worst]))
    if group is not None and group.name is not None:
        parts.append(Text(printable(group_line(group)), "bold red" if group.unowned or group.fault else ""))
    parts.append(resources_table(resources, width))
    return Group(*parts)


def group_line(group: shapes.Group) -> str:
    """Say who shares the work: ``group edge: active here, shards 0, 2-3 of 4; 2 members``."""
    if group.fault:
        here = f"OUTSIDE here: {group.fault}"
    else:
        here = f"{group.role} here" + (f", {_shards(group.owned)} of {group.shards}" if group.owned else "")
    members = f"{len(group.members)} member{'' if len(group.members) == 1 else 's'}"
    words = f"group {group.name}: {here}; {members}"
    if group.passed_over:
        words += f" ({len(group.passed_over)} passed over)"
    return f"{words}; NOBODY PUBLISHES FOR {_shards(group.unowned)}" if group.unowned else words


def _shards(numbers: Sequence[int]) -> str:
    return f"shard{'' if len(numbers) == 1 else 's'} {ranges(numbers)}"


def headline(letters: str) -> str:
    """Say how the whole is: ``1 down, 2 failovers of 400 resources``."""
    counts = Counter(letters)
    of = f"{len(letters):,} resource{'' if len(letters) == 1 else 's'}"
    ill = [f"{counts[code]:,} {words[counts[code] > 1]}" for code, words in _WORDS.items() if counts[code]]
    if not letters:
        return "no resources are monitored"
    return f"{', '.join(ill)} of {of}" if ill else f"all {of} up"


def resources_table(resources: Iterable[Resource], width: int) -> Table:
    """Give a table with a line for each resource: status, since when, active side, every entry, and why.

    :param width: columns of the terminal; where they are few, a resource takes several lines, and nothing is cut off.
    """
    return _wide(resources) if width >= _WIDE else _narrow(resources)


def _wide(resources: Iterable[Resource]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("status", no_wrap=True)
    table.add_column("type", no_wrap=True, max_width=24)
    table.add_column("name", overflow="fold", min_width=8)
    table.add_column("since", justify="right", no_wrap=True)
    table.add_column("active", no_wrap=True, max_width=20)
    table.add_column("sides", overflow="fold", min_width=12)
    table.add_column("why", overflow="fold")
    now = time.time()
    for resource in resources:
        code = _code(resource)
        table.add_row(
            Text(" ".join(_state(resource, code)), _STYLES[code]),
            printable(resource.type),
            _name(resource),
            _ago(resource.since, now),
            printable(resource.active or "none"),
            Text(", ").join(_sides(resource)),
            Text(printable(_why(resource))),
        )
    return table


def _narrow(resources: Iterable[Resource]) -> Table:
    """Below each other: status and since when, the name and what it is, the sides and why."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("status, since", no_wrap=True)
    table.add_column("resource", overflow="fold", ratio=1)
    table.add_column("sides, why", overflow="fold", ratio=1)
    now = time.time()
    for resource in resources:
        code = _code(resource)
        state, *mark = _state(resource, code)
        what, why = f"{resource.type}, active {resource.active or 'none'}", Text(printable(_why(resource)))
        table.add_row(
            Text(f"{state}\n  {', '.join((*mark, _ago(resource.since, now)))}", _STYLES[code]),
            Text("\n").join((_name(resource), Text(printable(what), "dim"))),
            Text("\n").join(part for part in (*_sides(resource), why) if part),
        )
    return table


def _state(resource: Resource, code: str) -> tuple[str, ...]:
    """Give letter and status, and what that comes of."""
    state = f"{code} {resource.status}"
    return (state, _MARKS[code]) if code in _MARKS else (state,)


def _name(resource: Resource) -> Text:
    name = printable(resource.name or resource.id)
    return Text(name if len(name) <= _NAME else f"{name[:_NAME]}…")


def _sides(resource: Resource) -> list[Text]:
    return [
        Text.assemble(f"{printable(name)} ", (entry.status, _ENTRY_STYLES[entry.status]))
        for name, entry in resource.entries.items()
    ]


def transition_line(change: Transition) -> str:
    """Say what happened, with the time of day here."""
    return printable(
        f"{local_time(change.at)}  {change.type} {change.id}:"
        f" {change.entry} {change.old or 'new'} -> {change.new or 'gone'},"
        f" now {change.status}, active {change.active or 'none'}"
    )


def _code(resource: Resource) -> str:
    if resource.problem is not None:
        return "P"
    if resource.status == "DEGRADED":
        return "D" if resource.active == next(iter(resource.entries)) else "S"
    return {"UP": "U", "DOWN": "X"}.get(resource.status, "?")


def _why(resource: Resource) -> str:
    return "; ".join(part for part in (_frozen(resource), resource.problem or _ailing(resource)) if part)


def _frozen(resource: Resource) -> str:
    if resource.maintenance is None:
        return ""
    until = "" if resource.maintenance.until is None else f" until {local_time(resource.maintenance.until)}"
    return f"in maintenance{until}{': ' if resource.maintenance.reason else ''}{resource.maintenance.reason}"


def _ailing(resource: Resource) -> str:
    return "; ".join(
        f"{name}: {entry.reason}{_to_come(entry)}"
        for name, entry in resource.entries.items()
        if entry.status != "UP" or entry.pending is not None
    )


def _to_come(entry: Entry) -> str:
    pending = entry.pending
    return (
        "" if pending is None or pending.due is None else f", counts as {pending.status} from {local_time(pending.due)}"
    )


def _ago(since: str | None, now: float) -> str:
    if since is None:
        return "-"
    seconds = max(0, int(now - parsed(since).timestamp()))
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"
