"""An explanation as it goes over HTTP, and to ``ha-monitor explain``, wherever that has it from.

A revision is etcd's mod_revision: 0 where the key is not there, ``null`` where the keys are of a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from ha_monitor.text import rfc3339
from ha_monitor.transition import EntryStatus  # noqa: TC001 - msgspec reads the annotations
from ha_monitor.web.shapes import Resource, resource_shape

if TYPE_CHECKING:
    from ha_monitor.explain import report


class Source(Struct):
    """A key that something came from."""

    key: str
    revision: int | None


class Parameter(Struct):
    """A parameter of the template, and the keys of other resources that were read for it."""

    value: Any
    given: bool
    sources: list[Source]


class State(Struct):
    """A state key and what it says; ``record_of`` is the resource (TYPE/ID) whose published record it is."""

    key: str
    revision: int | None
    dependencies: dict[str, Any] | None
    not_up: list[str]
    reason: str
    record_of: str | None
    record_of_status: str | None


class PendingStatus(Struct):
    """What an entry is already, and counts as from ``due`` on if it stays so."""

    status: EntryStatus
    due: str | None


class ExplainedEntry(Struct):
    """A rendered resource: what it was rendered to, the states that it hangs on, and what they come to."""

    type: str
    props: dict[str, Any]
    served: bool
    status: EntryStatus
    since: str | None
    reason: str
    timeout: float
    fails_in: float | None
    pending: PendingStatus | None
    flapping: bool
    states: list[State]


class Record(Struct):
    """The published record: what stands there, what should, and what comes of that, in words.

    ``worker_state`` is the state key of the resource itself, which gohan has to take up first.
    """

    key: str
    revision: int | None
    standing: str | None
    due: str | None
    state: Literal["right", "due", "kept", "foreign", "off", "held"]
    why: str
    worker_state: Source | None


class Explanation(Struct):
    """Why a resource is what it is: the answer first, then each step from its config to its record."""

    summary: str
    why: list[str]
    heals: list[str]
    below: list[str]
    notes: list[str]
    resource: Resource
    config: Source
    template: Source
    parameters: dict[str, Parameter]
    document: str | None
    entries: dict[str, ExplainedEntry]
    rule: str
    record: Record


def explanation_shape(told: report.Explanation) -> Explanation:
    """Give an explanation's shape."""
    record = told.record
    return Explanation(
        told.summary, list(told.why), list(told.heals), list(told.below), list(told.notes),
        resource_shape(told.resource), _source(told.config), _source(told.template),
        {
            name: Parameter(parameter.value, parameter.given, [_source(each) for each in parameter.sources])
            for name, parameter in told.parameters.items()
        },
        told.document,
        {name: _entry(entry) for name, entry in told.entries.items()},
        told.rule,
        Record(
            record.source.key, record.source.revision, record.standing, record.due, record.state, record.why,
            None if record.worker_state is None else _source(record.worker_state),
        ),
    )  # fmt: skip


def _source(source: report.Source) -> Source:
    return Source(source.key, source.revision)


def _entry(entry: report.Entry) -> ExplainedEntry:
    waits = entry.pending
    return ExplainedEntry(
        entry.type, dict(entry.props), entry.served, entry.status.value, rfc3339(entry.since), entry.reason,  # type: ignore[arg-type]
        entry.timeout, entry.fails_in,
        None if waits is None else PendingStatus(waits.status.value, rfc3339(waits.due)),  # type: ignore[arg-type]
        entry.flapping, [_state(state) for state in entry.states],
    )  # fmt: skip


def _state(state: report.State) -> State:
    return State(
        state.source.key, state.source.revision, None if state.dependencies is None else dict(state.dependencies),
        list(state.not_up), state.reason, state.record_of, state.record_of_status,
    )  # fmt: skip
