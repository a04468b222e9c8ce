"""Follows the templates: which there are, which resource type each is for, and what compiling them came to."""

from __future__ import annotations

import contextlib
import logging
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from ha_monitor.errors import Problem
from ha_monitor.evaluate.unit import Family
from ha_monitor.lang.ids import is_id
from ha_monitor.lang.template import compile_template
from ha_monitor.text import legible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from ha_monitor.evaluate.fleet import Fleet
    from ha_monitor.evaluate.unit import Outlet
    from ha_monitor.keys import Keyspace
    from ha_monitor.lang.catalog import Catalog
    from ha_monitor.lang.kinds import Kind
    from ha_monitor.lang.template import Template
    from ha_monitor.reading.state import StateReader
    from ha_monitor.watch.states import StateView
    from ha_monitor.watch.views import KeyView
    from ha_monitor.watch.watches import Source

log = logging.getLogger(__name__)

HANDLER = "monitoring_worker"
_SUFFIX = "_monitoring"

_RECORDS = 100  # looked at in one piece of work, far below a millisecond


class Templates:
    """Keeps the fleet's families equal to the templates in etcd."""

    def __init__(
        self,
        *,
        fleet: Fleet,
        outlet: Outlet | None,
        with_records: bool,
        watches: Source,
        keyspace: Keyspace,
        catalog: Catalog,
        kinds: Mapping[str, Kind],
        constants: Mapping[str, object],
        secret_fields: Sequence[str],
        overrides: Mapping[str, str],
        only_types: Collection[str],
        read_state: StateReader,
        read_record: StateReader,
    ) -> None:
        """Prepare; :meth:`follow` begins.

        :param outlet: told of records; ``None`` where nothing is published.
        :param with_records: have the records watched, to be published or to be shown.
        :param overrides: template id → resource type, where it is not the one in the template's name.
        :param only_types: resource types to serve; none: all.
        """
        self._fleet = fleet
        self._outlet = outlet
        self._with_records = with_records
        self._watches = watches
        self._keyspace = keyspace
        self._catalog = catalog
        self._kinds = kinds
        self._constants = constants
        self._secret_fields = secret_fields
        self._overrides = overrides
        self._only_types = frozenset(only_types)
        self._read_state = read_state
        self._read_record = read_record
        self._view: KeyView | None = None
        self._problems: dict[str, str] = {}

    def follow(self) -> None:
        """Begin to watch the templates."""
        self._view = self._watches.keys(self._keyspace.templates)
        self._view.on_change = self._changed

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give template id and problem of each that can't be used."""
        return iter(sorted(self._problems.items()))

    def served(self) -> Mapping[str, tuple[str, int]]:
        """Return the monitored types, each with its template's id and its number of configs."""
        families = self._fleet.families.values()
        return {each.type: (each.template_id, len(each.configs.items)) for each in families if each.template_id}

    def types(self) -> Collection[str]:
        """Return the types that have a template, including templates that are unusable or excluded by ``--types``."""
        assert self._view is not None  # noqa: S101 - there is nothing to be asked before
        found = set[str]()
        for template_id in self._view.items:
            type_ = self._type_of(template_id)
            with contextlib.suppress(Problem):
                if type_ is not None and self._body(template_id) is not None:
                    found.add(type_)
        return found

    def lack(self, type_: str) -> str:
        """Say in words why a type has no template that counts."""
        assert self._view is not None  # noqa: S101 - there is nothing to be asked before
        names = [name for name in self._view.items if self._type_of(name) == type_]
        if not names:
            return f"there is no template for that type: {self._view.prefix}{type_}{_SUFFIX} is not there"
        template_id = min(names)
        if not self._serves(type_):
            return f"template {template_id} is not served here: --types is {','.join(sorted(self._only_types))}"
        if template_id in self._problems:
            return f"template {template_id}: {self._problems[template_id]}"
        envelope = self._view.envelope(template_id)
        if envelope is None or envelope.ended:
            return f"template {template_id} is marked for deletion"
        return f"template {template_id} is of another handler: {envelope.body.get('handler')!r}, not {HANDLER!r}"

    def _changed(self, template_id: str) -> None:
        type_ = self._type_of(template_id)
        self._problems.pop(template_id, None)
        if type_ is not None and not self._serves(type_):
            return
        template: Template | None = None
        try:
            body = self._body(template_id)
            if body is None:
                self._dropped(template_id, type_)
                return
            if type_ is None:
                raise Problem(f"its name is not TYPE{_SUFFIX}, and no setting says which type it is for")
            unserved = self._catalog.unserved_types.get(type_)
            if unserved:
                self._blame(template_id, unserved)
                return
            template = compile_template(
                template_id, body, self._kinds, self._catalog, self._constants, self._secret_fields
            )
        except Problem as problem:
            self._blame(template_id, str(problem))
        if type_ is not None:
            self._use(template_id, type_, template)

    def _serves(self, type_: str) -> bool:
        return not self._only_types or type_ in self._only_types

    def _type_of(self, template_id: str) -> str | None:
        if template_id in self._overrides:
            return self._overrides[template_id]
        type_ = template_id.removesuffix(_SUFFIX)
        return type_ if type_ != template_id and is_id(type_) else None

    def _body(self, template_id: str) -> Mapping[str, object] | None:
        """Give a template's body; ``None`` where there is none, or it is another handler's."""
        assert self._view is not None  # noqa: S101 - only the view calls, once followed
        envelope = self._view.envelope(template_id)
        if envelope is None or envelope.ended or envelope.body.get("handler") != HANDLER:
            return None
        return envelope.body

    def _use(self, template_id: str, type_: str, template: Template | None) -> None:
        family = self._fleet.families.get(type_)
        if family is not None and family.template_id not in (None, template_id):
            # As at a start, where they come in the order of their ids.
            first, second = sorted((str(family.template_id), template_id))
            self._blame(second, f"type {type_} has a template already: {first}")
            if second == template_id:
                return
        if family is None or family.template_id is None:
            owner = self._owner(type_, template_id)
            if owner is not None:
                self._blame_folder(template_id, type_, owner)
                return
            family = self._found(type_, family)
        family.template_id = family.was_template_id = template_id
        family.template = template
        family.problem = self._problems.get(template_id)
        if template is not None:
            family.names = template.served_names
            self._prefetch(template)
        self._render_all(family)

    def _blame(self, template_id: str, problem: str) -> None:
        self._problems[template_id] = problem
        log.warning("template %s: %s", legible(template_id), problem)

    def _blame_folder(self, template_id: str, type_: str, owner: str) -> None:
        self._blame(template_id, f"type {type_} has its configs where {owner}: {self._keyspace.configs(type_)}")

    def _owner(self, type_: str, template_id: str) -> str | None:
        """Say whose configs are where a type has its own: two types there would write the same records.

        Of two templates the first counts, as at a start, where they come in the order of their ids.
        """
        if self._keyspace.configs(type_) == self._keyspace.templates:
            return "the templates are"
        for family in self._overlapping(type_):
            if family.template_id is not None and family.template_id < template_id:
                return _has_them(family.type)
        return None

    def _overlapping(self, type_: str) -> Sequence[Family]:
        """Return the other types whose keys may overlap with those of a type, and so their records."""
        place, of = self._catalog.place(type_), self._catalog.place
        families = self._fleet.families.values()
        return [family for family in families if family.type != type_ and of(family.type).overlaps(place)]

    def _sharing(self, prefix: str, type_: str) -> Sequence[Family]:
        """Give the other types that have their configs under a prefix, or had them."""
        families = self._fleet.families.values()
        return [family for family in families if family.configs.prefix == prefix and family.type != type_]

    def _found(self, type_: str, family: Family | None) -> Family:
        """Have a type served from now on, with what other types have left in its folder.

        :param family: of the type, where something is left of when it was served before.
        """
        if family is None:
            configs = self._watches.keys(self._keyspace.configs(type_))
            records = None
            if self._with_records:
                records = self._watches.states(self._keyspace.records(type_), self._read_record)
            family = self._fleet.families[type_] = Family(type_, configs, records)
            assert self._view is not None  # noqa: S101 - only the view calls, once followed
            family.templates = self._view
            family.prefixes.add(self._view.prefix)
            if self._with_records and self._keyspace.worker_state_root:
                family.worker_states = self._watches.worker_states(self._keyspace.worker_states(type_))
        sharing = self._sharing(family.configs.prefix, type_)
        for other in self._overlapping(type_):
            if other.template_id is not None:
                self._blame_folder(other.template_id, other.type, _has_them(type_))
                self._serve_no_more(other)
            if other in sharing:
                other.hand_over_to(family)
        family.heir = None
        self._attach(family)
        return family

    def _attach(self, family: Family) -> None:
        """Have a type told of its configs and records: nobody else is any longer."""
        family.configs.on_change = lambda id_: self._fleet.render_soon(family, (id_,))
        if family.records is not None and self._outlet is not None:
            outlet = self._outlet
            family.records.on_record = lambda id_: outlet.record_changed(family, id_)
            family.records.on_stir = lambda id_: outlet.record_stirred(family, id_)
            family.records.on_older = lambda id_: outlet.want(family, id_)
            if family.worker_states is not None:
                family.worker_states.shared = family.unit_id
                family.worker_states.on_change = lambda id_: self._worker_reported(family, id_, outlet)

    def _worker_reported(self, family: Family, id_: str, outlet: Outlet) -> None:
        self._fleet.seen_otherwise()
        outlet.want(family, id_)

    def _prefetch(self, template: Template) -> None:
        """Begin to watch what the template is sure to ask for, all at once instead of one after the other."""
        for type_ in template.config_types:
            self._watches.keys(self._keyspace.configs(type_))
        for type_ in template.outputs_types:
            self._watches.keys(self._keyspace.outputs(type_))
        for type_ in template.read_types:
            self._watches.states(self._keyspace.states(type_), self._read_state)
            if self._has_states_by_config(type_):
                self._watches.keys(self._keyspace.configs(type_))

    def _has_states_by_config(self, type_: str) -> bool:
        """Whether the key of a resource's state depends on its config."""
        path = self._keyspace.paths.get(type_)
        return path is not None and path.needs_fields

    def needs(self) -> Collection[str]:
        """Give the prefixes that the templates name, or that a resource waits for: nobody may hang on them so far."""
        keyspace, needs = self._keyspace, set[str]()
        for family in self._fleet.families.values():
            needs.update(view.prefix for view in family.waiting)
            if family.template is not None:
                needs.update(map(keyspace.configs, family.template.config_types))
                needs.update(map(keyspace.outputs, family.template.outputs_types))
                needs.update(map(keyspace.states, family.template.read_types))
                by_config = filter(self._has_states_by_config, family.template.read_types)
                needs.update(map(keyspace.configs, by_config))
        return needs

    def forget_types(self) -> None:
        """Forget the types whose template is gone, once nothing is left of their resources and records."""
        for type_, family in tuple(self._fleet.families.items()):
            if family.template_id is None and not (family.units or family.unrendered or family.leaving):
                del self._fleet.families[type_]
                self._fleet.seen_otherwise()
                if self._sharing(family.configs.prefix, type_):
                    continue  # another type has them now
                family.configs.on_change = None
                if family.records is not None:
                    family.records.on_record = family.records.on_stir = family.records.on_older = None
                if family.worker_states is not None:
                    family.worker_states.on_change = None

    def _render_all(self, family: Family) -> None:
        """Have all of a type rendered anew; those that a first list has still to find are, as it finds them."""
        configs, records, outlet = family.configs, family.records, self._outlet
        self._fleet.render_soon(family, chain(configs.items, family.units))
        if records is not None and outlet is not None:
            look = partial(self._fleet.do_soon, _look_for_orphans(family, records, outlet))
            configs.when_synced(family, lambda: records.when_synced(family, look))

    def _dropped(self, template_id: str, type_: str | None) -> None:
        """End the resources of a template that is no more; another template of that type takes its place."""
        family = None if type_ is None else self._fleet.families.get(type_)
        if family is None or family.template_id != template_id:
            return
        self._serve_no_more(family)
        for other, other_type in self._others(template_id):
            if other_type == type_:
                self._changed(other)
                return
        for other in sorted(self._problems):
            other_type = self._type_of(other)
            if other_type is not None and self._catalog.place(other_type).overlaps(self._catalog.place(family.type)):
                self._changed(other)  # these configs may have been in its way

    def _serve_no_more(self, family: Family) -> None:
        """End the resources of a type."""
        family.template_id = family.template = family.names = family.problem = None
        self._render_all(family)

    def _others(self, template_id: str) -> Iterator[tuple[str, str | None]]:
        assert self._view is not None  # noqa: S101 - only the view calls, once followed
        return ((other, self._type_of(other)) for other in sorted(self._view.items) if other != template_id)


def _has_them(type_: str) -> str:
    """Say who has the configs in a folder."""
    return f"type {type_} has them"


def _look_for_orphans(family: Family, records: StateView, outlet: Outlet) -> Iterator[None]:
    """Have the records looked at whose resource ended while nobody watched; yields after a few."""
    for number, id_ in enumerate(records.ids(), 1):
        if id_ not in family.configs.items:
            outlet.want(family, id_)
        if not number % _RECORDS:
            yield
