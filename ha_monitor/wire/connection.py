"""A connection of HTTP/2 on a socket of the event loop: bytes to and fro, and whether the other side is still there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from ha_monitor.wire.deadline import Deadline
from ha_monitor.wire.session import Session

if TYPE_CHECKING:
    from ha_monitor.wire.streams import Receiver, Stream

KEEPALIVE_AFTER = 10.0
"""Seconds of silence after which a sign of life is asked for: etcd ends connections that ask every five seconds."""

KEEPALIVE_TIMEOUT = 5.0
"""Seconds that it may take, before the connection is given up."""

_FAREWELL = 5.0  # seconds that the last of what was sent may take, and the good end of TLS


class Http2Connection(asyncio.Protocol):
    """The protocol of a transport; made by :meth:`ha_monitor.wire.channel.Channel.connect`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done once the server has told its settings, so that it is one that speaks HTTP/2."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done once the transport is not there any more."""
        self._loop = loop
        self._session = Session()
        self._transport: asyncio.Transport | None = None
        self._writable = True  # some transports raise where they are written to after their end
        self._heard = loop.time()
        self._asked = False  # for a sign of life that has not come yet
        self._timer: asyncio.TimerHandle | Deadline | None = None
        """Until the next look whether the server is still there; once it is left, until its socket is closed anyway."""

    @property
    def fault(self) -> str | None:
        """Why no more calls can be made; ``None`` as long as they can."""
        return self._session.fault

    @property
    def allowed_streams(self) -> int | None:
        """How many streams the server allows at a time; ``None``: it sets no limit."""
        return self._session.allowed_streams

    @property
    def was_silent(self) -> bool:
        """Whether the server has ended it without a word, as one does that waits for a handshake of TLS."""
        return self.closed.done() and not self._session.ready

    # -- calls

    def request(self, block: bytes, content: bytes, receiver: Receiver, *, last: bool) -> Stream:
        """Begin a call; see :meth:`Session.request`."""
        stream = self._session.request(block, content, receiver, last=last)
        self._flush()
        return stream

    def send(self, stream: Stream, content: bytes) -> None:
        """Send another message."""
        self._session.send(stream, content)
        self._flush()

    def taken(self, stream: Stream, size: int) -> None:
        """Say that a message of ``size`` bytes was read."""
        self._session.taken(stream, size)
        self._flush()

    def cancel(self, stream: Stream) -> None:
        """End a call."""
        self._session.cancel(stream)
        self._flush()

    def end(self, words: str) -> None:
        """End the connection and all calls; :attr:`closed` tells when the socket is not there any more."""
        self._session.end(words)
        self._flush()

    def abort(self, words: str) -> None:
        """End all calls at once, and the connection without a word: a server that reads nothing would keep it open."""
        self._session.lost(words)
        self._writable = False
        self._rest()  # uvloop says nothing of the end of a connection that is given up as it is made
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        """Close the socket once all is sent."""
        self._writable = False
        if self._transport is not None and not self._transport.is_closing():
            self._rest()
            self._transport.close()
            self._timer = self._loop.call_later(_FAREWELL, self._transport.abort)  # where the server reads nothing

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _flush(self) -> None:
        out = self._session.take()
        if self._writable and out and self._transport is not None:
            self._transport.write(out)
        if self._session.over:
            self._leave()

    # -- the transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._timer = self._loop.call_later(KEEPALIVE_AFTER, self._look)
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        self._heard, self._asked = self._loop.time(), False
        session = self._session
        session.receive(data)
        self._flush()
        if session.ready and not self.ready.done():
            self.ready.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """End all calls."""
        self._rest()
        self._writable = False
        words = f"connection lost: {exc}" if exc is not None else "connection closed by the server"
        self._session.lost(words)
        if not self.ready.done():
            self.ready.set_result(None)  # who waits looks for a fault
        if not self.closed.done():
            self.closed.set_result(None)

    # -- is it still there?

    def _look(self) -> None:
        silent = self._loop.time() - self._heard
        if silent >= KEEPALIVE_AFTER and not self._session.busy:
            silent = 0.0  # etcd ends a connection that asks for nothing else
        if silent < KEEPALIVE_AFTER:
            self._timer = self._loop.call_later(KEEPALIVE_AFTER - silent, self._look)
        else:
            self._asked = True
            self._session.ping()
            self._flush()
            self._timer = Deadline(KEEPALIVE_TIMEOUT, self._last_look, self._loop.time, self._loop.call_later)

    def _last_look(self) -> None:
        if self._asked:
            self.abort(f"keepalive: no answer for {KEEPALIVE_AFTER + KEEPALIVE_TIMEOUT:g} s")
        else:
            self._look()
