"""Both ends of a stream: what a client writes to and reads from, and what the server answers with."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from typing import TYPE_CHECKING, Any

from ha_monitor.testing.refusals import CANCELED_HERE, ENDED_THERE, FINE, STREAM_TOO_LATE, Refusal
from ha_monitor.wire.calls import END_OF_STREAM
from ha_monitor.wire.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.testing.server import Server


class Stream:
    """A call that is written to and read from; ``reply`` and ``end`` are the server's.

    What was answered before the end can still be read after it, as over a real wire.
    """

    def __init__(self, server: Server, metadata: dict[str, str], timeout: float | None, by: object) -> None:
        self.metadata = metadata
        self.by = by
        """The connection that it is a stream of."""
        self.take: Callable[[Any], None] = _ignore
        """The server's end: takes a request."""
        self._server = server
        self._replies: deque[Any] = deque()
        self._ended: Refusal | None = None
        self._news = asyncio.Event()
        self._deadline: Deadline | None = None
        if timeout is not None:
            late, clock = functools.partial(self.end, STREAM_TOO_LATE), server.clock
            self._deadline = Deadline(timeout, late, clock.monotonic, clock.call_later)
        server.opened(self)

    # -- the client's end

    async def write(self, request: Any) -> None:
        """Send a request; raises :class:`grpc.aio.AioRpcError` where the call is over."""
        self._raise_where_ended()
        await self._server.travel()
        self._raise_where_ended()  # while this was on its way
        self._server.received(self, request)

    def _raise_where_ended(self) -> None:
        if self._ended is not None:
            raise (ENDED_THERE if self._ended is FINE else self._ended).error()

    async def read(self) -> Any:
        """Give the next reply, ``END_OF_STREAM`` after a good end; raises what :meth:`write` does."""
        while not self._replies and self._ended is None:
            self._news.clear()
            await self._news.wait()
        if self._replies:
            return self._replies.popleft()
        if self._ended is not FINE:
            self._raise_where_ended()
        return END_OF_STREAM

    def read_ready(self) -> Any:
        """Give the next reply where one has come already; ``None`` where none has."""
        return self._replies.popleft() if self._replies else None

    def cancel(self) -> bool:
        """End the call from here; tells whether it was not over yet."""
        if self._ended is not None:
            return False
        self.end(CANCELED_HERE)
        return True

    def done(self) -> bool:
        """Tell whether it is over."""
        return self._ended is not None

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
            self._server.closed(self)


def _ignore(_: object) -> None:
    """Take a request of no service."""
