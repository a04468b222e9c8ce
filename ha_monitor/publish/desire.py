"""What should become of a resource's record in etcd: a pure decision."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from ha_monitor.evaluate.verdict import verdict
from ha_monitor.model import Status
from ha_monitor.publish.record import esi_record, gohan_record, is_ours

if TYPE_CHECKING:
    from ha_monitor.evaluate.unit import Family

_KEPT = 1_024  # records
_FEW, _SHORT = 8, 256  # entries of which a record is kept, and characters of their names


class Publish(str, Enum):
    """The form of published records."""

    ESI = "esi"
    GOHAN = "gohan"


_UNKNOWN, _GOHAN = Status.UNKNOWN, Publish.GOHAN  # an enum's attributes are slow on Python 3.11


class Put(Struct, frozen=True, gc=False):
    """This value is to stand there, as long as the config is at ``config_revision``."""

    value: bytes
    config_revision: int


class Delete(Struct, frozen=True, gc=False):
    """Nothing is to stand there, as long as the config is at ``config_revision`` (0: is not there)."""

    config_revision: int


class Keep(Struct, frozen=True):
    """What stands there is left as it is, for ``seconds`` at the most (``None``: until something changes)."""

    seconds: float | None = None


Desire: TypeAlias = Put | Delete | Keep

Told: TypeAlias = tuple[tuple[str, Status], ...]
"""Entries by name and status, in template order."""


class RecordWriter(dict[tuple[Told, int | None], bytes | None]):
    """Writes records in one form: of entries and the version of their config, each distinct one once.

    Resources are many, and what is said of them is not. ``writer[told, version]`` is ``None`` where no record is due:
    an entry is UNKNOWN.
    """

    def __init__(self, form: Publish) -> None:
        """Prepare."""
        super().__init__()
        self.form = form

    def __missing__(self, said: tuple[Told, int | None]) -> bytes | None:
        """Write one."""
        told, version = said
        statuses = dict(told)
        bare = statuses.values()
        if version is None or _UNKNOWN in bare:
            return None
        record = gohan_record(verdict(bare), version) if self.form is _GOHAN else esi_record(statuses, version)
        if len(told) <= _FEW and sum(map(len, statuses)) <= _SHORT:  # else strangers would decide how much it takes
            if len(self) >= _KEPT:
                self.clear()
            self[said] = record
        return record


_KEEP = Keep()


def desire(
    family: Family, id_: str, records: RecordWriter, standing: bytes | None, state_timeout: float, now: float
) -> Desire:
    """Decide what should become of a record.

    :param records: writes them.
    :param standing: the record that stands there, ``None`` where there is none.
    :param now: monotonic seconds.
    """
    unit = family.units.get(id_)
    if unit is None and id_ in family.unrendered.ids:
        return _KEEP  # a resource of which nothing is known so far, and whose record may be right
    if unit is None or (unit.foreign and not unit.missing):
        ours = id_ in family.leaving or (unit is None and standing is not None and _claims(family, standing, records))
        return Delete(family.configs.revision(id_)) if ours and standing is not None else _KEEP
    if unit.missing:
        return _KEEP
    if unit.problem is not None:
        ours = unit.vouched or id_ in family.leaving  # the latter: of a resource of that id that ended just before
        if standing is None or not (ours or _claims(family, standing, records)):
            return _KEEP
        left = unit.problem_since + state_timeout - now
        return Keep(left) if left > 0 else Delete(unit.config_revision)
    said = (unit.told(), unit.version)
    record = records.get(said) or records[said]
    return _KEEP if record is None else Put(record, unit.config_revision)


def _claims(family: Family, standing: bytes, records: RecordWriter) -> bool:
    """Tell whether a record is of our making, by the template alone: the resource is gone, or can't be rendered."""
    if family.names is None:
        return False
    return is_ours(standing, ("monitoring",) if records.form is _GOHAN else family.names)
