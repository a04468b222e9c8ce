"""The monitor as one object: wires the rooms together in one task group, and answers what anybody asks of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import anyio

from ha_monitor.blind import Blindness
from ha_monitor.broadcast import QUEUED, Broadcast, Subscription
from ha_monitor.clock import Clock, SystemClock
from ha_monitor.consistent import WAIT, ConsistentReads
from ha_monitor.errors import EtcdCorrupt, EtcdError, EtcdNoSpace, EtcdRefused, GroupRefused
from ha_monitor.etcd.client import EtcdClient, open_client
from ha_monitor.etcd.connection import dial
from ha_monitor.evaluate.damping import DampingRules
from ha_monitor.evaluate.fleet import Fleet
from ha_monitor.evaluate.leaves import Leaves
from ha_monitor.evaluate.lookup import Lookup
from ha_monitor.evaluate.maker import Maker
from ha_monitor.evaluate.templates import Templates
from ha_monitor.evaluate.unused import Unused
from ha_monitor.evaluate.workers import Workers
from ha_monitor.explain.absent import absent
from ha_monitor.explain.around import circumstances
from ha_monitor.explain.explainer import Explainer, Moment, undated
from ha_monitor.faultlog import FaultLog, ProblemLog
from ha_monitor.history import History
from ha_monitor.maintained import Maintained
from ha_monitor.measures import Measures, PublishMeasures, TypeMeasures, WatchMeasures
from ha_monitor.membership import MonitorGrounds, open_member
from ha_monitor.model import Change, Progress, Readiness, Resource
from ha_monitor.plugins import kinds, load_plugins
from ha_monitor.publish.desire import Publish
from ha_monitor.publish.publisher import Publisher
from ha_monitor.publish.resync import Resync
from ha_monitor.publish.settled import Settled, Settler
from ha_monitor.reading.state import StateReader, monitoring_dependencies, worker_dependencies
from ha_monitor.roll import Roll
from ha_monitor.show import describe, rendering
from ha_monitor.sight import Seen, Sight
from ha_monitor.watch.alarms import Alarms
from ha_monitor.watch.fixed import FixedKeys
from ha_monitor.watch.placed import PlacedKeyView
from ha_monitor.watch.pulse import Pulse
from ha_monitor.watch.snapshot import Snapshot
from ha_monitor.watch.watches import Watches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from types import TracebackType

    from anyio.abc import TaskGroup
    from typing_extensions import Self

    from ha_monitor.etcd.connection import Connect
    from ha_monitor.etcd.endpoints import Endpoints
    from ha_monitor.evaluate.unit import Unit
    from ha_monitor.explain.report import Explanation
    from ha_monitor.group.member import Member
    from ha_monitor.model import GroupStatus, Maintenance
    from ha_monitor.settings import Settings
    from ha_monitor.watch.feed import Feed

log = logging.getLogger(__name__)


class HaMonitor:
    """Watches etcd and keeps every resource's status, for the time of an ``async with`` block.

    Entering returns at once; etcd may be down and is waited for. Where etcd refuses us before the first answer
    (wrong credentials, TLS), the block is cancelled and :class:`~ha_monitor.errors.EtcdRefused` is raised from it;
    :class:`~ha_monitor.errors.GroupRefused` where the other members of its group share another number of shards.
    Nothing here touches signals, logging handlers or the event loop's policy.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        keys: Mapping[str, bytes] | Snapshot | None = None,
        connect: Connect = dial,
    ) -> None:
        """Prepare; nothing is asked of etcd yet.

        :param keys: what is in etcd, in place of one: nothing is watched, nothing published.
        :param connect: gives the stubs of a member by its URL, in place of a channel to that URL: those of
            :class:`ha_monitor.testing.MemoryEtcd`, or of a channel of your own, with another address or TLS.
        """
        self._settings = settings
        self._keys = keys if keys is None or isinstance(keys, Snapshot) else Snapshot.of(keys)
        self._connect = connect
        self._clock = clock or SystemClock()
        self._stack = contextlib.AsyncExitStack()
        self._broadcast = Broadcast()
        self._history = History()
        self._faults = FaultLog(self._clock, "etcd is heard and every watch is caught up")
        self._problems = ProblemLog(self._clock)
        self._synced = asyncio.Event()
        self._fatal: EtcdRefused | GroupRefused | None = None
        self._tasks: TaskGroup
        self._endpoints: Endpoints
        self._plugins = load_plugins()
        self._watches: Watches | FixedKeys
        self._pulse: Pulse | FixedKeys
        self._alarms: Alarms
        self._fleet: Fleet
        self._roll: Roll
        self._sight: Sight
        self._reads: ConsistentReads
        self._blindness: Blindness
        self._maintained = Maintained(settings.keyspace.maintenance, self._clock, self._maintenance_changed)
        self._templates: Templates
        self._explainer: Explainer
        self._publisher: Publisher | None = None
        self._member: Member | None = None

    async def __aenter__(self) -> Self:
        """Begin to watch."""
        self._stack.callback(self._maintained.close)
        client = await self._stack.enter_async_context(open_client(self._settings, self._connect))
        leaves = await self._stack.enter_async_context(Leaves())
        self._tasks = await self._stack.enter_async_context(anyio.create_task_group())
        self._wire(client, leaves)
        for name, words in self._plugins.problems:
            log.warning("plugin %s: %s", name, words)
        for where, words in self._settings.catalog.problems:
            log.warning("%s: %s", where, words)
        for words in self._settings.catalog.notes:
            log.info("%s", words)
        self._templates.follow()
        self._tasks.start_soon(self._pulse.run, name="pulse")
        self._tasks.start_soon(self._alarms.run, name="alarms")
        self._tasks.start_soon(self._fleet.run, name="fleet")
        self._tasks.start_soon(leaves.watch, name="leaves")
        self._tasks.start_soon(self._blindness.run, name="blindness")
        if isinstance(self._watches, Watches):
            unused = Unused(self._fleet, self._templates, self._watches)
            self._tasks.start_soon(unused.run, name="unused")
        if self._publisher is not None:
            self._tasks.start_soon(self._publisher.run, name="publisher")
            if self._settings.resync:
                resync = Resync(self._publisher, self._clock, self._fleet.families.values, self._settings.resync)
                self._tasks.start_soon(resync.run, name="resync")
        if self._member is not None:
            self._tasks.start_soon(self._take_part, self._member, name="member")
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        """Hand over to the other members of the group, and end every task; what was published stays."""
        self._broadcast.end()
        if self._member is not None:
            await self._member.leave()
        self._tasks.cancel_scope.cancel()
        if isinstance(self._pulse, Pulse):
            self._pulse.end()
        # An error of the block is nobody's but the caller's: handed to the task group it would come back in an
        # exception group. A cancellation has to pass through it, since the group may be where it came from.
        through = exc is None or isinstance(exc, anyio.get_cancelled_exc_class())
        try:
            swallowed = await self._stack.__aexit__(*((exc_type, exc, traceback) if through else (None, None, None)))
        except BaseException:
            if self._fatal is not None:
                raise self._fatal from None
            raise
        if swallowed and through:
            # Only our own task group swallows, and it was not asked to end: one of its tasks was cancelled by nobody.
            raise RuntimeError("a task of the monitor ended without a word")
        return False

    def _wire(self, client: EtcdClient, leaves: Leaves) -> None:
        settings, clock, plugins = self._settings, self._clock, self._plugins.classes
        catalog, keyspace = settings.catalog, settings.keyspace
        self._endpoints = client.endpoints
        up_values = frozenset(settings.up_values)
        read_record = StateReader(up_values, monitoring_dependencies)
        read_state = StateReader(up_values, worker_dependencies) if settings.state_source == "state" else read_record
        if self._keys is not None:
            self._watches = self._pulse = FixedKeys(self._keys, clock, on_turn=self._turn, layouts=keyspace.layouts)
        else:
            self._watches = Watches(
                client, clock, self._tasks, on_turn=self._turn, on_fault=self._fault, layouts=keyspace.layouts
            )
            self._pulse = Pulse(
                client, clock, keyspace.templates, self._watches.feeds, on_turn=self._turn, on_fault=self._fault
            )
        self._alarms = Alarms(client, lambda: self._keys is None and self._is_alive())
        workers, lookup = Workers(self._tasks), Lookup(keyspace, self._watches)
        self._fleet = Fleet(
            lookup=lookup,
            maker=Maker(keyspace, plugins, read_state, settings.state_timeout, DampingRules(settings), workers, lookup),
            leaves=leaves,
            workers=workers,
            clock=clock,
        )
        self._fleet.freshness = lambda family: self._watches.proof(family.prefixes)
        self._sight = Sight(self._watches, self._pulse, clock, settings)
        self._reads = ConsistentReads(
            self._fleet.families, self._watches, self._pulse, self._synced.is_set, settings.keyspace.maintenance
        )
        self._blindness = Blindness(lambda: self._fleet.families, self._sight, clock, self._tell)
        if settings.maintenance_prefix:
            self._watches.follow(self._maintained.view)
        if settings.publish != "none" and self._keys is None:
            self._publisher = Publisher(
                client, clock, form=Publish(settings.publish), state_timeout=settings.state_timeout,
                faults=FaultLog(clock, "what is to be published is written again"),
            )  # fmt: skip
            if settings.maintenance_prefix:
                self._publisher.records.freezer = self._maintained
            self._fleet.on_settled = self._publisher.want_all
            if isinstance(self._watches, Watches) and isinstance(self._pulse, Pulse):
                grounds = MonitorGrounds(self._fleet, self._pulse, self._publisher, self._synced)
                faults = FaultLog(clock)

                def member_fault(error: EtcdError) -> None:
                    faults.note(error)
                    self._look_for_alarm(error)

                self._member = open_member(settings, client, clock, self._watches, grounds, member_fault)
            self._publisher.still_heard = self._is_alive
            self._publisher.on_fault = self._look_for_alarm
        self._fleet.still_heard = self._is_alive
        self._fleet.on_changes = self._changed
        self._fleet.on_problem = self._problem_changed
        self._fleet.on_idle = self._turn
        self._explainer = Explainer(
            self._fleet, self._watches, keyspace, up_values=settings.up_values,
            numbered=self._keys is not None and self._keys.numbered,
        )  # fmt: skip
        self._roll = Roll(
            self._fleet, self._sight, clock, lambda: self.generation, lambda unit: self._trouble(unit) is not None
        )
        self._templates = Templates(
            fleet=self._fleet,
            outlet=self._publisher,
            with_records=settings.publish != "none",
            watches=self._watches,
            keyspace=keyspace,
            catalog=catalog,
            kinds=kinds(plugins),
            constants=settings.constants,
            secret_fields=settings.secret_fields,
            overrides=settings.template_types,
            only_types=settings.types,
            read_state=read_state,
            read_record=read_record,
        )

    # -- what the rooms say

    def _turn(self) -> None:
        """Something about hearing etcd has changed, or the fleet has done its work."""
        heard = self._pulse.heard and not self._watches.not_caught_up
        if heard != self._fleet.heard:
            self._fleet.hear(heard)
            if self._publisher is not None:
                self._publisher.hear(heard)
            self._blindness.look()
            if heard:
                self._alarms.refresh_soon()
        if not heard:
            return
        self._faults.over()
        if not self._synced.is_set() and self._fleet.idle:
            self._synced.set()

    def _is_alive(self) -> bool:
        return self._pulse.alive

    def _fault(self, error: EtcdError, refused: int) -> None:
        """Something that has to be read can't be: who is refused that before all was read once may wait for ever.

        So it is the end, but not at once: the next member may take us, or the next token. What is written is no matter
        of life and death: a user who may only read sees all.

        :param refused: how often since the last answer.
        """
        if isinstance(error, EtcdRefused) and refused > len(self._endpoints) and not self._synced.is_set():
            self._fatal = error
            raise error
        self._faults.note(error)

    def _look_for_alarm(self, error: EtcdError) -> None:
        """Read the alarms where etcd has refused a write because of one."""
        if isinstance(error, (EtcdNoSpace, EtcdCorrupt)):
            self._alarms.refresh_soon()

    async def _take_part(self, member: Member) -> None:
        try:
            await member.run()
        except GroupRefused as error:
            self._fatal = error
            raise

    def _changed(self, changes: Sequence[Change]) -> None:
        self._hand_on(self._blindness.passed(changes))

    def _tell(self, changes: Sequence[Change]) -> None:
        """Tell what only the faces say."""
        self._fleet.seen_otherwise()
        self._hand_on(changes)

    def _hand_on(self, changes: Sequence[Change]) -> None:
        if self._synced.is_set():  # before, everything is new, and resources() tells it
            self._broadcast.send(changes)
            self._history.add(changes)

    def _problem_changed(self, unit: Unit) -> None:
        family, problem = unit.family, unit.problem
        if problem is None or problem != family.problem:  # of the template that is said once
            self._problems.note(family.type, unit.resource_id, problem)

    def _maintenance_changed(self, type_: str, id_: str) -> None:
        self._fleet.seen_otherwise()
        family = self._fleet.families.get(type_)
        if family is not None and self._publisher is not None:
            at = family.configs.find(id_)
            if at is not None:
                self._publisher.want(family, at)

    def _trouble(self, unit: Unit) -> str | None:
        return None if self._publisher is None else self._publisher.records.trouble(unit.family, unit.id)

    # -- what anybody asks

    async def synced(self) -> None:
        """Wait until every watch has caught up once and every resource is evaluated."""
        await self._synced.wait()

    def get(self, type_: str, id_: str) -> Resource | None:
        """Give a resource as it stands; ``None`` where there is none."""
        unit, clock = self._unit(type_, id_), self._clock
        if unit is None:
            return None
        return describe(
            unit, self._sight.of(unit.family), trouble=self._trouble(unit), maintenance=self._maintained.of(type_, id_),
            ahead=clock.time() - clock.monotonic(), ordered=self._keys is None or not self._keys.numbered,
        )  # fmt: skip

    def _unit(self, type_: str, id_: str) -> Unit | None:
        family = self._fleet.families.get(type_)
        return None if family is None else family.find(id_)

    def resources(self) -> Iterator[Resource]:
        """Give all resources, by type and id, each as it stands when it is reached."""
        for type_, family in sorted(self._fleet.families.items()):
            for id_ in sorted(map(family.resource_id, family.units)):
                resource = self.get(type_, id_)
                if resource is not None:
                    yield resource

    @property
    def roll(self) -> Roll:
        """All resources in one order, to be counted, found, and seen at a glance."""
        return self._roll

    @property
    def generation(self) -> int:
        """Another number whenever a resource is another one, in whatever can be seen of it."""
        publisher, generation = self._publisher, self._fleet.generation
        if publisher is not None:
            generation += publisher.published + publisher.failures + publisher.records.generation
        return generation

    @property
    def revision(self) -> int:
        """The etcd revision up to which every answer is known to be right; what waits to be evaluated holds it back."""
        return self._reads.proof().revision

    def reached(self, type_: str | None = None) -> int:
        """Give the etcd revision that the answers of a type, or of all, are consistent up to.

        Changes that wait to be evaluated hold it back. 0 before everything was evaluated once, and while a watch that
        the answers depend on has not caught up.
        """
        return self._reads.reached(type_)

    async def at(self, revision: int, type_: str | None = None, timeout: float = WAIT) -> int:
        """Wait until the answers of a type, or of all, include every change up to a revision; give :meth:`reached`.

        No other task runs between its return and an answer that is read without another ``await``.

        :param timeout: seconds; then :class:`~ha_monitor.errors.RevisionTimeout` is raised.
        """
        return await self._reads.wait(revision, type_, timeout, newest=False)

    async def consistent(self, type_: str | None = None, timeout: float = WAIT, *, least: int = 0) -> int:
        """Read etcd's revision linearizably, then wait for it as :meth:`at` does: what is read next is as of now.

        :param timeout: seconds for both; then, and where etcd is unreachable for as long,
            :class:`~ha_monitor.errors.RevisionTimeout` is raised.
        :param least: wait for this revision as well.
        """
        return await self._reads.wait(least, type_, timeout, newest=True)

    @property
    def proven_at(self) -> float:
        """When that was last proven, in seconds since the epoch; 0 before the first time."""
        return self._reads.proof().proven_at

    @property
    def is_synced(self) -> bool:
        """Whether every watch has caught up once and every resource is evaluated."""
        return self._synced.is_set()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Give where and words of all problems there are.

        Where is ``plugin NAME``, ``schema TYPE``, ``schema-file PATH``, ``template ID``, ``TYPE/ID``, ``type TYPE`` or
        ``maintenance TYPE/ID``.
        """
        yield from self._settings.catalog.problems
        for name, words in self._plugins.problems:
            yield f"plugin {name}", words
        for template_id, words in self._templates.problems():
            yield f"template {template_id}", words
        for type_, family in sorted(self._fleet.families.items()):
            found = ((unit.resource_id, unit.problem or self._trouble(unit)) for unit in family.units.values())
            for id_, words in sorted((id_, words) for id_, words in found if words is not None):
                yield f"{type_}/{id_}", words
        yield from self._type_problems()
        for type_, id_ in sorted(self._maintained.frozen):
            if self._unit(type_, id_) is None:
                yield f"maintenance {type_}/{id_}", "it freezes nothing: there is no such resource"

    def _type_problems(self) -> Iterator[tuple[str, str]]:
        for type_ in self._settings.types:
            named = self._fleet.families.get(type_)
            if named is None or named.template_id is None:
                yield f"type {type_}", "it is named by --types, and has no template"
        if self._pulse.alive and not self._watches.not_caught_up:
            for type_, words in self._late_types():
                yield f"type {type_}", f"it is {words}"

    @property
    def templates(self) -> Templates:
        """The templates by type."""
        return self._templates

    def twice(self) -> Iterator[tuple[str, str, Sequence[str]]]:
        """Yield type, id and keys of each resource that has several configs; the first key is in use."""
        for type_, family in sorted(self._fleet.families.items()):
            if isinstance(family.configs, PlacedKeyView):
                for id_, keys in sorted(family.configs.twice().items()):
                    yield type_, id_, keys

    @contextlib.asynccontextmanager
    async def changes(self, queued: int = QUEUED) -> AsyncIterator[Subscription]:
        """Subscribe to the changes from now on, each within milliseconds of its cause.

        The queue behind it is bounded, to ``queued`` changes. A reader who falls behind it gets one
        :class:`~ha_monitor.model.Resync` in place of what no longer fitted, and reads :meth:`resources` anew; other
        readers are not held up.
        """
        with self._broadcast.subscribe(queued) as subscription:
            yield subscription

    def history(self, type_: str | None = None, id_: str | None = None) -> Sequence[Change]:
        """Give the last changes, newest first: of one resource, 20 at the most, or of all, 1,000."""
        return self._history.of_all() if type_ is None or id_ is None else self._history.of_one(type_, id_)

    def shrink(self) -> None:
        """Have what is kept of the past lie together, so that memory around it can be given back to the system.

        Worth it once thousands of resources have gone. Takes a tenth of a second at the most, in which nothing else
        happens; the service does so by itself.
        """
        self._history.rewrite()

    def progress(self) -> Progress:
        """Tell how far the first listing and evaluation are."""
        feeds = tuple(self._watches.feeds())
        evaluated, resources = self._fleet.evaluated()
        return Progress(sum(feed.listed for feed in feeds), sum(feed.keys for feed in feeds), evaluated, resources)

    def measures(self) -> Measures:
        """Give what was counted so far."""
        now, publisher = self._clock.monotonic(), self._publisher
        feeds: dict[str, list[Feed]] = {}
        for feed in self._watches.feeds():
            feeds.setdefault(feed.prefix, []).append(feed)
        watches = [
            WatchMeasures(
                prefix, sum(feed.events for feed in some), sum(feed.relists for feed in some),
                sum(max(feed.streams - 1, 0) for feed in some), max(now - feed.freshness.proven for feed in some),
            )
            for prefix, some in feeds.items()
        ]  # fmt: skip
        publish = None
        if publisher is not None:
            publish = PublishMeasures(publisher.published, publisher.failures, publisher.pending, publisher.latency)
        seen = {type_: self._sight.of(family) for type_, family in sorted(self._fleet.families.items())}
        return Measures(
            self._watches.revision, watches, publish, dict(self._fleet.transitions), self._roll.problems(),
            blind={type_: each.instead is not None for type_, each in seen.items()},
            maintenance=sum(self._unit(type_, id_) is not None for type_, id_ in self._maintained.frozen),
            alarms=sorted(self._alarms.raised),
            types=[
                TypeMeasures(type_, each.doubt, self._revisions_behind(each)) for type_, each in seen.items()
            ],
        )  # fmt: skip

    @property
    def pending(self) -> int:
        """How many records are to be looked at, or on their way to etcd."""
        return 0 if self._publisher is None else self._publisher.pending

    def readiness(self) -> Readiness:
        """Tell whether etcd is heard, every watch is caught up, and every resource was evaluated."""
        if not self._pulse.heard:
            return Readiness(False, f"etcd can't be heard: {self._pulse.fault}")
        if not self._pulse.alive:
            return Readiness(False, f"etcd has not answered for {self._pulse.silence:.0f} s")
        not_caught_up = self._watches.not_caught_up
        if not_caught_up:
            return Readiness(False, not_caught_up)
        if not self._synced.is_set():
            return Readiness(False, "resources are being evaluated for the first time")
        late = next(self._late_types(), None)
        if late is not None:
            type_, words = late
            return Readiness(False, f"{type_} is {words}")
        alarms = self._alarms.words
        if alarms and self._publisher is not None:
            return Readiness(False, f"nothing can be published: {alarms}")
        if self._member is not None and self._member.trouble:
            return Readiness(False, self._member.trouble)
        if self._publisher is not None and self._publisher.fault:
            return Readiness(False, f"nothing can be published: {self._publisher.fault}")
        return Readiness(True, "", alarms)

    def _late_types(self) -> Iterator[tuple[str, str]]:
        """Give the types whose answers are stale though every watch has caught up, each with how far behind it is."""
        for family in self._fleet.families.values():
            seen = self._sight.of(family)
            if seen.stale:
                waiting = len(family.unrendered) + len(family.unjudged)
                words = f"{seen.doubt:.0f} s and {self._revisions_behind(seen)} revisions behind etcd"
                yield family.type, f"{words}: {waiting} of its resources wait to be evaluated" if waiting else words

    def _revisions_behind(self, seen: Seen) -> int:
        return max(self._pulse.revision - seen.revision, 0)

    def group(self) -> GroupStatus | None:
        """Give who shares the work with this monitor, and who has what; ``None`` where it is alone."""
        return None if self._member is None else self._member.status()

    def publishes(self, type_: str, id_: str) -> bool:
        """Tell whether this monitor is the one of its group that speaks for a resource; one that is alone always is."""
        return self._member is None or self._member.fence(type_, id_) is not None

    def published_elsewhere(self, type_: str, id_: str) -> bool:
        """Tell whether another member of its group is known to be the one that speaks for a resource."""
        return self._member is not None and self._member.knows_another(type_, id_)

    def maintenance(self, type_: str, id_: str) -> Maintenance | None:
        """Give why a resource is frozen, there or not; ``None`` where it is not."""
        return self._maintained.of(type_, id_)

    def rendering(self, type_: str, id_: str) -> Mapping[str, Any] | None:
        """Give what a resource renders to: parameters, document, entries, and every key that it hangs on."""
        family = self._fleet.families.get(type_)
        if family is None or family.configs.find(id_) not in family.configs.items:
            return None
        return rendering(family, id_, self._settings.keyspace, self._fleet.lookup)

    def explain(self, type_: str, id_: str) -> Explanation | None:
        """Tell why a resource is what it is, from its config to its record; ``None`` where there is none."""
        unit, resource = self._unit(type_, id_), self.get(type_, id_)
        if unit is None or resource is None:
            return None
        if self._keys is not None:
            resource = undated(resource)
        deaf = self.readiness().reason if resource.stale else ""
        around = circumstances(self._settings, unit, resource, deaf, self._publisher, self._member)
        moment = Moment(self._clock.time(), self._clock.monotonic(), deaf)
        return self._explainer.explain(unit, resource, around, moment)

    def absent(self, type_: str, id_: str) -> str:
        """Say in words what is known of a resource that :meth:`get` does not give."""
        return absent(self._fleet, self._templates, type_, id_)

    def settled(self) -> Settled:
        """Tell what every resource comes to once all timeouts have passed, if no key changes any more."""
        form = None if self._settings.publish == "none" else Publish(self._settings.publish)
        settler = Settler(form, self._settings.state_timeout, self._settings.keyspace)
        return settler.settle(self._fleet.families.values(), self.get, frozenset(self._maintained.frozen))

    @property
    def prefixes(self) -> frozenset[str]:
        """Every prefix of keys that is watched."""
        return self._watches.prefixes
