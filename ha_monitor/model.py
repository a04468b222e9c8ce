"""The records that leave ha_monitor: statuses, resources, entries and changes. Values only, no behaviour.

All times are float seconds since the epoch (UTC); a face that prints them does so in RFC 3339. Those of which there are
many are structs of msgspec: frozen like a dataclass, made in a tenth of its time, and passed over by the collector.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Status(str, Enum):
    """What an entry or a resource is. ``DEGRADED`` is of resources only, ``FAIL`` of entries only."""

    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"

    __str__ = str.__str__
    __hash__ = str.__hash__  # the one that Enum brings is Python, and goes by the same text


class Pending(msgspec.Struct, frozen=True, gc=False):
    """What an entry will count as at ``due``, if it stays so until then: damping by ``rise`` and ``fall``."""

    status: Status
    due: float


OnBlind = Literal["hold", "unknown", "down"]
"""What is said of a resource while etcd can't be heard: its last verdict, UNKNOWN, or DOWN."""


class EntryStatus(msgspec.Struct, frozen=True, gc=False):
    """One rendered resource: its status, since when, the state key it hangs on (``None``: none) and why.

    ``pending`` is what it is already, and does not count as yet; ``flapping`` says that it is held DOWN, since it
    changed too often. ``revision`` is the etcd revision that it is so by, as a change has it.
    """

    status: Status
    since: float
    key: str | None
    reason: str
    pending: Pending | None = None
    flapping: bool = False
    revision: int = 0


class Maintenance(msgspec.Struct, frozen=True, gc=False):
    """Somebody froze the record and the hooks of a resource, ``until`` then; ``None``: until further notice."""

    reason: str
    until: float | None


class TakeUp(msgspec.Struct, frozen=True, gc=False):
    """How far gohan is with a resource's published record.

    ``done``: etcd has all that gohan needs to take the record up, in the order in which it needs it; ``words`` say what
    is missing. ``state_version`` is the version of the config that the resource's worker has reported, ``None`` where
    there is no such report; ``state_error`` the error that it reported, empty where it reported none. ``put_again``:
    the record is put once more, since that report came after it.
    """

    done: bool
    words: str
    state_version: int | None
    state_error: str
    put_again: bool = False


class Resource(msgspec.Struct, frozen=True):
    """A resource as it stands.

    ``entries`` is in template order; ``active`` names the first of them that is UP. ``published`` is the record
    that stands in etcd as far as we know (decoded JSON), ``None`` where there is none. ``revision`` is the etcd
    revision up to which the answer is known to be right, ``proven_at`` when that was last proven, and
    ``stale`` says that it can't be vouched for at this moment. ``blind`` says that it could not be for so long that
    ``on_blind`` has taken the place of the last verdict, in ``status``, ``active`` and ``entries``. ``take_up`` is
    ``None`` where gohan's states are not watched (``--publish none``, or no ``--state-prefix``).
    """

    type: str
    id: str
    name: str
    version: int | None
    template: str | None
    status: Status
    active: str | None
    since: float
    problem: str | None
    published: Mapping[str, object] | None
    revision: int
    proven_at: float
    stale: bool
    entries: Mapping[str, EntryStatus] = msgspec.field(default_factory=dict)
    maintenance: Maintenance | None = None
    blind: bool = False
    take_up: TakeUp | None = None


class Change(msgspec.Struct, frozen=True, gc=False):
    """One entry went from ``old`` to ``new`` (``None``: it was not there, or is no more).

    ``status`` and ``active`` are the resource's after it; ``revision`` is the etcd revision that caused it, and
    ``reason`` says in words why the entry is what it is now. For one entry, ``revision`` never goes back as
    long as etcd's does not. ``blind``: only what is said is another one, by ``on-blind``, or no longer by that.
    """

    type: str
    id: str
    entry: str
    old: Status | None
    new: Status | None
    status: Status
    active: str | None
    revision: int
    at: float
    reason: str
    blind: bool = False


@dataclass(frozen=True, slots=True)
class Resync:
    """Stands for ``missed`` changes that their reader was too slow for: read the resources anew."""

    missed: int


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """A group of monitors that share the work, as one member sees it.

    ``owned`` are the shards that this member, ``id``, publishes for at this moment; ``members`` has the shards that
    each member holds in etcd. ``lease_left`` are the seconds for which it may publish without another sign of life
    from etcd, of a lease of ``lease_ttl``; ``takeovers`` counts the shards that it took. ``fault`` says why it is no
    member at this moment, empty where it is. ``passed_over`` are the members that took no shard for a lease, or
    published nothing: they are given no more until they take one.
    """

    name: str
    id: str
    shards: int
    owned: Sequence[int]
    members: Mapping[str, Sequence[int]]
    lease_ttl: float
    lease_left: float
    takeovers: int
    fault: str
    passed_over: Sequence[str] = ()

    @property
    def role(self) -> Literal["active", "standby", "outside"]:
        """Whether it publishes for any shard, waits until it is needed, or is no member."""
        if self.owned:
            return "active"
        return "outside" if self.fault else "standby"

    @property
    def unowned(self) -> Sequence[int]:
        """The shards that nobody holds, and nobody publishes for."""
        held = {shard for shards in self.members.values() for shard in shards}
        return [shard for shard in range(self.shards) if shard not in held]


class Alarm(NamedTuple):
    """An alarm of etcd: ``NOSPACE`` or ``CORRUPT``, and the id of the member that it is about."""

    kind: str
    member: int

    @property
    def label(self) -> str:
        """Its name in words, the member as ``etcdctl member list`` prints it."""
        return f"etcd alarm {self.kind} (member {self.member:x})"


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether every watch is caught up, and if not, why, in words.

    ``warning``: a fault that does not make it unready, such as an alarm of etcd where nothing is published.
    """

    ready: bool
    reason: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the first listing and the first evaluation are: keys, and resources."""

    listed: int
    keys: int
    evaluated: int
    resources: int

    def __str__(self) -> str:
        """Say it in words."""
        if self.listed < self.keys or not self.resources:
            return f"{self.listed:,} of {self.keys:,} keys listed"
        return f"{self.evaluated:,} of {self.resources:,} resources evaluated"
