"""The heart: which resources there are, what each hangs on, and what becomes of a change.

A change of a config, a template or a stack output puts the resources that hang on it into the queue of renderings; a
change of a state wakes the tasks of the entries that hang on it, and what they find puts their resource into the
queue of verdicts. One worker takes both queues in slices of a few milliseconds, so that a storm of changes holds up
neither the event loop nor a single change elsewhere. Nothing here awaits etcd.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

import anyio.lowlevel

from ha_monitor.errors import Problem
from ha_monitor.evaluate.changes import changes_of
from ha_monitor.evaluate.lookup import NotYet
from ha_monitor.evaluate.unit import Family, Unit
from ha_monitor.model import Status
from ha_monitor.watch.watches import NOT_PROVEN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ha_monitor.clock import Clock, Timer
    from ha_monitor.evaluate.entry import Entry
    from ha_monitor.evaluate.leaves import Leaves
    from ha_monitor.evaluate.lookup import Lookup
    from ha_monitor.evaluate.maker import Maker
    from ha_monitor.evaluate.workers import Workers
    from ha_monitor.lang.scope import Ref
    from ha_monitor.lang.template import Rendering, Template
    from ha_monitor.model import Change
    from ha_monitor.watch.views import KeyView
    from ha_monitor.watch.watches import Proof

log = logging.getLogger(__name__)

_SLICE = 0.005  # seconds of work before the event loop has a turn
_TURN = 0.001  # seconds of it that one type has before the next one has its turn
_VERDICTS = 64  # verdicts of a type before its renderings have their part of the turn


class Fleet:
    """All resources that are monitored."""

    def __init__(
        self,
        *,
        lookup: Lookup,
        maker: Maker,
        leaves: Leaves,
        workers: Workers,
        clock: Clock,
    ) -> None:
        self.families: dict[str, Family] = {}
        self.heard = False
        self.generation = 0
        """Another number whenever a resource is another one, in whatever can be seen of it."""
        self.members = 0
        """Another number whenever there are other resources, or one has another name."""
        self.transitions: dict[tuple[str, Status], int] = {}
        """How often a resource came to a status, by type and status."""
        self.on_changes: Callable[[Sequence[Change]], None] = lambda changes: None
        self.on_settled: Callable[[Mapping[Family, Sequence[str]], float], None] = lambda settled, since: None
        """Told which resources, by type, may have another verdict, or ended, and since when (monotonic seconds)."""
        self.on_problem: Callable[[Unit], None] = lambda unit: None
        """Told where a resource's problem is another one, or over; ``problem`` says which it is."""
        self.on_idle: Callable[[], None] = lambda: None
        self.still_heard: Callable[[], bool] = lambda: True
        """Tells whether etcd's last answer is not too old. A process that was frozen learns that from the clock first:
        what was due meanwhile has its turn before anybody can turn ``heard``."""
        self.lookup = lookup
        self._maker = maker
        self._leaves = leaves
        self._workers = workers
        self._clock = clock
        self.freshness: Callable[[Family], Proof] = lambda family: NOT_PROVEN
        """Tells how fresh the watches of a type are."""
        self._busy: deque[Family] = deque()
        """Types that have work, the one whose turn it is first."""
        self._chores: deque[Iterator[None]] = deque()
        self._waiting = 0
        self._settled: defaultdict[Family, list[str]] = defaultdict(list)
        self._changes: list[Change] = []
        """Both: what a slice came to, until that is told at its end."""
        self._gone: dict[Unit, list[Entry]] = {}
        self._overdue: set[Entry] = set()
        self._damped: dict[Unit, Timer] = {}
        self._unheard: set[Unit] = set()
        """Whose time came while nobody heard etcd: nobody saw that the entry stayed as it was."""
        self._work = asyncio.Event()
        leaves.entries = self._entries

    # -- the worker

    async def run(self) -> None:
        """Take the queues, until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._slice():
                await anyio.lowlevel.checkpoint()
            await asyncio.sleep(0)  # whoever was told goes first
            self.on_idle()

    @property
    def idle(self) -> bool:
        """Whether every resource is rendered and every entry evaluated, and nothing else is to be done."""
        return not (self._waiting or self._has_work)

    @property
    def _has_work(self) -> bool:
        """Whether anything is queued."""
        return bool(self._busy or self._chores)

    def _entries(self) -> Iterator[Entry]:
        for family in self.families.values():
            for unit in family.units.values():
                yield from unit.entries

    def evaluated(self) -> tuple[int, int]:
        """Give how many resources have a verdict, and how many there are."""
        families = self.families.values()
        units = sum(len(family.units) for family in families)
        to_come = sum(id_ not in family.units for family in families for id_ in family.unrendered)
        return units - self._waiting, units + to_come

    def _slice(self) -> bool:
        """Work for a few milliseconds; tells whether there is more to do."""
        until = time.perf_counter() + _SLICE
        wall, since = self._clock.time(), self._clock.monotonic()
        while self._busy and (now := time.perf_counter()) < until:
            family = self._busy.popleft()
            self._work_on(family, min(now + _TURN, until), wall)
            if family.has_work:
                self._busy.append(family)
            else:
                family.held = None
        while self._chores and time.perf_counter() < until:
            if next(self._chores[0], True):
                self._chores.popleft()
        self._tell(since)
        return self._has_work

    def _work_on(self, family: Family, until: float, wall: float) -> None:
        """Give a type its turn: verdicts first, since each is one change that a client waits for."""
        unjudged, unrendered = family.unjudged, family.unrendered
        for _ in range(min(len(unjudged), _VERDICTS)):
            self._settle(unjudged.popleft(), wall)
            if time.perf_counter() > until:
                break
        while unrendered:
            self._render(family, unrendered.pop())
            if time.perf_counter() > until:
                return

    def _has_work_now(self, family: Family) -> None:
        """Give a type that had no work a place among those that have, and hold its freshness as it was before."""
        if family.held is None:
            family.held = self.freshness(family)
            self._busy.append(family)
            self._work.set()

    def _tell(self, since: float) -> None:
        """Tell all that a slice came to, which took a few milliseconds."""
        settled, self._settled = self._settled, defaultdict(list)
        changes, self._changes = self._changes, []
        if settled:
            self.generation += 1
            self.on_settled(settled, since)
        if changes:
            self.on_changes(changes)

    def render_soon(self, family: Family, ids: Iterable[str]) -> None:
        """Have resources rendered anew."""
        self._has_work_now(family)
        family.unrendered.put(ids)

    def do_soon(self, chore: Iterator[None]) -> None:
        """Have something done that takes long for a large fleet: a piece of it each time that it is asked to go on."""
        self._chores.append(chore)
        self._work.set()

    def settle_soon(self, unit: Unit) -> None:
        """Have a verdict worked out."""
        if not unit.queued:
            unit.queued = True
            family = unit.family
            self._has_work_now(family)
            family.unjudged.append(unit)

    def expect(self, more: int) -> None:
        """Note that there are so many more resources (fewer, where negative) that have not been evaluated."""
        self._waiting += more

    def seen_otherwise(self) -> None:
        """Note that something that can be seen of a resource is another one."""
        self.generation += 1

    # -- time, and whether etcd is heard

    def monotonic(self) -> float:
        """Give the time, in monotonic seconds."""
        return self._clock.monotonic()

    def call_at(self, due: float, entry: Entry) -> Timer:
        """Wake an entry at a monotonic time."""
        return self._clock.call_later(max(due - self._clock.monotonic(), 0.0), entry.wake)

    def call_when_heard(self, entry: Entry) -> Timer:
        """Wake an entry once etcd is heard again."""
        self._overdue.add(entry)
        return _Waiting(self._overdue, entry)

    @property
    def hears(self) -> bool:
        """Whether etcd is heard, and not only believed to be."""
        return self.heard and self.still_heard()

    def hear(self, heard: bool) -> None:
        """Note whether etcd is heard; what was due meanwhile is due at once."""
        self.heard = heard
        if heard:
            overdue, self._overdue = self._overdue, set()
            for entry in overdue:
                entry.wake()
            unheard, self._unheard = self._unheard, set()
            for unit in unheard:
                self.settle_soon(unit)

    # -- a config's life

    def _render(self, family: Family, id_: str) -> None:
        if family.waiting:
            family.wait_no_more(id_)
        if family.template_id is None:
            self._end(family, id_)
            return
        try:
            envelope = family.configs.envelope(id_)
        except Problem as problem:
            self._stumble(self._unit(family, id_), str(problem))
            return
        if envelope is None or envelope.ended:
            self._end(family, id_)
            return
        unit = self._unit(family, id_)
        name = str(envelope.body.get("name") or "")
        if name != unit.name:
            unit.name = name
            self.members += 1
        if family.template is None:
            unit.version = envelope.version
            self._stumble(unit, family.problem or "its template can't be used")
            return
        try:
            rendering = family.template.render(family.type, family.resource_id(id_), envelope.body, self.lookup)
        except NotYet as not_yet:
            self._render_once_listed(family, id_, not_yet.view)
            return
        unit.version = envelope.version
        self._hang(unit, rendering.reads)
        if rendering.problem is not None:
            self._stumble(unit, rendering.problem)
        else:
            self._rendered(unit, rendering, family.template)

    def _render_once_listed(self, family: Family, id_: str, view: KeyView) -> None:
        """Leave a resource as it was until a prefix is listed, and what is said of its type stale."""
        family.prefixes.add(view.prefix)
        family.waiting.setdefault(view, {})[id_] = None
        # A name of its own: the view may be that of its own configs, for whose list the family waits as well.
        view.when_synced((family, "path"), lambda: self.render_soon(family, family.waiting.pop(view, ())))

    def _unit(self, family: Family, id_: str) -> Unit:
        unit = family.units.get(id_)
        if unit is None:
            unit = family.units[id_] = Unit(family, id_, self)
            if family.worker_states is not None:
                family.worker_states.share(id_)
            self.expect(1)
            self.members += 1
        return unit

    def _hang(self, unit: Unit, reads: Iterable[Ref]) -> None:
        family, id_ = unit.family, unit.id
        for view, key, told in unit.hangs:
            view.unhang(key, told)
        if not reads:
            unit.hangs = ()
            return

        def tell() -> None:
            self.render_soon(family, (id_,))

        unit.hangs = tuple((self.lookup.view(ref), ref.id, tell) for ref in reads)
        family.prefixes.update([view.prefix for view, _, _ in unit.hangs])
        for view, key, _ in unit.hangs:
            view.hang(key, tell)

    def _stumble(self, unit: Unit, problem: str) -> None:
        if unit.problem is None:
            unit.problem_since = self._clock.monotonic()
        self._note_problem(unit, problem)
        unit.foreign = False
        self._replace(unit, ())

    def _note_problem(self, unit: Unit, problem: str | None) -> None:
        if problem != unit.problem:
            unit.problem = problem
            self.on_problem(unit)

    def _rendered(self, unit: Unit, rendering: Rendering, template: Template) -> None:
        try:
            made = self._maker.entry_types(rendering.entries, template)
            located = self._maker.located(made)
            if located:
                self._hang(unit, (*rendering.reads, *located))
            made = self._maker.placed(made)
        except Problem as problem:
            self._stumble(unit, str(problem))
            return
        except NotYet as not_yet:
            self._render_once_listed(unit.family, unit.id, not_yet.view)
            return
        self._note_problem(unit, None)
        unit.foreign = False in [spec.served for spec in rendering.entries]
        known = {entry.name: entry for entry in unit.entries}
        entries = [
            self._maker.entry(unit, spec, of, known.get(spec.name))
            for spec, of in zip(rendering.entries, made, strict=True)
        ]
        self._replace(unit, tuple(entries))
        for entry, spec in zip(entries, rendering.entries, strict=True):
            self._workers.see_to(entry, spec.props)

    def _replace(self, unit: Unit, entries: tuple[Entry, ...]) -> None:
        """Give a unit its entries, evaluated and judged: tasks of new ones start, those of dropped ones end.

        All in one turn, so that no answer mixes the config of now with the verdict of before.
        """
        unit.made()
        before, unit.entries = unit.entries, entries
        kept = set(entries).intersection(before) if before else ()
        for entry in before:
            if entry not in kept:
                self._drop(entry)
                if entry.shown is not None:
                    self._gone.setdefault(unit, []).append(entry)
        unit.expect(sum([entry.status is None for entry in entries]))
        queued, unit.queued = unit.queued, True  # it is judged below, once
        for entry in entries:
            if entry not in kept and entry.entry_type is not None:
                self._leaves.start(entry)
        unit.queued = queued
        if not unit.missing:
            self._settle(unit, self._clock.time())

    def _drop(self, entry: Entry) -> None:
        self._leaves.stop(entry)
        self._workers.stop(entry)
        self._overdue.discard(entry)
        for cell in entry.cells:
            cell.unhang(entry)

    def _end(self, family: Family, id_: str) -> None:
        unit = family.units.pop(id_, None)
        if unit is not None:
            if not family.units:
                family.units.clear()  # a dict keeps the room of all that were ever in it
            self.members += 1
            unit.ended = True
            self._damp_no_more(unit)
            self._hang(unit, ())
            self._replace(unit, ())
            self._note_problem(unit, None)
            unit.status, unit.active = Status.UNKNOWN, None
            self._changes += changes_of(unit, self._gone.pop(unit, ()), self._clock.time())
            family.ended = max(family.ended, unit.revision)
            if unit.vouched:
                (family.heir or family).leaving.add(id_)
        self._settled[family].append(id_)

    # -- a verdict

    def _settle(self, unit: Unit, wall: float) -> None:
        damped = unit.family.damped
        for entry in unit.entries:
            cell = entry.cell
            if cell is not None and (cell.dirty or (entry.more and any(other.dirty for other in entry.more))):
                entry.evaluate()  # its turn would come in another slice; what changed together is judged together
            elif damped and entry.is_behind:
                entry.evaluate()  # nothing counts for having stayed as it was that has just changed
        unit.queued = False
        if unit.missing or unit.ended:
            return
        if damped:
            self._damp(unit)
        if unit.judge(wall):
            key = (unit.family.type, unit.status)
            self.transitions[key] = self.transitions.get(key, 0) + 1
        self._changes += changes_of(unit, self._gone.pop(unit, ()), wall)
        if unit.foreign and unit.vouched:
            unit.vouched = False
            unit.family.leaving.add(unit.id)
        self._settled[unit.family].append(unit.id)

    def _damp(self, unit: Unit) -> None:
        now = self._clock.monotonic()
        due = unit.damp(now, heard=self.hears)
        self._damp_no_more(unit)
        if due is None:
            return
        if due <= now:
            self._unheard.add(unit)
        else:
            self._damped[unit] = self._clock.call_later(due - now, lambda: self.settle_soon(unit))

    def _damp_no_more(self, unit: Unit) -> None:
        self._unheard.discard(unit)
        timer = self._damped.pop(unit, None)
        if timer is not None:
            timer.cancel()


class _Waiting:
    """The place of an entry among those that wait until etcd is heard."""

    __slots__ = ("_entry", "_overdue")

    def __init__(self, overdue: set[Entry], entry: Entry) -> None:
        self._overdue = overdue
        self._entry = entry

    def cancel(self) -> None:
        """Wait no longer."""
        self._overdue.discard(self._entry)
