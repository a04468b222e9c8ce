"""One etcd: takes requests and answers them, unless it is down, frozen, or without a quorum.

Nothing is done in the caller's task: a request that has arrived is done whether its caller still waits or not, so that
what was written by a call that failed can stand there all the same, as it can in any etcd.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.access import Access, check
from ha_monitor.testing.leases import Leases
from ha_monitor.testing.refusals import (
    CONNECTION_LOST,
    CONNECTION_REFUSED,
    NO_LEADER,
    NO_SPACE,
    TIMED_OUT,
    TOO_LATE,
    Refusal,
    Refused,
)
from ha_monitor.testing.requests import OPERATIONS_IN_A_TRANSACTION, Requests, check_txn, operations
from ha_monitor.testing.store import Store
from ha_monitor.testing.watching import WatchSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ha_monitor.clock import Clock
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

    def __init__(self, clock: Clock, version: str) -> None:
        self.clock = clock
        self.version = version
        self.store = Store()
        self.leases = Leases()
        self.access = Access()
        self.raft_term = 2  # of a server that was started once
        self.down = False
        self.frozen = False
        self.no_space = False
        self.cut_at: int | None = None
        """The revision that it knows of since it has lost its quorum; ``None``: it has it."""
        self.on_write: Callable[[], None] = _nothing
        """Called when the store is another one."""
        self._held: list[Callable[[], None]] = []
        """What is done once it is thawed."""
        self._led: list[Callable[[], None]] = []
        """What is done once there is a leader."""
        self._waiting: dict[asyncio.Future[Any], Callable[[], None]] = {}
        """Calls that wait for the quorum."""
        self._calls: set[asyncio.Future[Any]] = set()
        self._streams: dict[Stream, WatchSession | None] = {}
        self._done: Mapping[type, Callable[[Any], Any]] = {
            rpc.RangeRequest: self._range,
            rpc.PutRequest: lambda request: self._requests.put(request),
            rpc.DeleteRangeRequest: lambda request: self._requests.delete_range(request),
            rpc.TxnRequest: lambda request: self._requests.txn(request),
            rpc.CompactionRequest: self._compact,
            rpc.LeaseGrantRequest: self._grant,
            rpc.LeaseRevokeRequest: self._revoke,
            rpc.LeaseTimeToLiveRequest: self._time_to_live,
            rpc.StatusRequest: self._status,
            rpc.AuthenticateRequest: self._authenticate,
        }

    @property
    def _requests(self) -> Requests:
        return Requests(self.store, self.leases)

    @property
    def visible(self) -> int:
        """The newest revision that it knows of."""
        return self.store.revision if self.cut_at is None else self.cut_at

    def header(self, revision: int) -> rpc.ResponseHeader:
        """Give what every answer begins with."""
        return rpc.ResponseHeader(cluster_id=0xE7CD, member_id=0x1, revision=revision, raft_term=self.raft_term)

    async def travel(self) -> None:
        """Take the time that a message takes, one way."""
        travelled = asyncio.Event()
        self.clock.call_later(LATENCY / 2, travelled.set)
        await travelled.wait()

    # -- calls

    async def call(self, request: Any, timeout: float | None, metadata: Mapping[str, str]) -> Any:
        """Answer a call, or raise what gRPC does."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls.add(answer)
        timers = [self.clock.call_later(LATENCY / 2, lambda: self._arrived(request, metadata, answer))]
        if timeout is not None:
            timers.append(self.clock.call_later(timeout, lambda: _fail(answer, TOO_LATE)))
        try:
            return await answer
        finally:
            self._calls.discard(answer)
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
        elif self.cut_at is not None and "hasleader" in metadata:
            self._send(answer, NO_LEADER)
        elif self.cut_at is not None and _wants_quorum(request):
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

    def may(self, metadata: Mapping[str, str], request: Any) -> None:
        """Raise what etcd says to a request that whoever sent it may not make."""
        check(self.access.who(metadata.get("token"), self.clock.monotonic()), request)

    def do(self, request: Any, metadata: Mapping[str, str] | None) -> Any:
        """Do a request at once and give its reply; without ``metadata``, in the name of the one who runs etcd."""
        if isinstance(request, rpc.TxnRequest):
            check_txn(request, OPERATIONS_IN_A_TRANSACTION)  # looked at before who asks
        if metadata is not None and not isinstance(request, (rpc.AuthenticateRequest, rpc.StatusRequest)):
            self.may(metadata, request)
        if metadata is not None and self.no_space and _takes_space(request):
            raise Refused(NO_SPACE)
        reply = self._done[type(request)](request)
        reply.header.MergeFrom(self.header(reply.header.revision or self.visible))
        if not isinstance(request, rpc.RangeRequest):
            self.written()
        return reply

    def written(self) -> None:
        """Tell all who watch of what was written, if anything was."""
        if not self.frozen and not self.down:
            for session in tuple(self._streams.values()):
                if session is not None:
                    session.tell()
        self.on_write()

    def _range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        return self._requests.range(request, self.cut_at or 0)

    def _compact(self, request: rpc.CompactionRequest) -> rpc.CompactionResponse:
        self.store.compact(request.revision)
        return rpc.CompactionResponse()

    def _status(self, _: rpc.StatusRequest) -> rpc.StatusResponse:
        return rpc.StatusResponse(version=self.version, leader=0x1, raftTerm=self.raft_term)

    def _authenticate(self, request: rpc.AuthenticateRequest) -> rpc.AuthenticateResponse:
        token = self.access.login(request.name, request.password, self.clock.monotonic())
        return rpc.AuthenticateResponse(token=token)

    # -- leases

    def _grant(self, request: rpc.LeaseGrantRequest) -> rpc.LeaseGrantResponse:
        lease = self.leases.grant(request.ID, request.TTL, self.clock.monotonic())
        self.clock.call_later(lease.ttl, self.expire)
        return rpc.LeaseGrantResponse(ID=lease.id, TTL=lease.ttl)

    def _revoke(self, request: rpc.LeaseRevokeRequest) -> rpc.LeaseRevokeResponse:
        self.end_lease(request.ID)
        return rpc.LeaseRevokeResponse()

    def _time_to_live(self, request: rpc.LeaseTimeToLiveRequest) -> rpc.LeaseTimeToLiveResponse:
        lease = self.leases.living.get(request.ID)
        if lease is None:
            return rpc.LeaseTimeToLiveResponse(ID=request.ID, TTL=-1)
        left = max(int(lease.due - self.clock.monotonic()), 0)
        keys = sorted(lease.keys) if request.keys else ()
        return rpc.LeaseTimeToLiveResponse(ID=lease.id, TTL=left, grantedTTL=lease.ttl, keys=keys)

    def keep_alive(self, request: rpc.LeaseKeepAliveRequest) -> rpc.LeaseKeepAliveResponse:
        """Have a lease live on; one that has ended is told by a TTL of 0."""
        ttl = self.leases.refresh(request.ID, self.clock.monotonic())
        if ttl:
            self.clock.call_later(ttl, self.expire)
        return rpc.LeaseKeepAliveResponse(header=self.header(self.visible), ID=request.ID, TTL=ttl)

    def end_lease(self, id_: int) -> None:
        """End a lease and delete its keys, in one revision."""
        keys = self.leases.end(id_)
        self.store.commit([self.store.delete(key) for key in keys])
        for key in keys:
            self.leases.attach(key, 0)

    def expire(self) -> None:
        """End the leases whose time is over, each in a revision of its own; who can't tell the time does so later."""
        if self.down or self.frozen or self.cut_at is not None:
            return
        over = self.leases.over(self.clock.monotonic())
        for id_ in over:
            self.end_lease(id_)
        if over:
            self.written()

    def count_anew(self) -> None:
        """Have all leases live for their whole time again, as under a new leader."""
        self.leases.refresh_all(self.clock.monotonic())
        for lease in self.leases.living.values():
            self.clock.call_later(lease.ttl, self.expire)

    # -- streams

    def opened(self, stream: Stream) -> None:
        """Take a stream whose client has begun it."""
        self._streams[stream] = None
        if self.down:
            self.clock.call_later(LATENCY / 2, lambda: stream.end(CONNECTION_REFUSED))
        elif self.cut_at is not None and "hasleader" in stream.metadata:
            self.clock.call_later(LATENCY / 2, lambda: stream.end(NO_LEADER))

    def watches(self, stream: Stream) -> WatchSession:
        """Begin to serve watches on a stream."""
        session = self._streams[stream] = WatchSession(self, stream)
        return session

    def received(self, stream: Stream, request: Any) -> None:
        """Do what has come on a stream."""
        if self.frozen:
            self._held.append(lambda: self.received(stream, request))
        elif self.cut_at is not None and self._streams.get(stream) is None:  # what is no watch asks the leader
            self._led.append(lambda: self.received(stream, request))
        elif not stream.done():
            stream.take(request)

    def closed(self, stream: Stream) -> None:
        """Forget a stream that is over."""
        self._streams.pop(stream, None)

    # -- faults

    def drop(self, how: Refusal = CONNECTION_LOST) -> None:
        """End every call and every stream."""
        for stream in tuple(self._streams):
            stream.end(how)
        for answer in tuple(self._calls):
            _fail(answer, how)

    def cancel_watches(self, reason: str) -> None:
        """End every watch, not the streams."""
        for session in tuple(self._streams.values()):
            if session is not None:
                session.cancel_all(reason)

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
        self.cut_at = self.store.revision
        self.clock.call_later(NOTICES_NO_LEADER, lambda term=self.raft_term: self._notice_no_leader(term))  # type: ignore[misc]

    def _notice_no_leader(self, term: int) -> None:
        if self.cut_at is not None and term == self.raft_term:
            for stream in tuple(self._streams):
                if "hasleader" in stream.metadata:
                    stream.end(NO_LEADER)

    def join(self) -> None:
        """Have the quorum again, under a new leader."""
        self.cut_at = None
        self.raft_term += 1
        self.count_anew()
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
        self.frozen = False
        self.cut_at = None
        self.raft_term += 1
        self.access.forget_tokens()
        self.count_anew()
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


def _takes_space(request: Any) -> bool:
    if isinstance(request, rpc.TxnRequest):
        return any(isinstance(operation, rpc.PutRequest) for operation in operations(request))
    return isinstance(request, (rpc.PutRequest, rpc.LeaseGrantRequest))
