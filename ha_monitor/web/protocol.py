"""uvicorn's HTTP protocol with deadlines: nobody keeps a connection who asks for nothing, or takes nothing.

Its own timer runs between two requests alone, and any byte ends it: whoever sends half a head keeps the connection, and
so many of them leave none for the probes of an orchestrator. And to close a connection waits for what is still to be
sent, for good where the other side reads nothing.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
else:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as Protocol

HEAD_WITHIN = 10.0
"""Seconds from the connection, or from the answer before, in which a request's head has to be there. Chosen: a slow
network needs a few."""

TAKEN_WITHIN = 20.0
"""Seconds in which a client takes something of what it is sent, or is left. Chosen: a network that is down for longer
has ended most connections through it."""


_ACKED = 120  # where Linux has tcpi_bytes_acked, a number of 8 bytes, in its struct tcp_info


class TimedProtocol(Protocol):
    """A connection that is closed where a head takes longer than ``head_within``; an answer may take its time.

    It is aborted where bytes wait to be sent and the other side has taken none for ``taken_within`` seconds.
    """

    head_within = HEAD_WITHIN
    taken_within = TAKEN_WITHIN
    _deadline: asyncio.TimerHandle | None = None
    _look: asyncio.TimerHandle | None = None
    _taken = 0
    """Bytes that the other side had taken when that was looked at last."""
    _taken_at = 0.0
    """When that was seen to be more, or nothing waited, in seconds of the loop."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head, and to see whether answers are taken."""
        super().connection_made(transport)
        self._wait()
        if hasattr(socket, "TCP_INFO"):  # Linux
            self._see()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; its head may be complete with that."""
        super().data_received(data)
        if not self._is_idle():
            self._rest()

    def on_response_complete(self) -> None:
        """Begin to wait for the next head, unless it is there already."""
        super().on_response_complete()
        if self._is_idle():
            self._wait()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.head_within, self.transport.close)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _see(self) -> None:
        """Look now and again whether the other side takes what there is for it, however slowly: it acknowledges it.

        What waits here alone does not tell: the kernel takes a megabyte at a time.
        """
        now, taken = self.loop.time(), self._acknowledged()
        if taken != self._taken or not self.transport.get_write_buffer_size():
            self._taken, self._taken_at = taken, now
        elif now - self._taken_at >= self.taken_within:
            self.transport.abort()
            return
        self._look = self.loop.call_later(self.taken_within / 4, self._see)

    def _acknowledged(self) -> int:
        """Give the bytes that the other side has acknowledged."""
        connected = self.transport.get_extra_info("socket")
        info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED + 8)
        return int.from_bytes(info[_ACKED:], sys.byteorder)
