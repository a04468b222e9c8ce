"""An explanation on the terminal: the answer first, then each step with its key, from the config to the record."""

from __future__ import annotations

import json
import shlex
import time
from typing import TYPE_CHECKING

from rich.text import Text

from ha_monitor.cli.lines import folded
from ha_monitor.text import duration, parsed, printable

if TYPE_CHECKING:
    from rich.console import Console

    from ha_monitor.web.explained import ExplainedEntry, Explanation, Parameter, State

_STATUS = {
    "UP": "bold green", "DEGRADED": "bold yellow", "DOWN": "bold red", "FAIL": "bold red", "UNKNOWN": "bold",
}  # fmt: skip
_RECORD = {"right": "green", "held": "bold red", "due": "yellow"}
_LABEL = "bold"
_KEY = "cyan"
_QUIET = "dim"


def show(console: Console, told: Explanation) -> None:
    """Print it."""
    _answer(console, told)
    _config(console, told)
    _entries(console, told)
    _verdict(console, told)


# -- the answer


def _answer(console: Console, told: Explanation) -> None:
    ill = told.resource.problem is not None
    style = "bold magenta" if ill else _STATUS[told.resource.status]
    _words(console, "", told.summary, 0, style)
    record = () if told.record.state == "right" else (told.record.why,)
    parts = (("note", told.notes, "yellow"), ("why", told.why, ""), ("heals", told.heals, ""), ("record", record, ""))
    for label, said, quiet in parts:
        for place, words in enumerate(said):
            _words(console, f"  {'' if place else label}", words, 10, quiet)
    for place, name in enumerate(told.below):
        command = shlex.join(("ha-monitor", "explain", *name.split("/", 1)))
        console.print(Text.assemble((f"  {'' if place else 'see':8}", _LABEL), printable(command)), soft_wrap=True)
    console.print()


# -- where it comes from


def _config(console: Console, told: Explanation) -> None:
    resource = told.resource
    name = f", name {resource.name}" if resource.name and resource.name != resource.id else ""
    version = "version unknown" if resource.version is None else f"version {resource.version}"
    _heading(console, "config", f"{version}{name}")
    _key(console, told.config.key, told.config.revision, 2)
    _heading(console, "template", resource.template or "none")
    _key(console, told.template.key, told.template.revision, 2)
    if told.parameters:
        _heading(console, "parameters")
        width = max(len(name) for name in told.parameters)
        for name, parameter in told.parameters.items():
            _parameter(console, name, parameter, width)


def _parameter(console: Console, name: str, parameter: Parameter, width: int) -> None:
    value = Text(_json(parameter.value)) if parameter.given else Text("none: its mapping has a problem", "magenta")
    console.print(Text.assemble("  ", printable(name).ljust(width), "  ", value), soft_wrap=True)
    for source in parameter.sources:
        _key(console, source.key, source.revision, 4)


# -- what it comes to


def _entries(console: Console, told: Explanation) -> None:
    if not told.entries:
        return
    _heading(console, "entries")
    width = max(len(name) for name in told.entries)
    for name, entry in told.entries.items():
        _entry(console, printable(name).ljust(width), entry, is_active=name == told.resource.active)


def _entry(console: Console, name: str, entry: ExplainedEntry, *, is_active: bool) -> None:
    line = Text.assemble("  ", name, "  ", (entry.status, _STATUS[entry.status]))
    if entry.since is not None and entry.served:
        line.append(f" for {duration(time.time() - parsed(entry.since).timestamp())}")
    if is_active:
        line.append(", active", "bold")
    line.append(f": {printable(entry.reason)}")
    console.print(line, soft_wrap=True)
    props = " ".join(f"{prop}={_bare(value)}" for prop, value in entry.props.items())
    timeout = f", timeout {entry.timeout:g} s" if entry.served else ""
    _words(console, "    ", f"{entry.type} {props}{timeout}", 4, _QUIET)
    for state in entry.states:
        _state(console, state)


def _state(console: Console, state: State) -> None:
    says = None if state.dependencies is None else _json(state.dependencies)
    _key(console, state.key, state.revision, 4, says)
    if state.record_of is not None:
        _words(console, "      ", f"the record of {state.record_of}, which is {state.record_of_status}", 6)


def _verdict(console: Console, told: Explanation) -> None:
    _heading(console, "verdict", told.rule)
    record = told.record
    _heading(console, "record", record.why, _RECORD.get(record.state, ""))
    standing = None if record.standing is None else printable(record.standing)
    _key(console, record.key, record.revision, 2, standing)
    if record.worker_state is not None:
        taken = told.resource.take_up
        version = None if taken is None or taken.state_version is None else f"version {taken.state_version}"
        _key(console, record.worker_state.key, record.worker_state.revision, 2, version)
    if record.state in ("due", "held") and record.due != record.standing:
        due = "nothing" if record.due is None else printable(record.due)
        console.print(Text.assemble("    ", ("should be ", _LABEL), due), soft_wrap=True)
    if told.config.revision is not None and told.resource.proven_at is not None:
        ago = duration(time.time() - parsed(told.resource.proven_at).timestamp())
        console.print(Text(f"right up to revision {told.resource.revision}, proven {ago} ago", _QUIET), soft_wrap=True)


# -- lines


def _heading(console: Console, label: str, words: str = "", style: str = "") -> None:
    _words(console, label, words, 10, style)


def _words(console: Console, label: str, words: str, indent: int, style: str = "") -> None:
    """Print a label, and words folded beside it."""
    first, *others = folded(words, console.width - indent)
    console.print(Text.assemble((label.ljust(indent) if first else label, _LABEL), (first, style)), soft_wrap=True)
    for line in others:
        console.print(Text.assemble(" " * indent, (line, style)), soft_wrap=True)


def _key(console: Console, key: str, revision: int | None, indent: int, value: str | None = None) -> None:
    """Print a key on a line that no terminal's width cuts, to be copied; what else there is where there is room."""
    blanks = " " * indent
    at = "is not there" if revision == 0 else "" if revision is None else f"revision {revision}"
    tail = Text.assemble(
        (at, "magenta" if revision == 0 else _QUIET), *(("  ", value) if value and at else (value or "",))
    )
    line = Text.assemble(blanks, (printable(key), _KEY))
    if not tail.plain:
        console.print(line, soft_wrap=True)
    elif len(line) + 2 + len(tail) <= console.width:
        console.print(Text.assemble(line, "  ", tail), soft_wrap=True)
    else:
        console.print(line, soft_wrap=True)
        console.print(Text.assemble(blanks, "  ", tail), soft_wrap=True)


def _json(value: object) -> str:
    return printable(json.dumps(value, ensure_ascii=False, default=str))


def _bare(value: object) -> str:
    return value if isinstance(value, str) else _json(value)
