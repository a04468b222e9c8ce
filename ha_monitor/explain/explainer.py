"""Puts an explanation together, from what the fleet and the views know at this moment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from ha_monitor.errors import Problem
from ha_monitor.evaluate.lookup import NotYet
from ha_monitor.explain import words
from ha_monitor.explain.record import explain_record
from ha_monitor.explain.report import Entry, Explanation, Parameter, Source, State
from ha_monitor.model import Status
from ha_monitor.show import rendering

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from ha_monitor.evaluate.entry import Entry as FleetEntry
    from ha_monitor.evaluate.fleet import Fleet
    from ha_monitor.evaluate.unit import Unit
    from ha_monitor.explain.record import Circumstances
    from ha_monitor.keys import Keyspace
    from ha_monitor.lang.scope import Ref
    from ha_monitor.model import EntryStatus, Resource
    from ha_monitor.watch.states import Cell
    from ha_monitor.watch.watches import Source as Views


class Moment(NamedTuple):
    """When it is asked: seconds since the epoch, and monotonic ones; and why that can't be vouched for, or nothing."""

    time: float
    monotonic: float
    deaf: str


def undated(resource: Resource) -> Resource:
    """Give a resource without the times since when it is so: whoever has just looked for the first time knows none."""
    entries = {name: replace(entry, since=0.0) for name, entry in resource.entries.items()}
    return replace(resource, since=0.0, entries=entries)


class Explainer:
    """Explains the resources of one fleet."""

    def __init__(
        self,
        fleet: Fleet,
        views: Views,
        keyspace: Keyspace,
        *,
        up_values: Sequence[str],
        numbered: bool,
    ) -> None:
        """Prepare.

        :param numbered: the keys are of a file, and their revisions mean nothing.
        """
        self._fleet = fleet
        self._views = views
        self._keyspace = keyspace
        self._up_values = up_values
        self._numbered = numbered

    def explain(self, unit: Unit, resource: Resource, around: Circumstances, moment: Moment) -> Explanation:
        """Explain a resource.

        :param resource: as it stands, at the same moment; a ``since`` of 0 says that nobody knows.
        :param around: what decides about its record.
        """
        family, keyspace = unit.family, self._keyspace
        shown = rendering(family, resource.id, keyspace, self._fleet.lookup)
        config = self._source(family.configs.folder + unit.id, family.configs.revision(unit.id))
        template = self._template(family.template_id or "")
        parameters = self._parameters(unit, shown["parameters"])
        entries = {
            entry.name: self._entry(entry, resource.entries[entry.name], shown["entries"].get(entry.name, {}), moment)
            for entry in unit.entries
            if entry.name in resource.entries
        }
        if unit.problem is not None:
            the_rule = "with a problem nothing can be said: UNKNOWN"
            why: tuple[str, ...] = ()
            heals = self._cures(unit, parameters, config, template)
        elif resource.blind:
            the_rule = f"nothing counts that was heard before: {resource.status}"
            why = tuple(f"{name}: {entry.reason}" for name, entry in resource.entries.items())
            heals = ("etcd has to be heard again",)
        else:
            the_rule = words.rule([entry.status for entry in entries.values()], resource.status)
            why = words.reasons(entries, the_rule, moment.time)
            heals = words.remedies(entries, self._up_values)
        records = keyspace.folder(keyspace.records(family.type))
        record = explain_record(unit, records + unit.id, around, moment.monotonic, numbered=self._numbered)
        return Explanation(
            resource=resource,
            summary=words.summary(resource, entries, moment.time),
            why=why,
            heals=heals,
            below=words.below(entries),
            notes=words.notes(resource, entries, moment.deaf, moment.time),
            config=config,
            template=template,
            parameters=parameters,
            document=shown["document"],
            entries=entries,
            rule=the_rule,
            record=record,
        )

    # -- keys and their revisions

    def _source(self, key: str, revision: int) -> Source:
        return Source(key, None if self._numbered and revision else revision)

    def _template(self, template_id: str) -> Source:
        view = self._views.keys(self._keyspace.templates)
        return self._source(view.prefix + template_id, view.revision(template_id))

    def _related(self, ref: Ref) -> Source:
        view = self._fleet.lookup.view(ref)
        at = view.find(ref.id)
        return self._source(view.where(ref.id), 0 if at is None else view.revision(at))

    # -- parameters

    def _parameters(self, unit: Unit, shown: Mapping[str, Any]) -> Mapping[str, Parameter]:
        return {
            name: Parameter(shown.get(name), name in shown, tuple(self._related(ref) for ref in refs))
            for name, refs in self._sources(unit).items()
        }

    def _sources(self, unit: Unit) -> Mapping[str, tuple[Ref, ...]]:
        family = unit.family
        try:
            envelope = family.configs.envelope(unit.id)
            if envelope is None or family.template is None:
                return {}
            return family.template.sources(family.type, unit.resource_id, envelope.body, self._fleet.lookup)
        except (Problem, NotYet):
            return {}

    # -- entries

    def _entry(self, entry: FleetEntry, told: EntryStatus, props: Mapping[str, Any], moment: Moment) -> Entry:
        fails_in = None
        if told.since and told.status is Status.UNKNOWN and entry.absence is not None:
            fails_in = max(entry.absence.since + entry.timeout - moment.monotonic, 0.0)
        return Entry(
            type=str(props.get("type", "")),
            props={name: value for name, value in props.items() if name not in ("type", "timeout")},
            served=entry.entry_type is not None,
            status=told.status,
            since=told.since,
            reason=told.reason,
            timeout=entry.timeout,
            fails_in=fails_in,
            pending=told.pending,
            flapping=told.flapping,
            states=tuple(self._state(cell) for cell in entry.cells),
        )

    def _state(self, cell: Cell) -> State:
        source = self._source(cell.name, 0 if cell.state is None else cell.revision)
        record_of, status = self._record_of(cell)
        if cell.state is None:
            return State(source, None, (), "no state", record_of, status)
        dependencies = cell.state.dependencies
        if dependencies is None:
            return State(source, None, (), cell.state.reason, record_of, status)
        not_up = tuple(
            name
            for name, value in dependencies.items()
            if not (isinstance(value, str) and value in self._up_values)
        )  # fmt: skip
        return State(source, dependencies, not_up, cell.state.reason, record_of, status)

    def _record_of(self, cell: Cell) -> tuple[str | None, str | None]:
        """Give the resource whose record a state is, and what it is, where it is monitored here as well."""
        for type_, family in self._fleet.families.items():
            prefix = self._keyspace.folder(self._keyspace.records(type_))
            unit = family.units.get(cell.name.removeprefix(prefix)) if cell.name.startswith(prefix) else None
            if unit is not None:
                status = unit.status.value if unit.problem is None else f"UNKNOWN: {unit.problem}"
                return f"{type_}/{unit.resource_id}", status
        return None, None

    # -- what heals a problem

    def _cures(
        self, unit: Unit, parameters: Mapping[str, Parameter], config: Source, template: Source
    ) -> tuple[str, ...]:
        """Say which key has to come or to change for a problem to be over, as near as can be told."""
        if unit.family.template is None:
            return (f"{template.key} has to change",)
        stumbled = list(self._stumbling(unit.problem or "", parameters, config))
        if stumbled:
            return tuple(dict.fromkeys(stumbled))
        if not parameters and self._unreadable(unit):
            return (f"{config.key} has to change",)
        return (f"{config.key} or {template.key} has to change",)

    def _stumbling(self, problem: str, parameters: Mapping[str, Parameter], config: Source) -> Iterator[str]:
        """Say it of each parameter that has no value, or none where the problem names it for that."""
        for name, parameter in parameters.items():
            if not parameter.given or (parameter.value is None and repr(name) in problem):
                end = parameter.sources[-1] if parameter.sources else config
                yield f"{end.key} has to {'come' if end.revision == 0 else 'change'}"

    def _unreadable(self, unit: Unit) -> bool:
        try:
            unit.family.configs.envelope(unit.id)
        except Problem:
            return True
        return False
