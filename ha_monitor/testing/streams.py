"""Both ends of a stream: what a client writes to and reads from, as gRPC has it, and what the server answers with."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from ha_monitor.etcd.stream import END_OF_STREAM
from ha_monitor.testing.refusals import CANCELED_HERE, FINE, STREAM_TOO_LATE, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from aetcd import rpc
    from typing_extensions import Self

    from ha_monitor.clock import Timer
    from ha_monitor.testing.server import Server


class Stream:
    """A call that is written to and read from, with the faces of gRPC's; ``reply`` and ``end`` are the server's.

    What was answered before the end can still be read after it, as over a real wire.
    """

    def __init__(self, server: Server, metadata: dict[str, str], timeout: float | None) -> None:
        self.metadata = metadata
        self.take: Callable[[Any], None] = _ignore
        """The server's end: takes a request, ``None`` for the end of them."""
        self._server = server
        self._replies: deque[Any] = deque()
        self._ended: Refusal | None = None
        self._half_closed = False
        self._news = asyncio.Event()
        self._over = asyncio.Event()
        self._deadline: Timer | None = None
        if timeout is not None:
            self._deadline = server.clock.call_later(timeout, lambda: self.end(STREAM_TOO_LATE))
        server.opened(self)

    # -- the client's end

    async def write(self, request: Any) -> None:
        """Send a request; raises what gRPC does where the call is over."""
        if self._ended is not None:
            raise asyncio.InvalidStateError("RPC already finished.")
        if self._half_closed:
            raise asyncio.InvalidStateError('RPC is half closed after calling "done_writing".')
        await self._travel()
        self._raise_for_status()  # it has ended while this was on its way
        self._server.received(self, request)

    async def done_writing(self) -> None:
        """Say that no more requests come."""
        if self._ended is None and not self._half_closed:
            self._half_closed = True
            await self._travel()
            self._server.received(self, None)

    async def _travel(self) -> None:
        """Take the time of a message. Who is cancelled in a call has cancelled that, as with gRPC."""
        try:
            await self._server.travel()
        except asyncio.CancelledError:
            self.cancel()
            raise

    def _raise_for_status(self) -> None:
        if self._ended is CANCELED_HERE:
            raise asyncio.CancelledError
        if self._ended is not None and self._ended is not FINE:
            raise self._ended.error()

    async def read(self) -> Any:
        """Give the next reply, gRPC's ``EOF`` after a good end; raises what gRPC does after another one."""
        try:
            while not self._replies and self._ended is None:
                self._news.clear()
                await self._news.wait()
        except asyncio.CancelledError:
            self.cancel()  # so does gRPC: who is cancelled in a read has cancelled the call
            raise
        if self._replies and self._ended is not CANCELED_HERE:
            return self._replies.popleft()
        self._raise_for_status()
        return END_OF_STREAM

    def __aiter__(self) -> Self:
        """Give the replies up to a good end."""
        return self

    async def __anext__(self) -> Any:
        """Give the next one."""
        reply = await self.read()
        if reply is END_OF_STREAM:
            raise StopAsyncIteration
        return reply

    def cancel(self) -> bool:
        """End the call from here; tells whether it was not over yet."""
        if self._ended is not None:
            return False
        self.end(CANCELED_HERE)
        return True

    def done(self) -> bool:
        """Tell whether it is over."""
        return self._ended is not None

    async def code(self) -> rpc.StatusCode:
        """Wait for the end; give its code."""
        return (await self._status()).code

    async def details(self) -> str:
        """Wait for the end; give its words."""
        return (await self._status()).words

    async def _status(self) -> Refusal:
        await self._over.wait()
        assert self._ended is not None  # noqa: S101 - it is what _over tells
        return self._ended

    # -- the server's end

    def reply(self, message: Any) -> None:
        """Answer."""
        if self._ended is None:
            self._replies.append(message)
            self._news.set()

    def end(self, how: Refusal = FINE) -> None:
        """End the call."""
        if self._ended is None:
            self._ended = how
            if self._deadline is not None:
                self._deadline.cancel()
            self._news.set()
            self._over.set()
            self._server.closed(self)


def _ignore(_: object) -> None:
    """Take a request of no service."""
