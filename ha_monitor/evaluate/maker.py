"""Makes entries: what a rendering asks for, served by which plugin, hanging on which states."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ha_monitor.errors import Problem
from ha_monitor.evaluate.entry import Damper, Entry
from ha_monitor.lang.ids import check_id
from ha_monitor.lang.kinds import FOREIGN_KINDS
from ha_monitor.lang.scope import MAX_TYPES, Ref
from ha_monitor.model import Status
from ha_monitor.plugins import StateRef
from ha_monitor.plugins.etcd_reader import EtcdReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.evaluate.damping import Damping, DampingRules
    from ha_monitor.evaluate.lookup import Lookup
    from ha_monitor.evaluate.unit import Unit
    from ha_monitor.evaluate.workers import Workers
    from ha_monitor.keys import Keyspace
    from ha_monitor.lang.template import Entry as EntrySpec
    from ha_monitor.lang.template import Template
    from ha_monitor.plugins import EntryType
    from ha_monitor.reading.state import StateReader
    from ha_monitor.watch.states import StateView

Made: TypeAlias = "tuple[EntryType, tuple[StateRef, ...]] | None"


class Maker:
    """Makes the entries of all resources."""

    def __init__(
        self,
        keyspace: Keyspace,
        plugins: Mapping[str, type[EntryType]],
        read_state: StateReader,
        state_timeout: float,
        damping: DampingRules,
        workers: Workers,
        lookup: Lookup,
    ) -> None:
        self._keyspace = keyspace
        self._lookup = lookup
        self._plugins = plugins
        self._read_state = read_state
        self._state_timeout = state_timeout
        self._damping = damping
        self._workers = workers
        self._shared: dict[type[EntryType], EntryType] = {}
        """The one instance of each entry type that goes by the states alone."""

    def entry_types(self, specs: Sequence[EntrySpec], template: Template) -> list[Made]:
        """Make what evaluates each entry. Raises ``Problem`` where one can't be made, or they go by too many types."""
        made = [self._entry_type(spec, template) for spec in specs]
        if len({ref.type for each in made if each is not None for ref in each[1]}) > MAX_TYPES:
            raise Problem(f"its entries go by states of more than {MAX_TYPES} types")
        return made

    def located(self, made: Sequence[Made]) -> tuple[Ref, ...]:
        """Return the configs that keys of states depend on: of types whose keys contain fields of a resource."""
        paths = self._keyspace.paths
        if not paths:
            return ()
        refs = dict.fromkeys(ref for each in made if each is not None for ref in each[1])
        return tuple(Ref("config", *ref) for ref in refs if ref.type in paths and paths[ref.type].needs_fields)

    def placed(self, made: list[Made]) -> list[Made]:
        """Return the same with the ids that the states have in their views. Raises as :meth:`Lookup.state_id`."""
        if not self._keyspace.paths and not self._lookup.unserved:
            return made
        at = self._lookup.state_id
        return [each and (each[0], tuple([StateRef(type_, at(type_, id_)) for type_, id_ in each[1]])) for each in made]

    def _entry_type(self, spec: EntrySpec, template: Template) -> Made:
        """Make what evaluates an entry, and which states that hangs on; ``None`` where another worker serves it."""
        cls = self._plugins.get(spec.type)
        if cls is None:
            return None
        try:
            entry_type = cls(spec.props)
            refs = tuple(entry_type.keys)
            if cls is not EtcdReader:  # whose ids were looked at as such already
                refs = tuple([_checked(ref) for ref in refs])
            shared = self._shared.get(cls)
            if shared is None and getattr(cls, "shared", False) and not hasattr(cls, "run"):
                shared = self._shared[cls] = entry_type
            return entry_type if shared is None else shared, refs
        except Exception as error:
            words = str(error) if isinstance(error, (ValueError, Problem)) else repr(error)
            if template.secrets:  # nobody knows which of them it has been given, and quotes
                words = f"it refuses its properties: {type(error).__name__}, with words that are redacted"
            raise Problem(f"entry {spec.name!r}: type {spec.type}: {words}") from error

    def entry(self, unit: Unit, spec: EntrySpec, made: Made, known: Entry | None) -> Entry:
        """Give a rendering's entry: the one that is known, where it hangs on the same, or else a new one.

        :param made: what :meth:`placed` gave for it.
        """
        given = spec.props.get("timeout")
        timeout = float(given) if isinstance(given, (int, float)) else self._state_timeout
        if made is None:
            needs = FOREIGN_KINDS[spec.type].required
            reason = f"served by another worker: type {spec.type}, which needs {', '.join(needs)}"
            if known is not None and known.entry_type is None and known.reason == reason:
                return known
            entry = Entry(spec.name, unit, None, timeout)
            entry.reason = reason
            entry.status = Status.UNKNOWN
            return entry
        entry_type, refs = made
        family = unit.family
        states = [(self._lookup.states(ref.type, self._read_state), ref.id) for ref in refs]
        for view, _ in states:
            family.prefixes.add(view.prefix)
        damping = self._damping.of(family.type, spec.props)
        if damping is not None:
            family.damped = True
        if known is not None and type(known.entry_type) is type(entry_type) and _hangs_on(known, states):
            if not self._workers.goes_on(known, spec.props):
                known.entry_type = entry_type
            known.timeout = timeout
            _damp(known, damping)
            known.wake()
            return known
        entry = Entry(spec.name, unit, entry_type, timeout)
        _damp(entry, damping)
        entry.hang_on([view.hang(id_, entry) for view, id_ in states])
        return entry


def _checked(ref: StateRef) -> StateRef:
    """Give what a plugin hangs on, where it can be a key; raises whatever is wrong with it."""
    type_, id_ = ref
    check_id(type_)
    check_id(id_)
    return StateRef(type_, id_)


def _damp(entry: Entry, damping: Damping | None) -> None:
    """Have an entry damped so from now on; what is held back already stays so, by the new times."""
    if damping is None:
        entry.damper = None
    elif entry.damper is None:
        entry.damper = Damper(damping)
    else:
        entry.damper.damping = damping


def _hangs_on(entry: Entry, states: Sequence[tuple[StateView, str]]) -> bool:
    return [cell.key for cell in entry.cells] == [view.key(id_) for view, id_ in states]
