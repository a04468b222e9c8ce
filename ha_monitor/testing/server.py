"""One etcd: takes requests and answers them, unless it is down, frozen, or without a quorum.

Nothing is done in the caller's task: a request that has arrived is done whether its caller still waits or not, so that
what was written by a call that failed can stand there all the same, as it can in any etcd.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.node import Node
from ha_monitor.testing.refusals import (
    CONNECTION_LOST,
    CONNECTION_REFUSED,
    NO_LEADER,
    TIMED_OUT,
    TOO_LATE,
    Refusal,
    Refused,
)
from ha_monitor.testing.watching import SYNC_INTERVAL, WatchSession
from ha_monitor.wire.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ha_monitor.clock import Clock
    from ha_monitor.testing.access import TokenKind
    from ha_monitor.testing.streams import Stream

LATENCY = 0.0005
"""Seconds from a call to its answer. Chosen: what a call takes over loopback; without it, code that tries again
without a pause would stop a clock that goes by what is waited for."""

REQUEST_TIMEOUT = 7.0
"""Seconds after which etcd gives up on a request that needs the quorum: 5 and two election timeouts."""

NOTICES_NO_LEADER = 3.0
"""Seconds after which it ends the streams that ask for a leader: three election timeouts."""


class Server:
    """Answers; what the faults of :class:`~ha_monitor.testing.MemoryEtcd` change is here."""

    def __init__(
        self, clock: Clock, version: str, cluster_id: int, token: TokenKind, *, answers_progress: bool
    ) -> None:
        self.clock = clock
        self.node = Node(clock, version, cluster_id, token, self._look_at_leases_in)
        self.down = False
        self.frozen = False
        self._answers_progress = answers_progress
        self._holds_events = False
        self.on_write: Callable[[], None] = _nothing
        """Called when the store is another one."""
        self._held: list[Callable[[], None]] = []
        """What is done once it is thawed."""
        self._led: list[Callable[[], None]] = []
        """What is done once there is a leader."""
        self._waiting: dict[asyncio.Future[Any], Callable[[], None]] = {}
        """Calls that wait for the quorum."""
        self._calls: dict[asyncio.Future[Any], object] = {}
        """Calls under way, and the connections they are made on."""
        self._streams: dict[Stream, WatchSession | None] = {}

    async def travel(self) -> None:
        """Take the time that a message takes, one way."""
        travelled = asyncio.Event()
        self.clock.call_later(LATENCY / 2, travelled.set)
        await travelled.wait()

    # -- calls

    async def call(self, request: Any, timeout: float | None, metadata: Mapping[str, str], by: object) -> Any:
        """Answer a call, made by a connection, or raise :class:`grpc.aio.AioRpcError`."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[answer] = by
        timers = [self.clock.call_later(LATENCY / 2, lambda: self._arrived(request, metadata, answer))]
        if timeout is not None:
            late = functools.partial(_fail, answer, TOO_LATE)
            timers.append(Deadline(timeout, late, self.clock.monotonic, self.clock.call_later))
        try:
            return await answer
        finally:
            self._calls.pop(answer, None)
            self._waiting.pop(answer, None)
            for timer in timers:
                timer.cancel()
            if answer.done() and not answer.cancelled():
                answer.exception()  # it is known, even where the caller was cancelled at that very moment

    def _arrived(self, request: Any, metadata: Mapping[str, str], answer: asyncio.Future[Any]) -> None:
        if answer.done():
            return
        if self.down:
            _fail(answer, CONNECTION_REFUSED)
        elif self.frozen:
            self._held.append(lambda: self._arrived(request, metadata, answer))
        elif self.node.cut_at is not None and "hasleader" in metadata:
            self._send(answer, NO_LEADER)
        elif self.node.cut_at is not None and _wants_quorum(request):
            self._waiting[answer] = lambda: self._arrived(request, metadata, answer)
            self.clock.call_later(REQUEST_TIMEOUT, lambda: self._give_up(answer))
        else:
            try:
                self._send(answer, self.do(request, metadata))
            except Refused as error:
                self._send(answer, error.refusal)

    def _give_up(self, answer: asyncio.Future[Any]) -> None:
        if self._waiting.pop(answer, None) is not None:
            self._send(answer, TIMED_OUT)

    def _send(self, answer: asyncio.Future[Any], reply: Any) -> None:
        """Have the answer travel; the connection may be lost on the way."""

        def arrive() -> None:
            if isinstance(reply, Refusal):
                _fail(answer, reply)
            elif not answer.done():
                answer.set_result(reply)

        self.clock.call_later(LATENCY / 2, arrive)

    def do(self, request: Any, metadata: Mapping[str, str] | None = None) -> Any:
        """Do a request at once and give its reply; without ``metadata``, in the name of the one who runs etcd."""
        reply = self.node.do(request, metadata)
        if not isinstance(request, rpc.RangeRequest):
            self.written()
        return reply

    def written(self) -> None:
        """Send every watch what was written, if anything was."""
        if not self.frozen and not self.down:
            for session in self._sessions():
                if self._holds_events:
                    session.fall_behind()
                else:
                    session.notify()
        self.on_write()

    def _look_at_leases_in(self, seconds: float) -> None:
        self.clock.call_later(seconds, self.expire)

    def expire(self) -> None:
        """End the leases whose time is over, each in a revision of its own; who can't tell the time does so later."""
        if self.down or self.frozen or self.node.cut_at is not None:
            return
        over = self.node.leases.over(self.clock.monotonic())
        for id_ in over:
            self.node.end_lease(id_)
        if over:
            self.written()

    # -- streams

    def opened(self, stream: Stream) -> None:
        """Take a stream whose client has begun it."""
        self._streams[stream] = None
        if self.down:
            self.clock.call_later(LATENCY / 2, lambda: stream.end(CONNECTION_REFUSED))
        elif self.node.cut_at is not None and "hasleader" in stream.metadata:
            self.clock.call_later(LATENCY / 2, lambda: stream.end(NO_LEADER))

    def watches(self, stream: Stream) -> WatchSession:
        """Begin to serve watches on a stream."""
        session = self._streams[stream] = WatchSession(
            self.node, stream, lambda: self._sync_later(stream), answers_progress=self._answers_progress
        )  # fmt: skip
        return session

    def _sessions(self) -> list[WatchSession]:
        return [session for session in self._streams.values() if session is not None]

    def _sync_later(self, stream: Stream) -> None:
        self.clock.call_later(SYNC_INTERVAL, lambda: self._sync(stream))

    def _sync(self, stream: Stream) -> None:
        session = self._streams.get(stream)
        if self.frozen:
            self._held.append(lambda: self._sync(stream))
        elif session is not None and not self._holds_events:
            session.sync()

    def keep_alive(self, stream: Stream, request: rpc.LeaseKeepAliveRequest) -> None:
        """Have a lease live on; a refusal ends the stream."""
        try:
            stream.reply(self.node.keep_alive(request, stream.metadata))
        except Refused as error:
            stream.end(error.refusal)

    def received(self, stream: Stream, request: Any) -> None:
        """Do what has come on a stream."""
        if self.frozen:
            self._held.append(lambda: self.received(stream, request))
        elif self.node.cut_at is not None and self._streams.get(stream) is None:  # what is no watch asks the leader
            self._led.append(lambda: self.received(stream, request))
        elif not stream.done():
            stream.take(request)

    def closed(self, stream: Stream) -> None:
        """Forget a stream that is over."""
        self._streams.pop(stream, None)

    # -- faults

    def drop(self, how: Refusal = CONNECTION_LOST, of: object = None) -> None:
        """End every call and every stream: those of one connection, or all."""
        for stream in tuple(self._streams):
            if of in (None, stream.by):
                stream.end(how)
        for answer, by in tuple(self._calls.items()):
            if of in (None, by):
                _fail(answer, how)

    def cancel_watches(self, reason: str) -> None:
        """End every watch, not the streams."""
        for session in self._sessions():
            session.cancel_all(reason)

    def hold_events(self) -> None:
        """Send no events to any watch."""
        self._holds_events = True

    def release_events(self) -> None:
        """Send every watch what it has not got."""
        self._holds_events = False
        if not self.frozen and not self.down:
            for session in self._sessions():
                session.sync()

    def thaw(self) -> None:
        """Do all that came meanwhile and whose sender still waits."""
        self.frozen = False
        held, self._held = self._held, []
        for work in held:
            work()
        self.expire()
        self.written()

    def cut(self) -> None:
        """Lose the quorum."""
        self.node.cut_at = self.node.store.revision
        self.clock.call_later(NOTICES_NO_LEADER, lambda term=self.node.raft_term: self._notice_no_leader(term))  # type: ignore[misc]

    def _notice_no_leader(self, term: int) -> None:
        if self.node.cut_at is not None and term == self.node.raft_term:
            for stream in tuple(self._streams):
                if "hasleader" in stream.metadata:
                    stream.end(NO_LEADER)

    def join(self) -> None:
        """Have the quorum again, under a new leader."""
        self.node.cut_at = None
        self.node.raft_term += 1
        self.node.count_anew()
        waiting, self._waiting = [*self._led, *self._waiting.values()], {}
        self._led = []
        for work in waiting:
            work()
        self.written()

    def restart(self) -> None:
        """Be another process on the same data: no connection and no token outlives that."""
        self.drop()
        self._held.clear()
        self._led.clear()
        self.frozen = self._holds_events = False
        self.node.cut_at = None
        self.node.raft_term += 1
        self.node.access.end_simple_tokens()
        self.node.count_anew()
        self.on_write()


def _fail(answer: asyncio.Future[Any], why: Refusal) -> None:
    if not answer.done():
        answer.set_exception(why.error())


def _nothing() -> None:
    """Do nothing."""


def _wants_quorum(request: Any) -> bool:
    """Tell whether a request is answered by the quorum only, and not by any member as it knows it."""
    if isinstance(request, rpc.RangeRequest):
        return not request.serializable
    return not isinstance(request, rpc.StatusRequest)
