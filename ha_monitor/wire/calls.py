"""The calls of a channel, with the faces that gRPC's have for generated stubs: awaited, or written to and read from."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf.message import DecodeError
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from ha_monitor.wire.deadline import Deadline
from ha_monitor.wire.headers import request_block

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.wire import headers
    from ha_monitor.wire.channel import Channel
    from ha_monitor.wire.connection import Http2Connection
    from ha_monitor.wire.streams import Stream

END_OF_STREAM = grpc.aio.EOF  # type: ignore[attr-defined]  # the stubs of grpc lack it
"""What the read of a stream gives once the server has ended it in good order."""

_LATE = StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"
_NOT_LET_IN = StatusCode.DEADLINE_EXCEEDED, "the server takes no more calls at a time than there are"
_NOTHING = Metadata()


class NothingDone(AioRpcError):
    """A call for which the server has done nothing: it may be made again, whatever it asks for."""


def failure(code: StatusCode, words: str, kind: type[AioRpcError] = AioRpcError) -> AioRpcError:
    """Give the error that a call ends with."""
    return kind(code, _NOTHING, _NOTHING, details=words)  # type: ignore[call-arg]  # the rest may be left out


class Method:
    """A method of a service: how its requests and answers are written, and the headers that its calls begin with."""

    def __init__(
        self, channel: Channel, path: str, write: Callable[[Any], bytes], read: Callable[[bytes | bytearray], Any]
    ) -> None:
        self.channel = channel
        self.write = write
        self._read = read
        self._path = path
        self._made_of: tuple[float | None, headers.Metadata] | None = None
        self._block = b""

    def block(self, timeout: float | None, metadata: headers.Metadata) -> bytes:
        """Give the headers of a call: made once, since one call of a method is like the one before."""
        made_of = timeout, metadata
        if made_of != self._made_of:
            channel = self.channel
            self._block = request_block(channel.scheme, channel.authority, self._path, timeout, metadata)
            self._made_of = made_of
        return self._block

    def read(self, content: bytes | bytearray) -> Any:
        """Give an answer. Raises :class:`grpc.aio.AioRpcError` for one that is none."""
        try:
            return self._read(content)
        except DecodeError as error:
            raise failure(StatusCode.INTERNAL, f"an answer that can't be read: {error}") from error


class Unary(Method):
    """One request, one answer."""

    async def __call__(self, request: Any, *, timeout: float | None = None, metadata: headers.Metadata = ()) -> Any:
        """Make the call. Raises :class:`grpc.aio.AioRpcError`, :class:`NothingDone` where it may be made again.

        :param timeout: seconds for the connection, where there is none, and the answer.
        """
        block, content = self.block(timeout, metadata), self.write(request)
        loop = asyncio.get_running_loop()
        over = None if timeout is None else loop.time() + timeout
        connection = self.channel.connection
        if connection is None or connection.fault is not None:
            connection = await self.channel.connect(timeout)
        call = Answer(loop, connection, over)
        call.stream = connection.request(block, content, call, last=True)
        try:
            return self.read(await call.answer)
        finally:
            call.close()
            del call  # its error knows of this frame: no cycle is left to the collector


class Answer:
    """What comes of one unary call."""

    __slots__ = ("_connection", "_content", "_timer", "answer", "stream")

    def __init__(self, loop: asyncio.AbstractEventLoop, connection: Http2Connection, over: float | None) -> None:
        self.answer: asyncio.Future[bytes | bytearray] = loop.create_future()
        self.stream: Stream | None = None
        self._connection = connection
        self._content: bytes | bytearray | None = None
        self._timer: Deadline | None = None
        if over is not None:
            self._timer = Deadline(over - loop.time(), self._late, loop.time, loop.call_later)

    def message(self, content: bytes | bytearray) -> None:
        """Take the answer; what counts is said after it."""
        self._content = content

    def ended(self, code: StatusCode, words: str) -> None:
        """Take the end."""
        if self.answer.done():
            return
        if code is not StatusCode.OK:
            untouched = self.stream is not None and self.stream.untouched
            self.answer.set_exception(failure(code, words, NothingDone if untouched else AioRpcError))
        elif self._content is None:
            self.answer.set_exception(failure(StatusCode.INTERNAL, "the call ended well, without an answer"))
        else:
            self.answer.set_result(self._content)

    def _late(self) -> None:
        waits = self.stream is not None and not self.stream.number
        self.ended(*(_NOT_LET_IN if waits else _LATE))

    def close(self) -> None:
        """Have nothing come of it any more."""
        if self._timer is not None:
            self._timer.cancel()
        stream, self.stream = self.stream, None  # which knows of us: no cycle is left to the collector
        if stream is not None and stream.open:
            self._connection.cancel(stream)


class Streaming(Method):
    """Many requests, many answers."""

    def __call__(self, *, timeout: float | None = None, metadata: headers.Metadata = ()) -> StreamCall:
        """Give the call, which begins with what is written first."""
        return StreamCall(self, timeout, metadata)


class StreamCall:
    """A call that is written to and read from; one task reads it."""

    def __init__(self, method: Streaming, timeout: float | None, metadata: headers.Metadata) -> None:
        self._method = method
        self._timeout = timeout
        self._metadata = metadata
        self._begun = False
        self._connection: Http2Connection | None = None
        self._stream: Stream | None = None
        self._messages: deque[bytes | bytearray] = deque()
        self._status: tuple[StatusCode, str] | None = None
        self._news: asyncio.Future[None] | None = None
        self._timer: Deadline | None = None

    async def write(self, request: Any) -> None:
        """Send a request. Raises :class:`grpc.aio.AioRpcError` where the call has ended, or can't begin."""
        if self._status is not None:
            raise self._failure()
        if not self._begun:
            self._begun = True
            await self._begin(request)
        elif self._connection is None or self._stream is None:
            raise asyncio.InvalidStateError("the first request is not sent yet")
        else:
            self._connection.send(self._stream, self._method.write(request))

    async def _begin(self, request: Any) -> None:
        if self._timeout is not None:
            loop = asyncio.get_running_loop()
            self._timer = Deadline(self._timeout, self._late, loop.time, loop.call_later)
        try:
            connection = await self._method.channel.connect(self._timeout)
        except AioRpcError as error:
            self.ended(error.code(), error.details() or "")
            raise
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._status is not None:
            raise self._failure()
        self._connection = connection
        block = self._method.block(self._timeout, self._metadata)
        self._stream = connection.request(block, self._method.write(request), self, last=False)

    def _failure(self) -> AioRpcError:
        code, words = self._status or (StatusCode.OK, "")
        if code is StatusCode.OK:
            return failure(StatusCode.UNAVAILABLE, "the server has ended the call")
        return failure(code, words)

    async def read(self) -> Any:
        """Give the next answer, :data:`END_OF_STREAM` after a good end. Raises :class:`grpc.aio.AioRpcError`."""
        if self._messages:
            await asyncio.sleep(0)  # who reads what has come already would keep everybody else from having a turn
        while not self._messages:
            if self._status is not None:
                if self._status[0] is StatusCode.OK:
                    return END_OF_STREAM
                raise self._failure()
            if not self._begun:
                raise asyncio.InvalidStateError("nothing is asked yet")
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return self._next()

    def _next(self) -> Any:
        content = self._messages.popleft()
        if self._connection is not None and self._stream is not None:
            self._connection.taken(self._stream, len(content))
        return self._method.read(content)

    def read_ready(self) -> Any:
        """Give the next answer where one has come already; ``None`` where none has. Raises as :meth:`read`."""
        return self._next() if self._messages else None

    def cancel(self) -> bool:
        """End the call from here; tells whether it was not over yet."""
        if self._status is not None:
            return False
        self._leave(StatusCode.CANCELLED, "canceled here")
        return True

    def _late(self) -> None:
        self._leave(*_LATE)

    def _leave(self, code: StatusCode, words: str) -> None:
        if self._connection is not None and self._stream is not None:
            self._connection.cancel(self._stream)
        self.ended(code, words)

    # -- the server's end

    def message(self, content: bytes | bytearray) -> None:
        """Take an answer."""
        self._messages.append(content)
        self._wake()

    def ended(self, code: StatusCode, words: str) -> None:
        """Take the end; what was answered before can still be read."""
        if self._status is None:
            self._status = code, words
            self._stream = None  # which knows of us: no cycle is left to the collector
            if self._timer is not None:
                self._timer.cancel()
            self._wake()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
