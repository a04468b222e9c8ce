"""Drives the list-and-watch of one prefix over etcd, for good: does what the state machine asks, again after a pause.

What to do next is decided in :mod:`ha_monitor.watch.state_machine`; what comes of the items is the business of a
:class:`~ha_monitor.watch.sink.Sink`. The sign of life of an idle stream is asked for by :mod:`ha_monitor.watch.pulse`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
from aetcd import rpc

from ha_monitor.errors import EtcdCompacted, EtcdError, EtcdRefused, EtcdTooLarge, EtcdUnavailable
from ha_monitor.etcd.client import LIST_TIMEOUT, range_end
from ha_monitor.etcd.stream import open_stream
from ha_monitor.watch.backoff import Backoff
from ha_monitor.watch.continuity import Continuity
from ha_monitor.watch.lag import BATCH, Lag
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
    Page,
    Progress,
    Proven,
    State,
    TooLarge,
    begin,
    step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.etcd.stream import WatchStream
    from ha_monitor.watch.sink import Sink

log = logging.getLogger(__name__)

NO_SIGN_OF_LIFE = 4.0
"""Seconds after which a stream that does not answer a progress request is given up. Chosen: with the probe's pause
of 2.5 s it is told within 10 s that etcd can't be heard."""

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
        on_turn: Callable[[], None],
        on_fault: Callable[[EtcdError, int], None],
    ) -> None:
        """Prepare; :meth:`run` does the work.

        :param on_turn: called when ``caught_up`` has changed.
        :param on_fault: called with each failure, before the pause, and how often we were refused since the last
            answer; what it raises ends the feed.
        """
        self.prefix = prefix
        self.revision = 0
        self.proven_at = 0.0
        self.proven = clock.monotonic()
        """When it was last proven right, in monotonic seconds; before the first time, when it began."""
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
        self._on_turn = on_turn
        self._on_fault = on_fault
        self._backoff = Backoff()
        self._refusals = Backoff(cap=5.0)  # a login costs the server a bcrypt round
        self._refused = 0
        self._failed = False
        self._state: State = begin(self._bytes)
        self._continuity = Continuity(self._bytes)
        self._stream: WatchStream | None = None
        self._reading = False
        """Whether the stream's next word is waited for: while its last one is taken, it is not its silence."""
        self._unanswered_since: float | None = None
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
                    await self._list_page(self._state)
                else:
                    await self._watch(self._state.next_revision)
            except EtcdError as error:
                await self._recover(error)

    async def _list_page(self, at: Listing) -> None:
        if at.revision == 0:
            self._continuity.begins(await self._client.connection())
        request = rpc.RangeRequest(key=at.start, range_end=range_end(self._bytes), limit=at.limit, revision=at.revision)
        reply = await self._client.range(request, f"list {self.prefix}", LIST_TIMEOUT)
        self._backoff.reset()
        self._refused = 0
        if self._replaced:
            return
        self.keys = self.listed + reply.count  # etcd counts from the page on
        self._continuity.listed(reply.kvs)
        await self._take(Page(reply.kvs, reply.header.revision, reply.more))

    async def _watch(self, start_revision: int) -> None:
        connection = await self._client.connection()
        async with open_stream(connection, self._bytes) as stream:
            newest = await self._client.range(
                rpc.RangeRequest(key=self._bytes, count_only=True), f"read the revision for {self.prefix}"
            )
            if newest.header.revision >= start_revision - 1:
                at, count = start_revision - 1, self._sink.count
                if not await self._continuity.holds(self._client, connection, at, count):
                    self.fault = "the store was replaced by an older one, which has gone on since"
                    await self._take(Gone())
                    return
                try:
                    await stream.create(self._bytes, start_revision)
                except EtcdUnavailable as error:  # it may answer everything else, and grant no watch
                    self._client.abandon(connection, str(error))
                    raise
            if self._replaced:
                return
            await self._take(Opened(newest.header.revision))
            if isinstance(self._state, Listing):
                return
            self._stream = stream
            self.streams += 1
            lag = Lag()
            try:
                while True:
                    self._reading = True
                    reply = await stream.read()
                    self._reading = False
                    if self._failed:
                        self._failed = False
                        self._backoff.reset()
                        self._refusals.reset()
                        self._refused = 0
                    self._unanswered_since = None
                    if not reply.events:
                        await self._take(Progress(reply.header.revision, self._in_line(reply)))
                    elif not await self._take_events(lag, reply):
                        log.info("%s: listed again, since it is far behind", self.prefix)
                        await self._take(Behind())
                        return
                    del reply  # of 100,000 events, it may be, and the next one is long in coming
            finally:
                self._stream = None
                self._reading = False
                self._unanswered_since = None

    async def _take_events(self, lag: Lag, reply: rpc.WatchResponse) -> bool:
        """Take the events of a reply; tells whether to read on, and not to list since that is shorter.

        What few events set off goes before all that is to be noted and judged; of many, they may not be worth taking.
        """
        events = reply.events
        few = len(events) <= FEW
        if not few and await self._list_is_shorter(lag, reply):
            return False
        await self._take(Events(events))
        try:
            if few:
                await _let_them_go_first()
        finally:
            self._continuity.happened(events)  # even where the connection is given up meanwhile
        return not (few and await self._list_is_shorter(lag, reply))

    async def _list_is_shorter(self, lag: Lag, reply: rpc.WatchResponse) -> bool:
        """Tell whether a list brings what is to come sooner than the watch."""
        events, store = len(reply.events), 0
        lag.came(reply.events)
        if events >= BATCH:
            store = reply.header.revision  # ahead of the events where the watch is catching up
        elif lag.deserves_a_look:  # by the member that sends the events, quorum or not: it is ahead of us
            request = rpc.RangeRequest(key=self._bytes, keys_only=True, serializable=True)
            store = (await self._client.range(request, f"read the revision for {self.prefix}")).header.revision
        return store > 0 and lag.list_is_shorter(events, store, self._sink.size())

    def _in_line(self, reply: rpc.WatchResponse) -> bool:
        return reply.watch_id >= 0 or (self._stream is not None and self._stream.connection.progress_is_ordered)

    async def _take(self, got: Input) -> None:
        self._state, effects = step(self._bytes, self._state, got)
        for effect in effects:
            if isinstance(effect, Proven):
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
            return self._sink.list_ends(effect.revision)
        self.listed = 0
        self.relists += self.proven_at > 0
        self._sink.list_begins()
        return iter(())

    def _proven(self, revision: int) -> None:
        self.revision = revision
        self.proven_at = self._clock.time()
        self.proven = self._clock.monotonic()
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
            connection = await self._client.connection()
            await connection.authenticate()
        except EtcdError as error:
            log.debug("%s: %s", self.prefix, error)

    def relist(self, reason: str) -> None:
        """List again: the store is not the one that was listed. Done by the feed's own task, at its next step."""
        self._replaced = reason
        self._doubted = 0  # a revision that it may never have
        if self._stream is not None:
            self._client.abandon(self._stream.connection, reason)

    def doubt(self, revision: int) -> None:
        """Count as behind until it is proven right up to a revision that the store is at by now."""
        self._doubted = revision
        self._lost()

    async def ask_progress(self) -> None:
        """Ask the stream for a sign of life, and give its connection up where the last one is overdue."""
        stream = self._stream
        if stream is None or not self._reading:
            return
        now = self._clock.monotonic()
        if self._unanswered_since is None:
            self._unanswered_since = now
        elif now - self._unanswered_since > NO_SIGN_OF_LIFE:
            reason = f"watch {self.prefix}: no sign of life for {NO_SIGN_OF_LIFE:g} s"
            self._client.abandon(stream.connection, reason)
            return
        try:
            with anyio.move_on_after(NO_SIGN_OF_LIFE):  # a peer that reads nothing fills the window, and writes wait
                await stream.ask_progress()
        except EtcdUnavailable as error:
            log.debug("%s", error)  # the reader of the stream meets the same, and acts


async def _let_them_go_first() -> None:
    """Give turns to what a few events set off: bare ones, as no work is half done, and :func:`_a_turn` is slow."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def _a_turn() -> None:
    """Let the event loop have a turn between two slices of work.

    Nothing cancels the work half-way: the state machine counts on its effects, and what is left is soon done.
    """
    with anyio.CancelScope(shield=True):
        await anyio.lowlevel.checkpoint()
