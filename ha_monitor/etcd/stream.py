"""Watch streams: several watches in one gRPC call, read reply by reply, each cancelled at its end.

A server, or a proxy before it, limits the streams of a connection, so that one stream has to carry many watches where
there are many prefixes (:mod:`ha_monitor.etcd.stream_pool` deals them out). Whichever watch waits for its next reply
reads the call, and hands the replies of other watches to them: a watch that is alone on its stream costs no detour
through another task. A watch that does not take its replies holds up the others of its stream, never its memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import anyio
from aetcd import rpc

from ha_monitor.errors import EtcdError, EtcdUnavailable
from ha_monitor.etcd.connection import CALL_TIMEOUT
from ha_monitor.etcd.faults import classify_cancellation, translate
from ha_monitor.etcd.ranges import range_end
from ha_monitor.wire.calls import END_OF_STREAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor.etcd.connection import Connection

QUEUED_REPLIES = 4
"""Replies that wait for a watch before the stream is read no further. Chosen: a reply may hold 1,000 revisions."""

STORM = 16
"""Replies that have to wait for a watch until they are taken as one. Chosen: a busy moment of the loop leaves a few
behind, a key that flips faster than its readers are evaluated leaves more and more."""

MERGED_REPLIES = 1_000
"""Replies that a watch takes at once where they have come already. Chosen: as many as the revisions of a batch."""

_OF_ALL_WATCHES = -1  # the watch id of an answer to a progress request, which counts for every watch of the stream


class WatchStream:
    """One gRPC call with its watches."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.metadata = connection.metadata
        """Who opened it: etcd checks each watch on it against this token, whatever token the connection has later."""
        self.watches: set[Watch] = set()
        """Those that are open or about to be."""
        self.error: EtcdError | None = None
        """Why it has ended."""
        self.is_silent_on_progress = False
        """Whether the server was found to leave progress requests unanswered while nothing is wrong."""
        self._asked = float("-inf")
        self._call: Any = connection.watch.Watch(metadata=connection.metadata)
        self._by_id: dict[int, Watch] = {}
        self._creating: Watch | None = None
        self._turn_to_create = anyio.Lock()
        self._next_id = 1  # never 0: a refusal of 3.5.1 carries the requested id, and ends what is told to that one
        self._reader: Watch | None = None
        self._held_up = False
        self._unwanted: list[int] = []
        """Watches that were granted once they had been given up."""

    @property
    def takes_more(self) -> bool:
        """Whether another watch can be opened on it."""
        overdue = self._creating is not None and self._creating not in self.watches
        return self.error is None and not overdue and self.metadata == self.connection.metadata

    @property
    def is_read(self) -> bool:
        """Whether replies are waited for: as long as its watches are busy, silence is ours and not the server's."""
        return self._reader is not None and not self._held_up

    async def create(self, watch: Watch, prefix: bytes, start_revision: int) -> None:
        """Ask for a watch and wait until it is granted. Raises the classes of :mod:`ha_monitor.errors`."""
        async with self._turn_to_create:
            if not self.takes_more:
                raise EtcdUnavailable(f"{watch.doing}: the stream ended")
            self._creating = watch
            request = rpc.WatchCreateRequest(
                key=prefix, range_end=range_end(prefix), start_revision=start_revision, progress_notify=True,
                watch_id=self._next_id,
            )  # fmt: skip
            self._next_id += 1
            with anyio.move_on_after(CALL_TIMEOUT):
                await self.write(rpc.WatchRequest(create_request=request), watch.doing)
                if not (await self.next(watch)).created:
                    raise EtcdError(f"{watch.doing}: the first reply grants no watch")
                return
        raise EtcdUnavailable(f"{watch.doing}: no answer in {CALL_TIMEOUT:g} s")

    async def ask_progress(self, now: float, pause: float) -> None:
        """Ask for a reply with the store's revision, for all watches of the stream.

        :param now: monotonic seconds.
        :param pause: seconds since the last request within which it is not sent again.
        """
        if now - self._asked < pause:
            return
        self._asked = now
        await self.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()), "ask a watch for progress")

    async def write(self, request: rpc.WatchRequest, doing: str) -> None:
        """Send a request."""
        try:
            await self._call.write(request)
        except rpc.AioRpcError as error:
            raise translate(error, doing) from error

    async def next(self, watch: Watch) -> rpc.WatchResponse:
        """Give the next reply for a watch. Raises the classes of :mod:`ha_monitor.errors` when it has ended."""
        while not watch.replies:
            if self.error is not None:
                raise type(self.error)(f"{watch.doing}: {self.error}")
            if self._reader is None:
                self._reader = watch
                try:
                    await self._read_for(watch)
                finally:
                    self._reader, self._held_up = None, False
                    self._appoint_reader(watch)
            else:
                await watch.sleep()
        reply = watch.replies.popleft()
        if len(watch.replies) < QUEUED_REPLIES and self._reader is not None and self._reader is not watch:
            self._reader.wake()  # it may wait for this room
        if self.connection.lost is not None:  # what came before that is not to be believed any more
            raise EtcdUnavailable(self.connection.lost)
        if reply.canceled:
            raise classify_cancellation(reply, watch.doing)
        return reply

    async def _read_for(self, watch: Watch) -> None:
        while not watch.replies and self.error is None:
            try:
                reply = await self._call.read()
            except rpc.AioRpcError as error:
                self.fail(translate(error, "read the watch stream"))
                return
            if reply is END_OF_STREAM:
                self.fail(EtcdUnavailable("the server ended the stream"))
                return
            full = self._dispatch(reply, watch)
            while full is not None and full in self.watches and self.error is None:
                self._held_up = True
                await watch.sleep()
                full = full if len(full.replies) >= QUEUED_REPLIES else None
            self._held_up = False
            while self._unwanted:
                await self._cancel(self._unwanted.pop())

    def read_ready(self, watch: Watch) -> None:
        """Queue the replies that have come already, as far as watches have room for them, without waiting for any."""
        read = getattr(self._call, "read_ready", None)  # calls of other libraries may not tell
        if read is None or self._reader is not None:
            return
        while self.error is None and len(watch.replies) < MERGED_REPLIES:
            try:
                reply = read()
            except rpc.AioRpcError as error:
                self.fail(translate(error, "read the watch stream"))
                return
            if reply is None or self._dispatch(reply, watch) is not None:
                return

    def _dispatch(self, reply: rpc.WatchResponse, reader: Watch) -> Watch | None:
        """Hand a reply to the watch that it is for; give one, other than the reader's, that has no more room."""
        to: tuple[Watch, ...]
        if reply.created:
            created = self._created(reply)
            to = () if created is None else (created,)
        elif reply.watch_id == _OF_ALL_WATCHES:
            self.is_silent_on_progress = False
            to = tuple(self._by_id.values())
        else:
            known = self._by_id.get(reply.watch_id)  # none: of a watch that was cancelled meanwhile
            to = () if known is None else (known,)
        if reply.canceled:
            self._by_id.pop(reply.watch_id, None)
        full = None
        for watch in to:
            watch.put(reply)
            if watch is not reader:
                watch.wake()
                full = watch if len(watch.replies) >= QUEUED_REPLIES else full
        return full

    def _created(self, reply: rpc.WatchResponse) -> Watch | None:
        watch, self._creating = self._creating, None
        if watch is None or reply.canceled:  # a refusal carries any id, or none: it answers the request all the same
            return watch
        if watch not in self.watches:  # it was given up meanwhile
            self._unwanted.append(reply.watch_id)
            return None
        watch.id = reply.watch_id  # a grpc-proxy counts watches by itself, whatever was asked for
        self._by_id[watch.id] = watch
        return watch

    def fail(self, error: EtcdError) -> None:
        """End all its watches."""
        if self.error is None:
            self.error = error
            self._call.cancel()
        for watch in self.watches:
            watch.wake()

    async def close(self, watch: Watch) -> None:
        """End one watch, and the call with the last one."""
        self.watches.discard(watch)
        if watch.id is not None:
            self._by_id.pop(watch.id, None)
        if self._reader is not None:
            self._reader.wake()  # it may wait for room in this one
        if not self.watches:
            self.fail(EtcdUnavailable("the stream was closed"))
        elif watch.id is not None and self.error is None:
            await self._cancel(watch.id)

    async def _cancel(self, id_: int) -> None:
        request = rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=id_))
        try:
            await self.write(request, "cancel a watch")
        except EtcdError as error:
            self.fail(error)

    def _appoint_reader(self, before: Watch) -> None:
        """Have another watch that waits read on."""
        for watch in self.watches:
            if watch is not before and watch.wake():
                return


class Watch:
    """One watch; opened by :meth:`ha_monitor.etcd.stream_pool.StreamPool.watch`."""

    def __init__(self, stream: WatchStream, prefix: bytes) -> None:
        self.stream = stream
        self.doing = f"watch {prefix.decode(errors='replace')}"
        self.id: int | None = None
        self.replies: deque[rpc.WatchResponse] = deque()
        self._prefix = prefix
        self._news: asyncio.Future[None] | None = None

    async def create(self, start_revision: int) -> None:
        """Ask for the watch and wait until it is granted.

        Raises :class:`EtcdCompacted`, or :class:`EtcdRefused` where we may not watch there: etcd tells that in a
        reply with both ``created`` and ``canceled`` set, so the latter is looked at first.
        """
        await self.stream.create(self, self._prefix, start_revision)

    async def read(self) -> rpc.WatchResponse:
        """Give the next reply. Raises the classes of :mod:`ha_monitor.errors` when stream or watch has ended."""
        return await self.stream.next(self)

    def read_ready(self) -> Sequence[rpc.WatchResponse]:
        """Give the replies with events that have come already, in their order, without waiting for any.

        None while they are few: each of those may be a change of its own that a client is to be told of.
        """
        replies = self.replies
        self.stream.read_ready(self)
        if len(replies) < STORM:
            return ()
        ready: list[rpc.WatchResponse] = []
        while replies and replies[0].events and len(ready) < MERGED_REPLIES:
            ready.append(replies.popleft())
        return ready

    def put(self, reply: rpc.WatchResponse) -> None:
        """Queue a reply; one without events takes the place of one before it that was not read yet."""
        replies = self.replies
        if replies and not (reply.events or reply.created or reply.canceled):
            last = replies[-1]
            if not (last.events or last.created or last.canceled) and last.watch_id == reply.watch_id:
                replies[-1] = reply
                return
        replies.append(reply)

    async def sleep(self) -> None:
        """Wait until woken."""
        self._news = asyncio.get_running_loop().create_future()
        try:
            await self._news
        finally:
            self._news = None

    def wake(self) -> bool:
        """End its wait; tells whether it waited."""
        news = self._news
        if news is None or news.done():
            return False
        news.set_result(None)
        return True
