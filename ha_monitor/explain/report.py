"""What an explanation consists of. Values only, no behaviour; all times are float seconds.

A revision is etcd's mod_revision of a key: 0 where the key is not there, ``None`` where the key is of a file. Secret
parameters are redacted in all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.model import Pending, Resource, Status

RecordState = Literal["right", "due", "kept", "foreign", "off", "held"]
"""What is to be said of a record.

``right``: it is as it should be; ``due``: it is about to be written; ``kept``: nothing is due, and what stands there
stands; ``foreign``: it is another worker's; ``off``: nothing is published here; ``held``: another one should stand
there, and something holds that up.
"""


class Source(Struct, frozen=True):
    """A key that something came from."""

    key: str
    revision: int | None


class Parameter(Struct, frozen=True):
    """A template's parameter: its value, and what it read of other resources on its way from the config.

    ``given``: whether its mapping has a value; else that is the resource's problem.
    """

    value: Any
    given: bool
    sources: tuple[Source, ...]


class State(Struct, frozen=True):
    """A state key: what it says, and the resource that is monitored as well whose record it is (``TYPE/ID``).

    ``dependencies`` is ``None`` where there is no state, or one that can't be read; ``not_up`` are those of them that
    are not an up value.
    """

    source: Source
    dependencies: Mapping[str, Any] | None
    not_up: tuple[str, ...]
    reason: str
    record_of: str | None
    record_of_status: str | None


class Entry(Struct, frozen=True):
    """A rendered resource: what it was rendered to, what it hangs on, and what that comes to.

    ``fails_in``: seconds after which an UNKNOWN becomes FAIL. ``pending`` and ``flapping`` as in
    :class:`~ha_monitor.model.EntryStatus`. ``served``: this service evaluates it.
    """

    type: str
    props: Mapping[str, Any]
    served: bool
    status: Status
    since: float
    reason: str
    timeout: float
    fails_in: float | None
    pending: Pending | None
    flapping: bool
    states: tuple[State, ...]


class Record(Struct, frozen=True):
    """The published record: what stands there (``None``: nothing), what should, and in words what comes of that.

    ``worker_state`` is the state key of the resource itself, which gohan has to take up first; ``None`` where no record
    goes by that.
    """

    source: Source
    standing: str | None
    due: str | None
    state: RecordState
    why: str
    worker_state: Source | None = None


class Explanation(Struct, frozen=True):
    """Why a resource is what it is.

    ``summary`` is the answer in one sentence; ``why`` gives its reasons, ``heals`` what would make it healthy, and
    ``notes`` what has to be known before, such as that it can't be vouched for. ``below`` are the resources
    (``TYPE/ID``) whose records are among the reasons, to be explained in turn. ``rule`` is what made a verdict of the
    entries.
    """

    resource: Resource
    summary: str
    why: tuple[str, ...]
    heals: tuple[str, ...]
    below: tuple[str, ...]
    notes: tuple[str, ...]
    config: Source
    template: Source
    parameters: Mapping[str, Parameter]
    document: str | None
    entries: Mapping[str, Entry]
    rule: str
    record: Record
