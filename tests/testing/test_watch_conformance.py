"""Several watches on one stream, and progress requests: a real etcd and the one in memory, of the same version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aetcd import rpc

from ha_monitor.testing.versions import behaviour
from tests.testing.sides import create, request_progress, watching

if TYPE_CHECKING:
    from ha_monitor.testing.versions import Behaviour
    from tests.testing.conftest import Side

pytestmark = pytest.mark.anyio
NONE = -1  # the id of no watch
TRIES = 20  # streams until an answer has overtaken events, of a server whose answers may


@pytest.fixture
def does(etcd_version: str) -> Behaviour:
    return behaviour(etcd_version)


async def cancel(stream: Any, id_: int) -> None:
    await stream.write(rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=id_)))


async def replies(side: Side, stream: Any) -> list[Any]:
    """Give all that the stream sends for what was requested so far.

    The server takes one request after the other, so it has taken the last one when it answers the next. An answer that
    is queued behind events is before the event of a later watch.
    """
    reply = await create(stream, key=b"/fence")
    found = []
    while not reply.created:
        found.append(reply)
        reply = await stream.read()
    fence, revision = reply.watch_id, side.etcd.put("/fence", "x")
    while True:
        reply = await stream.read()
        if reply.watch_id == fence and reply.events and reply.events[-1].kv.mod_revision == revision:
            break
        found.append(reply)
    await cancel(stream, fence)
    while not (reply := await stream.read()).canceled:
        found.append(reply)
    return found


async def progress(side: Side, stream: Any) -> list[tuple[int, int]]:
    """Request progress; give the answers: their ids, and by how much their revision is ahead of the store's."""
    before = side.etcd.put("/before", "x")
    await request_progress(stream)
    found = await replies(side, stream)
    assert not any(reply.created or reply.canceled or reply.events for reply in found)
    return [(reply.watch_id, reply.header.revision - before) for reply in found]


class TestProgress:
    async def test_a_stream_without_a_watch(self, side: Side, does: Behaviour) -> None:
        async with watching(side) as stream:
            expected = [] if does.progress_is_ordered else [(NONE, 0)]
            assert await progress(side, stream) == expected
            watch = (await create(stream, key=b"/a")).watch_id
            assert await progress(side, stream) == [(NONE, 0)]
            await cancel(stream, watch)
            assert (await stream.read()).canceled
            assert await progress(side, stream) == expected

    async def test_one_answer_for_all_watches_of_a_stream(self, side: Side) -> None:
        async with watching(side) as stream:
            for key in (b"/a", b"/b", b"/c"):
                await create(stream, key=key)
            assert await progress(side, stream) == [(NONE, 0)]

    async def test_a_watch_from_the_newest_revision_on(self, side: Side) -> None:
        revision = side.etcd.put("/a", "x")
        async with watching(side) as stream:
            await create(stream, key=b"/a", start_revision=revision)
            assert (await stream.read()).events[0].kv.mod_revision == revision
            assert await progress(side, stream) == [(NONE, 0)]

    async def test_a_watch_that_starts_above_the_store(self, side: Side, does: Behaviour) -> None:
        async with watching(side) as stream:
            await create(stream, key=b"/z")
            revision = side.etcd.put("/other", "x")
            await create(stream, key=b"/a", start_revision=revision + 10)
            expected = [] if does.progress_needs_start else [(NONE, 0)]
            assert await progress(side, stream) == expected
            for value in range(10):
                side.etcd.put("/other", f"{value}")
            assert await progress(side, stream) == [(NONE, 0)]

    async def test_a_watch_that_was_compacted_stays_on_the_stream_until_it_is_canceled(
        self, side: Side, does: Behaviour
    ) -> None:
        revision = side.etcd.put("/a", "1")
        side.etcd.put("/a", "2")
        await side.stubs.kv.Compact(rpc.CompactionRequest(revision=side.etcd.put("/a", "3")))
        async with watching(side) as stream:
            await create(stream, key=b"/z")
            await create(stream, key=b"/a", start_revision=revision, watch_id=7)
            assert (await stream.read()).compact_revision == revision + 2
            assert await progress(side, stream) == ([] if does.progress_is_ordered else [(NONE, 0)])
            again = await create(stream, key=b"/a", watch_id=7)
            assert (again.watch_id, again.cancel_reason) == (
                NONE,
                "mvcc: duplicate watch ID provided on the WatchStream",
            )
            await cancel(stream, 7)
            reply = await stream.read()
            assert (reply.watch_id, reply.canceled) == (7, True)
            assert (await create(stream, key=b"/a", watch_id=7)).watch_id == 7
            assert await progress(side, stream) == [(NONE, 0)]

    async def test_an_answer_overtakes_events_on_old_versions_alone(self, side: Side, does: Behaviour) -> None:
        first = side.etcd.put("/a", "0")
        last = first
        for number in range(20):
            last = side.etcd.put("/a", f"{number}")
        overtaken = 0
        for _ in range(TRIES if not does.progress_is_ordered else 3):
            async with watching(side) as stream:
                await stream.write(
                    rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"/a", start_revision=first))
                )
                await request_progress(stream)
                assert (await stream.read()).created
                seen = promised = 0
                while seen < last:
                    reply = await stream.read()
                    if reply.events:
                        seen = reply.events[-1].kv.mod_revision
                    else:
                        promised = reply.header.revision
                        overtaken += promised > seen
            if overtaken:
                break
        assert bool(overtaken) is not does.progress_is_ordered


class TestSharedStream:
    async def test_history_and_news_come_to_each_watch_under_its_id(self, side: Side) -> None:
        first = side.etcd.put("/a/1", "1")
        async with watching(side) as stream:
            assert (await create(stream, key=b"/a/", range_end=b"/a0", watch_id=5)).watch_id == 5
            assert (await create(stream, key=b"/a/1", start_revision=first)).watch_id == 0
            reply = await stream.read()
            assert (reply.watch_id, [event.kv.value for event in reply.events]) == (0, [b"1"])
            side.etcd.put("/a/1", "2")
            got = sorted([((await stream.read()).watch_id) for _ in range(2)])
            assert got == [0, 5]

    async def test_ids_are_chosen_by_the_client_or_by_the_server(self, side: Side) -> None:
        async with watching(side) as stream:
            assert (await create(stream, key=b"/a", watch_id=1)).watch_id == 1
            assert [(await create(stream, key=b"/a")).watch_id for _ in range(3)] == [0, 2, 3]
            await cancel(stream, 2)
            assert (await stream.read()).watch_id == 2
            assert (await create(stream, key=b"/a")).watch_id == 4
            assert (await create(stream, key=b"/a", watch_id=2)).watch_id == 2

    async def test_a_cancel_of_no_watch_is_not_answered(self, side: Side) -> None:
        async with watching(side) as stream:
            await create(stream, key=b"/a")
            await cancel(stream, 99)
            await cancel(stream, 0)
            assert (await stream.read()).watch_id == 0
            assert await replies(side, stream) == []
