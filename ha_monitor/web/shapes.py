"""What is asked and answered over HTTP, as types: requests are checked against them and /openapi.json is made of them.

Times are RFC 3339, UTC; ``null`` where there is none yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from ha_monitor.consistent import LONGEST_WAIT, WAIT
from ha_monitor.text import legible, rfc3339
from ha_monitor.transition import EntryStatus, Status, Transition  # noqa: TC001 - msgspec reads them

if TYPE_CHECKING:
    from ha_monitor.model import EntryStatus as EntryRecord
    from ha_monitor.model import GroupStatus, Readiness
    from ha_monitor.model import Resource as Record
    from ha_monitor.model import TakeUp as TakeUpRecord


# -- questions


class ConsistentQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """As of which etcd revision, at least, the answer has to be, and for how long to wait for that."""

    min_revision: Annotated[
        int, Meta(ge=0, le=2**63 - 1, description="wait until the answer includes every change up to this revision")
    ] = 0
    consistent: Annotated[
        Literal[0, 1], Meta(description="1: read etcd's revision first, and wait until the answer includes it")
    ] = 0
    timeout: Annotated[float, Meta(gt=0, le=LONGEST_WAIT, description="seconds to wait; 504 when they are over")] = WAIT


class ResourcesQuery(ConsistentQuery, frozen=True, forbid_unknown_fields=True):
    """Which resources, in which order, and which part of them; an empty filter lets all pass."""

    type: Annotated[str, Meta(description="only this resource type")] = ""
    status: Annotated[
        Literal["", "UP", "DEGRADED", "DOWN", "UNKNOWN", "PROBLEM"],
        Meta(description="only this status, or those with a problem"),
    ] = ""
    codes: Annotated[
        str, Meta(pattern="^[XPSD?U]*$", max_length=6, description="only those with one of these letters in the map")
    ] = ""
    q: Annotated[str, Meta(description="text in name, id, type or problem", max_length=200)] = ""
    limit: Annotated[int, Meta(ge=1, le=1000, description="how many at the most")] = 100
    offset: Annotated[int, Meta(ge=0, le=10_000_000, description="how many to pass over")] = 0
    cursor: Annotated[
        str,
        Meta(
            pattern="^(([0-9a-f]{2})+-([0-9a-f]{2})+)?$",
            description="cursor of the answer before: what comes next by type and id, whatever order and offset say",
        ),
    ] = ""
    order: Annotated[
        Literal["id", "name", "health"],
        Meta(description="id: by type and id; name: by type, name and id; health: what is down first"),
    ] = "id"


class ProbeQuery(ConsistentQuery, frozen=True, forbid_unknown_fields=True):
    """What has to be so; without either, any entry has to be active."""

    active: Annotated[str, Meta(description="the entry that has to be active")] = ""
    status: Annotated[
        Literal["", "UP", "DEGRADED", "DOWN", "UNKNOWN"], Meta(description="the status that it has to have")
    ] = ""


class HistoryQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose transitions; of one resource, more of them are kept."""

    type: Annotated[str, Meta(description="only of this resource type")] = ""
    id: Annotated[str, Meta(description="only of resources with this id")] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class EventsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """What the snapshot holds, and of which type the changes are."""

    type: Annotated[str, Meta(description="only this resource type")] = ""
    snapshot: Annotated[Literal["resources", "none"], Meta(description="none: it has no resources")] = "resources"


class MetricsQuery(Struct, frozen=True):
    """Whether there is a series for each resource; what else is asked is passed over."""

    resources: Annotated[Literal[0, 1], Meta(description="1: with a series for each resource")] = 0


class AnyQuery(Struct, frozen=True):
    """Whatever is asked is passed over: who looks whether we are there may add what keeps caches away."""


class NoQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing may be asked."""


# -- answers


class Pending(Struct):
    """What an entry will count as at ``due``, if it stays so until then."""

    status: EntryStatus
    due: str | None


class Entry(Struct):
    """One rendered resource of a resource; ``flapping``: it is held DOWN, since it changed too often."""

    status: EntryStatus
    since: str | None
    key: str | None
    reason: str
    pending: Pending | None
    flapping: bool


class Maintenance(Struct):
    """Why a resource's record and its hooks are frozen, and until when (``null``: until further notice)."""

    reason: str
    until: str | None


class TakeUp(Struct):
    """How far gohan is with the published record; ``done``: etcd has all that gohan needs to take it up.

    ``state_version`` is the version of the config that the resource's worker has reported, ``null`` where it has
    reported none; ``state_error`` the error that it reported, empty where there is none.
    """

    done: bool
    words: str
    state_version: int | None
    state_error: str


class Resource(Struct):
    """A resource as it stands; ``active`` is the first of its entries that is UP.

    ``stale``: it can't be vouched for. ``blind``: that is so for so long that ``on-blind`` has taken the place of the
    last verdict. ``take_up``: ``null`` where gohan's states are not watched.
    """

    type: str
    id: str
    name: str
    version: int | None
    template: str | None
    status: Status
    active: str | None
    since: str | None
    problem: str | None
    published: dict[str, Any] | None
    revision: int
    proven_at: str | None
    stale: bool
    entries: dict[str, Entry]
    maintenance: Maintenance | None
    blind: bool
    take_up: TakeUp | None


class Resources(Struct):
    """A part of the ``total`` resources that match; ``cursor`` asks for the next."""

    revision: int
    total: int
    resources: list[Resource]
    cursor: str | None


class History(Struct):
    """The last transitions, newest first."""

    changes: list[Transition]


class TypeCodes(Struct):
    """One letter a resource: U up, S failover, D degraded, X down, ? unknown, P problem; by name and id."""

    type: str
    codes: str


class Map(Struct):
    """All resources at a glance."""

    generation: int
    problems: int
    types: list[TypeCodes]


class Probe(Struct):
    """Whether it is so."""

    ok: bool
    status: Status
    active: str | None
    stale: bool


class Ready(Struct, omit_defaults=True):
    """Whether what is answered can be trusted, and if not, why; ``warning``: a fault that does not make it unready."""

    ready: bool
    reason: str
    warning: str = ""


class Member(Struct):
    """A member of a group and the shards that it holds in etcd; ``here``: it is the one that answers."""

    id: str
    shards: list[int]
    here: bool


class Group(Struct):
    """Who shares the work; ``alone`` where nobody does.

    ``owned`` are the shards that the one that answers publishes for, ``unowned`` those that nobody has. ``lease_left``
    are the seconds for which it may publish without another sign of life from etcd. ``passed_over`` are the members
    that took no shard for a lease, or published nothing.
    """

    name: str | None
    id: str | None
    role: Literal["alone", "active", "standby", "outside"]
    shards: int
    owned: list[int]
    unowned: list[int]
    members: list[Member]
    lease_ttl: float | None
    lease_left: float | None
    takeovers: int
    fault: str
    passed_over: list[str]


class Snapshot(Struct):
    """The event that a stream begins with, and that stands for changes that no longer fitted."""

    revision: int
    generation: int
    proven_at: str | None
    resources: list[Resource]


class Heartbeat(Struct):
    """The event that says that the stream lives, and up to when it can be trusted.

    ``known``: every resource was evaluated once; before, that there is none says nothing.
    """

    revision: int
    proven_at: str | None
    ready: bool
    reason: str
    generation: int
    known: bool


class Failure(Struct):
    """What is wrong, in words."""

    error: str


# -- from the monitor's records to these


def resource_shape(record: Record) -> Resource:
    """Give a resource's shape."""
    frozen = record.maintenance
    return Resource(
        record.type, record.id, record.name, record.version, record.template, record.status.value, record.active,  # type: ignore[arg-type]
        rfc3339(record.since), record.problem, None if record.published is None else dict(record.published),
        record.revision, rfc3339(record.proven_at), record.stale,
        {name: _entry_shape(entry) for name, entry in record.entries.items()},
        None if frozen is None else Maintenance(legible(frozen.reason), rfc3339(frozen.until or 0.0)),
        record.blind,
        None if record.take_up is None else _take_up_shape(record.take_up),
    )  # fmt: skip


def _take_up_shape(told: TakeUpRecord) -> TakeUp:
    return TakeUp(told.done, told.words, told.state_version, legible(told.state_error))


def _entry_shape(entry: EntryRecord) -> Entry:
    pending = entry.pending and Pending(entry.pending.status.value, rfc3339(entry.pending.due))  # type: ignore[arg-type]
    return Entry(
        entry.status.value, rfc3339(entry.since), entry.key, entry.reason, pending, entry.flapping,  # type: ignore[arg-type]
    )  # fmt: skip


def group_shape(status: GroupStatus | None) -> Group:
    """Give a group's shape."""
    if status is None:
        return Group(None, None, "alone", 1, [], [], [], None, None, 0, "", [])
    members = [Member(legible(id_), list(shards), id_ == status.id) for id_, shards in status.members.items()]
    return Group(
        status.name, status.id, status.role, status.shards, list(status.owned), list(status.unowned), members,
        status.lease_ttl, round(status.lease_left, 3), status.takeovers, status.fault,
        list(map(legible, status.passed_over)),
    )  # fmt: skip


def heartbeat_shape(
    revision: int, proven_at: float, readiness: Readiness, generation: int, *, known: bool
) -> Heartbeat:
    """Give a heartbeat's shape."""
    return Heartbeat(revision, rfc3339(proven_at), readiness.ready, readiness.reason, generation, known)
