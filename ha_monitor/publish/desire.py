"""What should become of a resource's record in etcd: a pure decision."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from ha_monitor.evaluate.verdict import verdict
from ha_monitor.model import Status
from ha_monitor.publish.record import esi_record, gohan_record, is_ours

if TYPE_CHECKING:
    from ha_monitor.evaluate.unit import Family


class Publish(str, Enum):
    """The form of published records."""

    ESI = "esi"
    GOHAN = "gohan"


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

_KEEP = Keep()
_FEW = 8  # entries; more are rare, and would let strangers decide how much memory is kept for them
_UNKNOWN, _GOHAN = Status.UNKNOWN, Publish.GOHAN  # an enum's attributes are slow on Python 3.11


def desire(family: Family, id_: str, form: Publish, standing: bytes | None, state_timeout: float, now: float) -> Desire:
    """Decide what should become of a record.

    :param standing: the record that stands there, ``None`` where there is none.
    :param now: monotonic seconds.
    """
    unit = family.units.get(id_)
    if unit is None and id_ in family.unrendered.ids:
        return _KEEP  # a resource of which nothing is known so far, and whose record may be right
    if unit is None or (unit.foreign and not unit.missing):
        ours = id_ in family.leaving or (unit is None and standing is not None and _claims(family, standing, form))
        return Delete(family.configs.revision(id_)) if ours and standing is not None else _KEEP
    if unit.missing:
        return _KEEP
    if unit.problem is not None:
        ours = unit.vouched or id_ in family.leaving  # the latter: of a resource of that id that ended just before
        if standing is None or not (ours or _claims(family, standing, form)):
            return _KEEP
        left = unit.problem_since + state_timeout - now
        return Keep(left) if left > 0 else Delete(unit.config_revision)
    told = unit.told()
    record = (_record_of_few if len(told) <= _FEW else record_of)(told, unit.version, form)
    return _KEEP if record is None else Put(record, unit.config_revision)


def record_of(told: tuple[tuple[str, Status], ...], version: int | None, form: Publish) -> bytes | None:
    """Give the record of entries, by name and status; ``None`` where none is due: one of them is UNKNOWN."""
    statuses = dict(told)
    bare = statuses.values()
    if version is None or _UNKNOWN in bare:
        return None
    return gohan_record(verdict(bare), version) if form is _GOHAN else esi_record(statuses, version)


_record_of_few = lru_cache(1_024)(record_of)  # resources are many, and what is said of them is not


def _claims(family: Family, standing: bytes, form: Publish) -> bool:
    """Tell whether a record is of our making, by the template alone: the resource is gone, or can't be rendered."""
    if family.names is None:
        return False
    return is_ours(standing, ("monitoring",) if form is Publish.GOHAN else family.names)
