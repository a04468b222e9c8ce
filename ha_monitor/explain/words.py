"""The sentences of an explanation. Pure: from what is known of a resource to words for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ha_monitor.model import Status
from ha_monitor.text import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ha_monitor.explain.report import Entry, State
    from ha_monitor.model import Resource

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDER = (Status.UP, Status.DOWN, Status.FAIL, Status.UNKNOWN)
_NOT_UP = (Status.DOWN, Status.FAIL)


def rule(entries: Sequence[Status], status: Status) -> str:
    """Say which line of the truth table made the verdict of these entries."""
    counts = Counter(entries)
    if len(entries) == 1:
        return f"its one entry is {entries[0]}: {status}"
    if len(counts) == 1:
        all_of = "both" if len(entries) == 2 else f"all {_number(len(entries))}"
        return f"{all_of} entries {entries[0]}: {status}"
    kinds = [kind for kind in _ORDER if counts[kind]]
    first, *others = [f"{_number(counts[kind])} {kind}" for kind in kinds]
    number, _, kind_name = first.partition(" ")
    said = ", ".join([f"{number} {'entry' if number == 'one' else 'entries'} {kind_name}", *others])
    unknown = counts[Status.UNKNOWN]
    if unknown and status is Status.DEGRADED:
        return f"{said}: {status}, whatever the UNKNOWN {'one turns' if unknown == 1 else 'ones turn'} out to be"
    if unknown and counts[Status.UP]:
        return f"{said}: {status}, since it may come to UP or DEGRADED"
    if unknown:
        return f"{said}: {status}, since it may come to DEGRADED or DOWN"
    return f"{said}: {status}"


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)


def summary(resource: Resource, entries: Mapping[str, Entry], now: float) -> str:
    """Say in one sentence what the resource is, since when, and what makes it so."""
    who, lasting = f"{resource.type} {resource.id}", _lasting(resource.since, now)
    if resource.blind:
        return f"{who} is shown as {resource.status}: etcd can't be heard, and its last verdict no longer counts"
    foreign = [name for name, entry in entries.items() if not entry.served]
    if resource.problem is not None and not entries:
        return f"{who} can't be evaluated{lasting}: {resource.problem}"
    if foreign and resource.status is Status.UNKNOWN:
        return f"{who} is UNKNOWN{lasting}: {_and(foreign)} {_is(foreign)} served by another worker"
    sides = [f"{name} is {entry.status}" for name, entry in entries.items() if entry.status is not Status.UP]
    active = "nothing is active" if resource.active is None else f"{resource.active} is active"
    if resource.status is Status.UP:
        return f"{who} is UP{lasting}: {active}"
    return f"{who} is {resource.status}{lasting}: {', '.join([active, *sides])}"


def _lasting(since: float, now: float) -> str:
    return f" for {duration(now - since)}" if since else ""


def reasons(entries: Mapping[str, Entry], the_rule: str, now: float) -> tuple[str, ...]:
    """Give the reasons of a verdict: the rule, and for each entry that is not UP what it found, where, since when."""
    return (
        the_rule,
        *(
            f"{name}{_since(entry, now)}: {_found(entry)}"
            for name, entry in entries.items()
            if entry.status is not Status.UP
        ),
    )


def _since(entry: Entry, now: float) -> str:
    return f" is {entry.status} for {duration(now - entry.since)}" if entry.since and entry.served else ""


def _found(entry: Entry) -> str:
    if not entry.reason:
        return "not evaluated yet"
    if not entry.states:
        return entry.reason
    where = "; ".join(_place(state) for state in entry.states)
    return f"{entry.reason} {'at' if entry.reason.startswith('no state') else 'in'} {where}"


def _place(state: State) -> str:
    if state.record_of is None:
        return state.source.key
    type_, _, id_ = state.record_of.partition("/")
    return f"{state.source.key} (the record of {type_} {id_}, which is {state.record_of_status})"


def remedies(entries: Mapping[str, Entry], up_values: Sequence[str]) -> tuple[str, ...]:
    """Say, for each entry that is not UP, which key has to come or to change for it to be so."""
    return tuple(f"{name}: {_remedy(entry, up_values)}" for name, entry in _ill(entries).items())


def below(entries: Mapping[str, Entry]) -> tuple[str, ...]:
    """Give the resources (``TYPE/ID``) whose records entries go by that are not UP."""
    records = (state.record_of for entry in _ill(entries).values() for state in entry.states)
    return tuple(dict.fromkeys(name for name in records if name is not None))


def _ill(entries: Mapping[str, Entry]) -> Mapping[str, Entry]:
    return {name: entry for name, entry in entries.items() if entry.status is not Status.UP and entry.served}


def _remedy(entry: Entry, up_values: Sequence[str]) -> str:
    ill = [state for state in entry.states if state.dependencies is None or state.not_up]
    if entry.flapping:
        return "it has to turn no more for a while"
    if not ill and entry.pending is not None:
        return "it has to stay as it is"
    if not ill:
        return "its plugin has to find otherwise"
    until = ""
    if entry.fails_in is not None:
        until = f"; it becomes FAIL in {duration(entry.fails_in)}"
    elif entry.status is Status.UNKNOWN:
        until = f"; it becomes FAIL once that has lasted for {duration(entry.timeout)}"
    return "; ".join(_needed(state, " or ".join(up_values)) for state in ill) + until


def _needed(state: State, up: str) -> str:
    key = state.source.key
    if state.dependencies is not None:
        return f"{key} has to say {up} for {_and(state.not_up)}"
    if state.source.revision == 0:
        return f"{key} has to come, and say {up} for every dependency"
    return f"{key} has to hold a state that can be read"


def notes(resource: Resource, entries: Mapping[str, Entry], deaf: str, now: float) -> tuple[str, ...]:
    """Say what has to be known before all else.

    :param deaf: why the answer can't be vouched for; empty where it can.
    """
    said = []
    if deaf:
        proven = (
            f"it was right {duration(now - resource.proven_at)} ago" if resource.proven_at else "it was never proven"
        )
        said.append(f"what follows can't be vouched for: {deaf}; {proven}")
    if resource.maintenance is not None:
        frozen = resource.maintenance
        until = "until further notice" if frozen.until is None else f"for {duration(frozen.until - now)} more"
        said.append(f"in maintenance {until}: {frozen.reason or 'no reason given'}; its record and hooks are frozen")
    for name, entry in entries.items():
        if entry.flapping:
            said.append(f"{name} is flapping: it changed too often, and is held DOWN until it is quiet")
        if entry.pending is not None:
            due = duration(max(entry.pending.due - now, 0.0))
            said.append(f"{name} is {entry.pending.status} already, and counts as such in {due} if it stays so")
    if resource.take_up is not None and resource.take_up.state_error:
        version, error = resource.take_up.state_version, resource.take_up.state_error
        said.append(f"its worker reports an error for version {version}: {error}")
    if resource.problem is not None and entries:  # of the record, then: it was evaluated
        said.append(resource.problem)
    return tuple(said)


def _and(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
