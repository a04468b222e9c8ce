"""What everything comes to once every timeout has passed, if no key changes any more: verdicts and records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from ha_monitor.evaluate.verdict import active, verdict
from ha_monitor.model import Status
from ha_monitor.publish.desire import Delete, Keep, Publish, Put, RecordWriter, Told, desire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ha_monitor.evaluate.entry import Entry
    from ha_monitor.evaluate.unit import Family, Unit
    from ha_monitor.keys import Keyspace
    from ha_monitor.model import Resource


class SettledEntry(Struct, frozen=True):
    """What an entry comes to; ``unknown_for``: seconds for which it is UNKNOWN before."""

    status: Status
    reason: str
    unknown_for: float | None = None


class Outcome(Struct, frozen=True):
    """What a resource comes to.

    ``record`` is what stands at ``record_key`` in the end, ``None`` for nothing; ``published``: by our hand.
    """

    type: str
    id: str
    name: str
    status: Status
    active: str | None
    problem: str | None
    entries: Mapping[str, SettledEntry]
    record_key: bytes
    record: bytes | None
    published: bool


class Settled(NamedTuple):
    """The outcomes by type and id; the records that become others, by key; and the state keys that anything reads.

    ``frozen`` are the types and ids whose records stay as they stand, whatever becomes of them.
    """

    outcomes: Mapping[tuple[str, str], Outcome]
    records: Mapping[bytes, bytes | None]
    reads: frozenset[bytes]
    frozen: frozenset[tuple[str, str]]


class Settler:
    """Works it out for one fleet."""

    def __init__(self, form: Publish | None, state_timeout: float, keyspace: Keyspace) -> None:
        """Prepare.

        :param form: ``None`` where nothing is published.
        :param keyspace: has the prefixes of records.
        """
        self._records = None if form is None else RecordWriter(form)
        self._state_timeout = state_timeout
        self._keyspace = keyspace

    def settle(
        self,
        families: Iterable[Family],
        get: Callable[[str, str], Resource | None],
        frozen: frozenset[tuple[str, str]],
    ) -> Settled:
        """Settle all resources.

        :param get: gives a resource as it stands.
        :param frozen: the types and ids of those in maintenance, whether there are such resources or not.
        """
        outcomes: dict[tuple[str, str], Outcome] = {}
        records: dict[bytes, bytes | None] = {}
        reads: set[bytes] = set()
        for family in families:
            for unit in family.units.values():
                resource = get(family.type, unit.resource_id)
                if resource is not None:
                    outcome = outcomes[family.type, resource.id] = self._outcome(unit, resource)
                    if self._records is not None:  # else whatever stands there is somebody else's
                        records[outcome.record_key] = outcome.record
                    reads.update(cell.key for entry in unit.entries for cell in entry.cells)
            records.update(dict.fromkeys(self._orphans(family, frozen)))
        return Settled(outcomes, records, frozenset(reads), frozen)

    def _outcome(self, unit: Unit, resource: Resource) -> Outcome:
        entries = {entry.name: self._entry(entry) for entry in unit.entries}
        statuses = [entry.status for entry in entries.values()]
        first = active(statuses)
        folder = self._keyspace.folder(self._keyspace.records(resource.type))
        key = (folder + unit.id).encode("utf-8", "surrogateescape")
        standing, wanted = self._record(unit, tuple([(name, entry.status) for name, entry in entries.items()]))
        if resource.maintenance is not None:
            wanted = Keep()
        return Outcome(
            type=resource.type,
            id=resource.id,
            name=resource.name,
            status=verdict(statuses),
            active=None if first is None else unit.entries[first].name,
            problem=resource.problem,
            entries=entries,
            record_key=key,
            record=wanted.value if isinstance(wanted, Put) else None if isinstance(wanted, Delete) else standing,
            published=isinstance(wanted, Put),
        )

    def _entry(self, entry: Entry) -> SettledEntry:
        """An entry that goes by states is FAIL in the end where it is UNKNOWN; of one that works, nobody knows."""
        status = entry.status or Status.UNKNOWN
        if status is Status.UNKNOWN and entry.entry_type is not None and entry.cells:
            return SettledEntry(Status.FAIL, entry.reason, entry.timeout)
        return SettledEntry(status, entry.reason)

    def _record(self, unit: Unit, told: Told) -> tuple[bytes | None, Put | Delete | Keep]:
        """Give what stands there, and what becomes of it."""
        family = unit.family
        if self._records is None or family.records is None:
            return None, Keep()
        standing, _ = family.records.standing(family.records.key(unit.id))
        wanted = desire(family, unit.id, self._records, standing, self._state_timeout, math.inf)
        if isinstance(wanted, Keep) and unit.problem is None and not unit.foreign:
            record = self._records[told, unit.version]
            if record is not None:
                wanted = Put(record, unit.config_revision)
        return standing, wanted

    def _orphans(self, family: Family, frozen: frozenset[tuple[str, str]]) -> Iterable[bytes]:
        """Give the records of resources that are no more, and that go for that."""
        if self._records is None or family.records is None:
            return
        for id_ in family.records.ids():
            if id_ not in family.units and (family.type, family.resource_id(id_)) not in frozen:
                key = family.records.key(id_)
                standing, _ = family.records.standing(key)
                gone = desire(family, id_, self._records, standing, self._state_timeout, math.inf)
                if isinstance(gone, Delete):
                    yield key
