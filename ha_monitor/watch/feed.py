"""Drives the list-and-watch of one prefix over etcd, for good: does what the state machine asks, again after a pause.

What to do next is decided in :mod:`ha_monitor.watch.state_machine`; what comes of the items is the business of a
:class:`~ha_monitor.watch.sink.Sink`. :mod:`ha_monitor.watch.pulse` reads the store's revision, and has a watch that has
not reached it confirmed (:meth:`Feed.confirm`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from aetcd import rpc

from ha_monitor.errors import EtcdCompacted, EtcdError, EtcdRefused, EtcdTooLarge, EtcdUnavailable
from ha_monitor.etcd.client import LIST_TIMEOUT
from ha_monitor.etcd.ranges import next_start, range_end
from ha_monitor.watch.backoff import Backoff
from ha_monitor.watch.continuity import Continuity
from ha_monitor.watch.lag import BATCH, Lag
from ha_monitor.watch.proof import Freshness, Reading
from ha_monitor.watch.state_machine import (
    Apply,
    Behind,
    Broken,
    Events,
    Gone,
    Input,
    Items,
    ListBegins,
    ListEnds,
    Listing,
    Lost,
    Opened,
    Opening,
    Page,
    Progress,
    Proven,
    State,
    TooLarge,
    Watching,
    begin,
    news,
    opening_revision,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.etcd.connection import Metadata
    from ha_monitor.etcd.stream import Watch
    from ha_monitor.watch.sink import Sink

log = logging.getLogger(__name__)

NO_SIGN_OF_LIFE = 4.0
"""Seconds without a reply after which a watch that has not reached the store's revision is compared with the store, and
its connection given up where it missed something. Chosen: with the probe's pause of 2.5 s, a watch that has died
without a word is told within 10 s."""

PROGRESS_PAUSE = 0.125
"""Seconds between two progress requests on a stream, at the least: its watches all have it asked."""

FEW = 16
"""Events of a reply that somebody waits for, rather than a storm: what they set off goes before all else."""

TURNS = 4
"""Turns of the event loop from an event to whoever is told: the entry's task, the verdict, the sender that writes the
record, and a subscriber. What is noted of a reply, and the next one, would come between them."""


class Feed:
    """Keeps a sink equal to what etcd has under a prefix."""

    def __init__(
        self,
        prefix: str,
        client: EtcdClient,
        sink: Sink,
        clock: Clock,
        *,
        openings: anyio.CapacityLimiter,
        on_turn: Callable[[], None],
        on_fault: Callable[[EtcdError, int], None],
        known_by: str | None = None,
    ) -> None:
        """Prepare; :meth:`run` does the work.

        :param openings: limits how many prefixes are listed or opened at a time.
        :param on_turn: called when ``caught_up`` has changed.
        :param on_fault: called with each failure, before the pause, and how often we were refused since the last
            answer; what it raises ends the feed.
        :param known_by: its name, if another feed may have the same prefix.
        """
        self.prefix = prefix if known_by is None else known_by
        self.revision = 0
        """Up to which all that is known is right."""
        self.freshness = Freshness(clock.monotonic())
        self.caught_up = False
        self.fault = "not listed yet"
        self.events = 0
        self.relists = 0
        """Lists that were begun after the first one."""
        self.streams = 0
        """Watch streams that were opened."""
        self.listed = 0
        self.keys = 0
        """Keys that the list under way, or the last one, has and had in all."""
        self._bytes = prefix.encode()
        self._client = client
        self._sink = sink
        self._clock = clock
        self._openings = openings
        self._on_turn = on_turn
        self._on_fault = on_fault
        self._backoff = Backoff()
        self._refusals = Backoff(cap=5.0)  # a login costs the server a bcrypt round
        self._refused = 0
        self._failed = False
        self._state: State = begin(self._bytes)
        self._continuity = Continuity(self._bytes)
        self._listing = Reading(0, 0.0, float("-inf"))
        """The read that the list under way, or the last one, is of."""
        self._token: Metadata = ()
        """Who asked last, so that a refusal has a fresh token asked for only where that is what was refused."""
        self._watching: Watch | None = None
        self._waiting = False
        """Whether the next reply is waited for: while the last one is taken, silence is ours and not the server's."""
        self._late_since: float | None = None
        """When it was first found behind the store without a reply since, in monotonic seconds; ``None``: it is not."""
        self._doubted = 0
        """The revision up to which it has to be proven right, at least, before it counts as caught up again."""
        self._replaced = ""
        """Why the store is another one than the state machine goes by; empty: it is not."""

    async def run(self) -> None:
        """Follow the prefix until cancelled. Raises only what ``on_fault`` raises."""
        while True:
            try:
                if self._replaced:
                    self.fault, self._replaced = self._replaced, ""
                    await self._take(Gone())
                elif isinstance(self._state, Listing):
                    async with self._openings:
                        await self._list_page(self._state)
                else:
                    await self._watch(self._state)
            except EtcdError as error:
                await self._recover(error)

    async def _list_page(self, at: Listing) -> None:
        connection = await self._client.connection()
        self._token = connection.metadata
        if at.revision == 0:
            self._continuity.begins(connection)
        request = rpc.RangeRequest(key=at.start, range_end=range_end(self._bytes), limit=at.limit, revision=at.revision)
        sent = self._clock.time(), self._clock.monotonic()
        reply = await self._client.range(request, f"list {self.prefix}", LIST_TIMEOUT)
        try:
            after = next_start(at.start, reply, f"list {self.prefix}")
        except EtcdUnavailable as error:
            self._client.abandon(connection, str(error))  # another member may know better
            raise
        self._backoff.reset()
        self._refused = 0
        if self._replaced:
            return
        self.keys = self.listed + reply.count  # etcd counts from the page on
        self._continuity.listed(reply.kvs)
        if at.revision == 0:
            self._listing = Reading(reply.header.revision, *sent)
        await self._take(Page(reply.kvs, reply.header.revision, after))

    async def _watch(self, state: Opening | Watching) -> None:
        connection = await self._client.connection()
        self._token = connection.metadata
        async with self._client.watch(connection, self._bytes) as watch:
            async with self._openings:
                store = await self._open(watch, state)
            if isinstance(self._state, Listing) or self._replaced:
                return
            self.store_read(store)
            self._watching = watch
            self.streams += 1
            try:
                await self._follow(watch)
            finally:
                self._watching = None
                self._waiting = False
                self._late_since = None

    async def _open(self, watch: Watch, state: Opening | Watching) -> Reading:
        """Have a watch granted, unless the store is not the one that was listed; give the read that it is based on."""
        connection, known = watch.stream.connection, state.next_revision - 1
        store = self._listing  # straight after a list there is nothing newer to ask for
        if not isinstance(state, Opening) or not state.fresh:
            request = rpc.RangeRequest(key=self._bytes, count_only=True)
            sent = self._clock.time(), self._clock.monotonic()
            reply = await self._client.range(request, f"read the revision for {self.prefix}")
            store = Reading(reply.header.revision, *sent)
        if store.revision >= known:
            if not await self._continuity.holds(self._client, connection, known, self._sink.count):
                self.fault = "the store was replaced by an older one, which has gone on since"
                await self._take(Gone())
                return store
            try:
                await watch.create(opening_revision(state.next_revision, store.revision))
            except EtcdUnavailable as error:  # it may answer everything else, and grant no watch
                self._client.abandon(connection, str(error))
                raise
        if not self._replaced:
            await self._take(Opened(store.revision))
        return store

    async def _follow(self, watch: Watch) -> None:
        """Take the replies of a watch until a list is the shorter way. Raises as the watch ends."""
        lag = Lag()
        while True:
            self._waiting = True
            reply = await watch.read()
            self._waiting = False
            if self._failed:
                self._failed = False
                self._backoff.reset()
                self._refusals.reset()
                self._refused = 0
            self._late_since = None
            if not reply.events:
                await self._take(Progress(reply.header.revision, _in_line(watch, reply)))
            elif not await self._take_events(lag, (reply, *watch.read_ready())):
                log.info("%s: listed again, since it is far behind", self.prefix)
                await self._take(Behind())
                return
            del reply  # of 100,000 events, it may be, and the next one is long in coming

    async def _take_events(self, lag: Lag, replies: Sequence[rpc.WatchResponse]) -> bool:
        """Take the events of replies; tells whether to read on, and not to list since that is shorter.

        Replies that have come already are taken as one: a key that flips faster than its readers are evaluated has them
        evaluated once for its newest value. What few events set off goes before all that is to be noted and judged; of
        many, they may not be worth taking.
        """
        last = replies[-1]
        events = last.events if len(replies) == 1 else [event for reply in replies for event in reply.events]
        if isinstance(self._state, Watching):
            events = news(self._state, events)
        if not events:
            return True
        few = len(events) <= FEW
        if not few and await self._list_is_shorter(lag, events, last.header.revision):
            return False
        try:
            await self._take(Events(events))
        finally:
            self._continuity.happened(events)  # even where the connection is given up meanwhile
        return not (few and await self._list_is_shorter(lag, events, last.header.revision))

    async def _list_is_shorter(self, lag: Lag, came: Sequence[rpc.Event], revision: int) -> bool:
        """Tell whether a list brings what is to come sooner than the watch."""
        events, store = len(came), 0
        lag.came(came)
        if events >= BATCH:
            store = revision  # ahead of the events where the watch is catching up
        elif lag.deserves_a_look:  # by the member that sends the events, quorum or not: it is ahead of us
            request = rpc.RangeRequest(key=self._bytes, keys_only=True, serializable=True)
            store = (await self._client.range(request, f"read the revision for {self.prefix}")).header.revision
        return store > 0 and lag.list_is_shorter(events, store, self._sink.size())

    async def _take(self, got: Input) -> None:
        self._state, effects = step(self._bytes, self._state, got)
        for effect in effects:
            if isinstance(effect, Proven):
                if isinstance(got, Events):
                    # What the events woke is evaluated meanwhile, and what is then to be judged holds its type back.
                    await _let_them_go_first(TURNS if len(got.events) <= FEW else 1)
                self._proven(effect.revision)
            elif isinstance(effect, Lost):
                self._lost()
            else:
                for _ in self._work(effect):
                    await _a_turn()

    def _work(self, effect: Apply | Items | ListBegins | ListEnds) -> Iterator[None]:
        """Hand an effect to the sink; yields where the event loop may have a turn."""
        if isinstance(effect, Apply):
            self.events += len(effect.events)
            return self._sink.apply(effect.events)
        if isinstance(effect, Items):
            self.listed += len(effect.items)
            return self._sink.put_items(effect.items)
        if isinstance(effect, ListEnds):
            self.revision = min(self.revision, effect.revision)  # of a store that was replaced, it may be lower
            self.freshness.read(self._listing, self._listing.revision)
            return self._sink.list_ends(effect.revision)
        self.listed = 0
        self.relists += self.freshness.proven_at > 0
        self._sink.list_begins()
        return iter(())

    def store_read(self, reading: Reading) -> None:
        """Note the store's revision, by a linearizable read."""
        self.freshness.read(reading, self.revision if self._counts else 0)

    @property
    def _counts(self) -> bool:
        """Whether what is known is right up to ``revision`` in the store that is read, as long as the watch stands."""
        return self._watching is not None and not self._replaced

    def _proven(self, revision: int) -> None:
        self.revision = revision = max(self.revision, revision)
        self.freshness.reached(revision)
        if not self.caught_up and revision >= self._doubted:
            self.caught_up = True
            self.fault = ""
            self._on_turn()

    def _lost(self) -> None:
        if self.caught_up:
            self.caught_up = False
            self.fault = self.fault or "catching up"
            self._on_turn()

    async def _recover(self, error: EtcdError) -> None:
        self._continuity.interrupted()
        self.fault = str(error)
        self._failed = True
        if isinstance(error, EtcdCompacted):
            await self._take(Gone())
        elif isinstance(error, EtcdTooLarge):
            await self._take(TooLarge())
        else:
            await self._take(Broken())
        refused = isinstance(error, EtcdRefused)
        self._refused += refused  # and no less for a member that is dead: the next one may refuse us as well
        self._on_fault(error, self._refused)
        if refused:
            await self._login_again()
            await anyio.sleep(self._refusals.delay())
        else:
            await anyio.sleep(self._backoff.delay())

    async def _login_again(self) -> None:
        """Get a fresh token: etcd 3.5 says "permission denied" for one that has expired, too."""
        try:
            await self._client.login_again(await self._client.connection(), self._token)
        except EtcdError as error:
            log.debug("%s: %s", self.prefix, error)

    def relist(self, reason: str) -> None:
        """List again: the store is not the one that was listed. Done by the feed's own task, at its next step."""
        self._replaced = reason
        self._doubted = 0  # a revision that it may never have
        self.freshness.forget()
        if self._watching is not None:
            self._client.abandon(self._watching.stream.connection, reason)

    def doubt(self, revision: int) -> None:
        """Count as behind until it is proven right up to a revision that the store is at by now."""
        self._doubted = revision
        if self.revision < revision:
            self._lost()

    async def confirm(self) -> None:
        """Have a watch that has not reached the store's revision proven right up to there, or given up where it is not.

        The server is asked for progress. It may leave that out: a grpc-proxy never answers, and etcd only once every
        watch of the stream is synced. So silence alone is nothing: then what is known is compared with the store.
        """
        watch, now = self._watching, self._clock.monotonic()
        if watch is None:
            return
        stream = watch.stream
        if not self._waiting or not stream.is_read:  # it is we who are slow
            self._late_since = None
            return
        if self._late_since is None:
            self._late_since = now
        try:
            with anyio.move_on_after(NO_SIGN_OF_LIFE):  # a peer that reads nothing fills the window, and writes wait
                await stream.ask_progress(now, PROGRESS_PAUSE)
        except EtcdError as error:
            log.debug("%s", error)  # the reader of the stream meets the same, and acts
            return
        late_since = self._late_since
        if late_since is None:
            return  # a reply came while progress was asked for
        if stream.is_silent_on_progress or now - late_since > NO_SIGN_OF_LIFE:
            await self._compare(watch)

    async def _compare(self, watch: Watch) -> None:
        """Compare what is known with the store; give the connection up where the watch has missed something."""
        state, events, late_since = self._state, self.events, self._late_since
        if not isinstance(state, Watching) or late_since is None:
            return
        sent = self._clock.time(), self._clock.monotonic()
        try:
            revision = await self._continuity.unchanged(self._client, state.next_revision, self._sink.count)
        except EtcdError as error:
            log.debug("%s", error)
            revision = 0
        if self._watching is not watch or not self._waiting or self.events != events or watch.replies:
            return  # it has gone on meanwhile
        if revision:
            watch.stream.is_silent_on_progress = True
            self._late_since = None
            self.freshness.read(Reading(revision, *sent), revision)
            await self._take(Progress(revision, ordered=True))
        elif self._clock.monotonic() - late_since > NO_SIGN_OF_LIFE:
            reason = f"watch {self.prefix}: no sign of life for {NO_SIGN_OF_LIFE:g} s"
            self._client.abandon(watch.stream.connection, reason)


def _in_line(watch: Watch, reply: rpc.WatchResponse) -> bool:
    """Tell whether a reply came in line with the events of its watch."""
    return reply.watch_id >= 0 or watch.stream.connection.progress_is_ordered


async def _let_them_go_first(turns: int) -> None:
    """Give turns to what events set off: bare ones, as no work is half done, and :func:`_a_turn` is slow."""
    for _ in range(turns):
        await asyncio.sleep(0)


async def _a_turn() -> None:
    """Let the event loop have a turn between two slices of work.

    Nothing cancels the work half-way: the state machine counts on its effects, and what is left is soon done.
    """
    with anyio.CancelScope(shield=True):
        await anyio.lowlevel.checkpoint()
