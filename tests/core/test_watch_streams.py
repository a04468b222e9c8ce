"""Watch streams on their own, against a scripted server: several watches in one call, none in the way of another."""

from __future__ import annotations

import asyncio
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from aetcd import rpc

from ha_monitor.errors import EtcdDenied, EtcdRefused, EtcdTokenInvalid, EtcdUnavailable
from ha_monitor.etcd.stream import QUEUED_REPLIES, STORM
from ha_monitor.etcd.stream_pool import STREAMS, StreamPool, stream_limit

if TYPE_CHECKING:
    from ha_monitor.etcd.connection import Connection
    from ha_monitor.etcd.stream import Watch

pytestmark = pytest.mark.anyio

OLD_TOKEN, NEW_TOKEN = (("token", "old"),), (("token", "new"),)


class Call:
    """One call of the Watch method: what the product wrote, and what the server is made to say."""

    def __init__(self) -> None:
        self.requests: list[rpc.WatchRequest] = []
        self.replies: deque[Any] = deque()
        self.read_count = 0
        self.cancelled = False
        self._news = asyncio.Event()

    async def write(self, request: rpc.WatchRequest) -> None:
        self.requests.append(request)

    async def read(self) -> Any:
        while not self.replies:
            self._news.clear()
            await self._news.wait()
        self.read_count += 1
        return self.replies.popleft()

    def read_ready(self) -> Any:
        return self.replies.popleft() if self.replies else None

    def cancel(self) -> bool:
        self.cancelled = True
        return True

    def say(self, watch_id: int, *revisions: int, **fields: Any) -> None:
        events = [rpc.Event(kv=rpc.KeyValue(key=b"k", mod_revision=revision)) for revision in revisions]
        self.replies.append(rpc.WatchResponse(watch_id=watch_id, events=events, **fields))
        self._news.set()


class Server:
    """Grants every watch, by the id that was asked for or by ids of its own."""

    def __init__(self, allowed: int | None = 2) -> None:
        self.calls: list[Call] = []
        self.connection = SimpleNamespace(
            watch=SimpleNamespace(Watch=self._open), metadata=OLD_TOKEN, lost=None, allowed_streams=allowed
        )
        self.pool = StreamPool(cast("Connection", self.connection))

    def _open(self, metadata: Any) -> Call:
        self.calls.append(Call())
        return self.calls[-1]

    async def grant(self, watch: Watch, id_: int | None = None, **fields: Any) -> None:
        """Have a watch created, and the server answer that."""
        stream = watch.stream
        call = next(call for call in self.calls if call is stream._call)
        call.say(stream._next_id if id_ is None else id_, created=True, **fields)
        await watch.create(5)


def revisions(reply: rpc.WatchResponse) -> list[int]:
    return [event.kv.mod_revision for event in reply.events]


async def test_each_watch_of_a_stream_gets_its_own_replies_and_all_of_them_the_progress() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as one, server.pool.watch(b"/b/") as other:
        assert one.stream is other.stream
        await server.grant(one)
        await server.grant(other)
        (call,) = server.calls
        call.say(2, 7)
        call.say(1, 8)
        call.say(-1)
        assert revisions(await one.read()) == [8]
        assert revisions(await other.read()) == [7]
        assert (await one.read()).watch_id == (await other.read()).watch_id == -1


async def test_a_proxy_may_number_watches_by_itself() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as one, server.pool.watch(b"/b/") as other:
        await server.grant(one, id_=0)
        await server.grant(other, id_=1)
        server.calls[0].say(0, 9)
        assert revisions(await one.read()) == [9]


@pytest.mark.parametrize("id_", [-1, 0, 2])
@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("rpc error: code = PermissionDenied desc = etcdserver: permission denied", EtcdRefused),
        ("rpc error: code = InvalidArgument desc = etcdserver: user name is empty", EtcdTokenInvalid),
        ("etcdserver: revision of auth store is old", EtcdTokenInvalid),
    ],
)
async def test_a_watch_that_is_refused_disturbs_no_other(id_: int, reason: str, kind: type[Exception]) -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as one:
        await server.grant(one)
        with pytest.raises(kind, match="/b/"):
            async with server.pool.watch(b"/b/") as other:
                await server.grant(other, id_=id_, canceled=True, cancel_reason=reason)
        server.calls[0].say(1, 9)
        assert revisions(await one.read()) == [9]
    assert not issubclass(kind, EtcdDenied)


async def test_a_watch_that_is_slow_holds_up_the_stream_and_not_the_memory() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as slow, server.pool.watch(b"/b/") as other:
        await server.grant(slow)
        await server.grant(other)
        (call,) = server.calls
        for revision in range(100):
            call.say(1, revision)
        call.say(2, 1000)
        async with anyio.create_task_group() as tasks:
            got: list[rpc.WatchResponse] = []

            async def wait() -> None:
                got.append(await other.read())

            tasks.start_soon(wait)
            await anyio.wait_all_tasks_blocked()
            assert len(slow.replies) <= QUEUED_REPLIES
            assert not slow.stream.is_read, "what is not read is no silence of the server"
            assert [revisions(await slow.read()) for _ in range(100)] == [[revision] for revision in range(100)]
        assert revisions(got[0]) == [1000]


async def test_replies_that_wait_are_taken_one_by_one_until_they_are_many() -> None:
    """Taken as one, a change and its undoing would come to nothing, and no client be told of either."""
    server = Server()
    async with server.pool.watch(b"/a/") as watch:
        await server.grant(watch)
        for revision in range(STORM):
            server.calls[0].say(1, revision)
        assert revisions(await watch.read()) == [0]
        assert watch.read_ready() == ()
        server.calls[0].say(1, STORM)
        assert [revisions(reply) for reply in watch.read_ready()] == [[number] for number in range(1, STORM + 1)]


async def test_progress_that_nobody_took_is_kept_once() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as idle, server.pool.watch(b"/b/") as other:
        await server.grant(idle)
        await server.grant(other)
        for revision in range(50):
            server.calls[0].say(-1, header=rpc.ResponseHeader(revision=revision))
            assert (await other.read()).header.revision == revision
        assert [reply.header.revision for reply in idle.replies] == [49]


async def test_where_the_one_that_reads_is_cancelled_another_reads_on() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as one, server.pool.watch(b"/b/") as other:
        await server.grant(one)
        await server.grant(other)
        got: list[rpc.WatchResponse] = []

        async def wait() -> None:
            got.append(await other.read())

        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                tasks.start_soon(wait)
                async with anyio.create_task_group() as readers:
                    readers.start_soon(one.read)
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
            server.calls[0].say(2, 3)
        assert revisions(got[0]) == [3]


async def test_the_end_of_a_watch_is_told_to_the_server_and_the_last_one_ends_the_call() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as one:
        await server.grant(one)
        async with server.pool.watch(b"/b/") as other:
            await server.grant(other)
        (call,) = server.calls
        assert call.requests[-1].cancel_request.watch_id == 2
        assert not call.cancelled
    assert call.cancelled


async def test_a_watch_given_up_before_it_was_granted_is_cancelled_once_it_is() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as one:
        await server.grant(one)
        (call,) = server.calls
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                async with server.pool.watch(b"/b/") as other, anyio.create_task_group() as creating:
                    creating.start_soon(other.create, 5)
                    await anyio.wait_all_tasks_blocked()
                    scope.cancel()
            assert not one.stream.takes_more, "the next grant would be taken for another watch's"
            call.say(2, created=True)
            tasks.start_soon(one.read)
            await anyio.wait_all_tasks_blocked()
            assert call.requests[-1].cancel_request.watch_id == 2
            assert one.stream.takes_more
            call.say(1, 4)


async def test_the_end_of_the_stream_ends_all_its_watches() -> None:
    server = Server()
    async with server.pool.watch(b"/a/") as one, server.pool.watch(b"/b/") as other:
        await server.grant(one)
        await server.grant(other)
        one.stream.fail(EtcdUnavailable("connection lost"))
        for watch in (one, other):
            with pytest.raises(EtcdUnavailable, match="connection lost"):
                await watch.read()


async def test_watches_are_dealt_out_to_as_many_streams_as_the_server_allows() -> None:
    server = Server(allowed=6)
    async with (
        server.pool.watch(b"/1/") as a, server.pool.watch(b"/2/") as b, server.pool.watch(b"/3/") as c,
        server.pool.watch(b"/4/") as d,
    ):  # fmt: skip
        assert len({a.stream, b.stream, c.stream}) == len(server.calls) == 3
        assert d.stream in {a.stream, b.stream, c.stream}


async def test_with_a_new_token_a_watch_opens_on_a_new_stream() -> None:
    """etcd checks a watch against the token that its stream was opened with."""
    server = Server()
    async with server.pool.watch(b"/a/") as one:
        await server.grant(one)
        server.connection.metadata = NEW_TOKEN
        async with server.pool.watch(b"/b/") as other:
            assert other.stream is not one.stream


@pytest.mark.parametrize(("allowed", "streams"), [(None, STREAMS), (1, 1), (2, 1), (12, 6), (100, 50), (250, STREAMS)])
def test_half_of_the_streams_are_left_to_other_calls(allowed: int | None, streams: int) -> None:
    assert stream_limit(allowed) == streams
