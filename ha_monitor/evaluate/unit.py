"""A resource as the fleet tracks it: its entries, what they come to, and what it hangs on."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from ha_monitor.evaluate.damping import all_down, damp, give_up
from ha_monitor.evaluate.renderings import Renderings
from ha_monitor.evaluate.verdict import judged
from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ha_monitor.clock import Timer
    from ha_monitor.evaluate.entry import Entry
    from ha_monitor.lang.template import Template
    from ha_monitor.watch.states import StateView
    from ha_monitor.watch.views import KeyView
    from ha_monitor.watch.watches import Proof
    from ha_monitor.watch.worker_states import WorkerStateView

_UNKNOWN = Status.UNKNOWN


class Family:
    """The resources of one type and the template they are rendered by."""

    __slots__ = (
        "configs", "damped", "ended", "heir", "held", "leaving", "names", "prefixes", "problem", "records", "template",
        "template_id", "templates", "type", "units", "unjudged", "unrendered", "waiting", "was_template_id",
        "worker_states",
    )  # fmt: skip

    def __init__(self, type_: str, configs: KeyView, records: StateView | None) -> None:
        self.type = type_
        self.configs = configs
        self.records = records
        """Where their records stand; ``None`` where nothing is published."""
        self.worker_states: WorkerStateView | None = None
        """What their workers report; ``None`` where no record goes by that."""
        self.templates: KeyView | None = None
        self.template_id: str | None = None
        self.was_template_id: str | None = None
        """The id of the template, after that is gone, too."""
        self.template: Template | None = None
        self.names: Collection[str] | None = None
        """The entries by which a record is known as ours: the template's, or, where it can't be used, those of the last
        one that could; ``None`` where they are not the same for all resources, or there is no template."""
        self.problem: str | None = None
        """Why the template can't be used."""
        self.units: dict[str, Unit] = {}
        self.unrendered = Renderings()
        """Ids that wait to be rendered, anew or for the first time."""
        self.unjudged: deque[Unit] = deque()
        """Resources whose verdict waits to be worked out."""
        self.held: Proof | None = None
        """How fresh the answers were before that work came: they are no fresher until all of it is done. ``None``: the
        type has no place among those that have work."""
        self.waiting: dict[KeyView, dict[str, None]] = {}
        """Ids that can't be rendered before a prefix is listed, in their order: what is said of them is out of date."""
        self.leaving: set[str] = set()
        """Ids whose record is ours, and vouched for by nobody any longer."""
        self.heir: Family | None = None
        """The type whose records they are now, as it has its configs in the same folder."""
        self.prefixes: set[str] = {configs.prefix}
        """What its resources hang on: they are as fresh as the watches of these."""
        self.ended = 0
        """The newest revision that was told at the end of a resource: the next one of that id begins there at least,
        since its config may come by a watch that is behind that of the states."""
        self.damped = False
        """Some entry is damped."""

    @property
    def has_work(self) -> bool:
        """Whether anything waits to be rendered or judged."""
        return bool(self.unjudged or self.unrendered)

    def resource_id(self, id_: str) -> str:
        """Return the resource id for an id in ``configs``; nearly always they are equal."""
        return self.configs.resource_id(id_)

    def find(self, resource: str) -> Unit | None:
        """Return a resource by its id; ``None`` if there is none."""
        id_ = self.configs.find(resource)
        return None if id_ is None else self.units.get(id_)

    def unit_id(self, id_: str) -> str | None:
        """Give the text of an id that its resource has; ``None`` where there is no such resource."""
        unit = self.units.get(id_)
        return None if unit is None else unit.id

    def wait_no_more(self, id_: str) -> None:
        """Note that a resource is rendered anew, whatever it waited for."""
        for view, ids in tuple(self.waiting.items()):
            ids.pop(id_, None)
            if not ids:
                del self.waiting[view]

    def hand_over_to(self, other: Family) -> None:
        """Leave the records to another type, which has its configs where ours are: none of them is ours any longer."""
        self.heir = other
        for unit in self.units.values():
            if unit.vouched:
                unit.vouched = False
                other.leaving.add(unit.id)
        other.leaving |= self.leaving
        self.leaving.clear()

    def made(self) -> int:
        """Give the revision of the template, or at which it was gone."""
        templates, id_ = self.templates, self.was_template_id
        return 0 if templates is None or id_ is None else templates.known(id_)

    def template_grounds(self) -> tuple[tuple[bytes, int], ...]:
        """Give the key of the template and its revision (0: it is gone): what is said of the resources goes by it."""
        templates, id_ = self.templates, self.was_template_id
        return () if templates is None or id_ is None else ((templates.key(id_), templates.revision(id_)),)


class Host(Protocol):
    """What a unit needs of the fleet."""

    def settle_soon(self, unit: Unit) -> None:
        """Have the verdict worked out."""

    def expect(self, more: int) -> None:
        """Note that there are so many more resources (fewer, where negative) that have not been evaluated."""

    def seen_otherwise(self) -> None:
        """Note that something that can be seen is another one."""

    def monotonic(self) -> float:
        """Give the time, in monotonic seconds."""

    def call_at(self, due: float, entry: Entry) -> Timer:
        """Wake an entry at a monotonic time."""

    def call_when_heard(self, entry: Entry) -> Timer:
        """Wake an entry once etcd is heard again."""

    @property
    def hears(self) -> bool:
        """Whether etcd is heard, and not only believed to be."""


class Outlet(Protocol):
    """Where verdicts go."""

    def want(self, family: Family, id_: str) -> None:
        """Have a record looked at: its resource or its config is another one."""

    def record_changed(self, family: Family, id_: str) -> None:
        """Note that the record is another one."""

    def record_stirred(self, family: Family, id_: str) -> None:
        """Note that the record was written by us, and that others hang on it."""


class Unit:
    """One resource."""

    __slots__ = (
        "active", "config_revision", "ended", "entries", "family", "foreign", "hangs", "host", "id", "missing", "name",
        "problem", "problem_since", "queued", "revision", "since", "status", "version", "vouched",
    )  # fmt: skip

    def __init__(self, family: Family, id_: str, host: Host) -> None:
        self.family = family
        self.id = id_
        self.host = host
        self.name = ""
        self.version: int | None = None
        self.config_revision = 0
        self.revision = family.ended
        """Nothing older than this is told of any entry: the newest revision of what they were made or dropped by."""
        self.entries: tuple[Entry, ...] = ()
        self.missing = 1
        """How many entries have not been evaluated yet; 1 before the first rendering as well."""
        self.ended = False
        self.queued = False
        """It waits for its verdict."""
        self.foreign = False
        """Some entry is another worker's, so the record is too."""
        self.problem: str | None = None
        self.problem_since = 0.0
        self.status = Status.UNKNOWN
        self.active: str | None = None
        self.since = 0.0
        self.vouched = False
        """The record that stands was written or confirmed by us."""
        self.hangs: tuple[tuple[KeyView, str, Callable[[], None]], ...] = ()

    @property
    def resource_id(self) -> str:
        """The public id. ``id`` identifies its keys, and may be a longer part of their path."""
        return self.family.configs.resource_id(self.id)

    # -- what its entries ask for (entry.Owner)

    def entry_changed(self, entry: Entry, old: Status | None) -> None:
        """Note that an entry's status is another one; ``old`` is ``None`` at its first evaluation."""
        if old is None:
            self.expect(self.missing - 1)
        if not self.missing:
            self.host.settle_soon(self)

    def expect(self, missing: int) -> None:
        """Note how many entries have not been evaluated yet."""
        before, self.missing = self.missing, missing
        if bool(before) != bool(missing):
            self.host.expect(1 if missing else -1)

    def entry_explained(self) -> None:
        """Note that an entry's status has another reason."""
        self.host.seen_otherwise()

    def monotonic(self) -> float:
        """Give the time, in monotonic seconds."""
        return self.host.monotonic()

    def call_at(self, due: float, entry: Entry) -> Timer:
        """Wake an entry at a monotonic time."""
        return self.host.call_at(due, entry)

    def call_when_heard(self, entry: Entry) -> Timer:
        """Wake an entry once etcd is heard again."""
        return self.host.call_when_heard(entry)

    def may_fail(self) -> bool:
        """Tell whether etcd is heard: the absence of a state can't be claimed while it is not."""
        return self.host.hears

    # -- what the fleet asks

    def made(self) -> None:
        """Note the revisions of what its entries are made by: its config, its template, what its parameters are in."""
        family = self.family
        revision = self.config_revision = family.configs.revision(self.id)
        self.revision = max(self.revision, revision or family.configs.absent, family.made())
        for view, resource, _ in self.hangs:
            self.revision = max(self.revision, view.known(resource))

    def cause(self, entry: Entry) -> int:
        """Give the revision that an entry is by what it is."""
        return max(entry.revision(), self.revision)

    def told(self) -> tuple[tuple[str, Status], ...]:
        """Give the names of the entries, each with its status in the last verdict, in template order."""
        told = []
        for entry in self.entries:  # for each record anew: a comprehension is a call in Python 3.11
            told.append((entry.name, entry.shown or _UNKNOWN))  # noqa: PERF401
        return tuple(told)

    def grounds(self) -> tuple[tuple[bytes, int], ...] | None:
        """Give the keys that the last verdict goes by beside the config, each with its revision (0: it is not there).

        Those are its template, what its parameters were found in, and its states. ``None`` where another verdict is to
        come. A template or a config that has changed has put it into the family's ``unrendered`` at once.
        """
        for entry in self.entries:
            if entry.is_behind:
                entry.evaluate()
        if self.queued or self.missing:
            return None
        read = [ground for view, resource, _ in self.hangs if (ground := view.ground(resource)) is not None]
        cells = dict.fromkeys(cell for entry in self.entries for cell in entry.cells)
        states = ((cell.key, 0 if cell.state is None else cell.revision) for cell in cells)
        return (*self.family.template_grounds(), *read, *states)

    def damp(self, now: float, *, heard: bool) -> float | None:
        """Work out what counts for entries that are damped; gives when to do so again (monotonic seconds).

        While etcd is not ``heard``, nothing counts for having stayed as it was: nobody saw that it did.
        """
        dampers = [(entry.damper, entry.status) for entry in self.entries if entry.damper is not None]
        for damper, status in dampers:
            before = damper.state
            if status is not None and (heard or before is None or before.raw is not status):
                damper.state = damp(damper.damping, before, status, now)
        hides = all_down([entry.status for entry in self.entries])
        dues = []
        for damper, _ in dampers:
            if damper.state is not None:
                if hides:
                    damper.state = give_up(damper.state)
                if damper.state.due is not None:
                    dues.append(damper.state.due)
        return min(dues, default=None)

    def judge(self, wall: float) -> bool:
        """Work out status and active side from the entries; with a problem there is nothing to be said.

        Tells whether the status is another one.
        """
        if self.problem:
            status, self.active = _UNKNOWN, None
        else:
            # Hardly any entry is damped, and to ask a property takes as long as all else here. So does a comprehension.
            statuses = []
            for entry in self.entries:
                statuses.append((entry.status if entry.damper is None else entry.counts) or _UNKNOWN)  # noqa: PERF401
            status, first = judged(tuple(statuses))
            self.active = None if first is None else self.entries[first].name
        if status is not self.status or not self.since:
            self.status = status
            self.since = wall
            return True
        return False
