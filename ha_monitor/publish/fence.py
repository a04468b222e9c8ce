"""By what right a record is written: where several monitors share the work, only as long as a key in etcd is ours.

And by what: all that was read for it, each key at the revision at which that was so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from msgspec import Struct

from ha_monitor.publish.transaction import COMPARISONS_IN_A_TRANSACTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.evaluate.unit import Family

Grounds: TypeAlias = "tuple[tuple[bytes, int], ...]"
"""Keys, each with its revision; 0: it is not there."""

_MOST = COMPARISONS_IN_A_TRANSACTION - 4
"""Keys that a record goes by; beside them, its shard, its config, itself and what would freeze it are compared."""


class Fence(Struct, frozen=True, gc=False):
    """The election key that has to be in etcd, created at ``revision``, for a write to land."""

    key: bytes
    revision: int


class Freezer(Protocol):
    """Says which records are left as they are, for maintenance."""

    @property
    def frozen(self) -> Mapping[tuple[str, str], object]:
        """The resources that are frozen at this moment, by type and id."""

    def grounds(self, type_: str, id_: str) -> Grounds:
        """Give the key that would freeze it, with its revision (0: it is not there), where there can be one."""


class Mandate(Protocol):
    """Says which records are ours to write."""

    def fence(self, type_: str, id_: str) -> Fence | None:
        """Give the fence for a resource's record at this moment; ``None`` where somebody else is to write it."""

    def note_late(self, type_: str, id_: str, *, is_late: bool) -> None:
        """Note whether a record that another member is to write is out of date."""

    def note_published(self, type_: str, id_: str) -> None:
        """Note that another client wrote a record."""

    def note_refused(self, type_: str, id_: str) -> None:
        """Note that etcd refused a record."""


def grounds_of(family: Family, id_: str, freezer: Freezer | None, *, is_gone: bool = False) -> Grounds | None:
    """Give what a write goes by beside the config; ``None`` where another verdict is to come.

    :param freezer: tells of the key that would freeze the record, where that is to be compared as well.
    :param is_gone: the config is.
    """
    unit = family.units.get(id_)
    if unit is None:  # of a config that is gone, there is no record whatever the template says
        grounds: Grounds | None = () if is_gone else family.template_grounds()
    else:
        grounds = unit.grounds()
    if grounds is None:
        return None
    if len(grounds) > _MOST:
        grounds = ()
    return grounds if freezer is None else (*grounds, *freezer.grounds(family.type, family.resource_id(id_)))
