"""uvicorn's HTTP protocol with deadlines: nobody keeps a connection who asks for nothing, or takes nothing.

Its own timer runs between two requests alone, and any byte ends it: whoever sends half a head keeps the connection, and
so many of them leave none for the probes of an orchestrator. And to close a connection waits for what is still to be
sent, for good where the other side reads nothing.
"""

from __future__ import annotations

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


class TimedProtocol(Protocol):
    """A connection that is closed where a head takes longer than ``head_within``; an answer may take its time.

    It is aborted where nothing of an answer is taken for ``taken_within`` seconds.
    """

    head_within = HEAD_WITHIN
    taken_within = TAKEN_WITHIN
    _deadline: asyncio.TimerHandle | None = None
    _look: asyncio.TimerHandle | None = None
    _left = 0
    """Bytes that were not taken when that was looked at last."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        self._look_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request; its head may be complete with that."""
        super().data_received(data)
        if not self._is_idle():
            self._rest()

    def on_response_complete(self) -> None:
        """Begin to wait for the next head, unless it is there already."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._look_later()
        elif self._is_idle():
            self._wait()

    def pause_writing(self) -> None:
        """See whether the client takes what there is for it."""
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        """It does."""
        super().resume_writing()
        if not self.transport.is_closing():
            self._look_no_more()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection on which nothing is asked for any more."""
        super().timeout_keep_alive_handler()
        self._look_later()

    def shutdown(self) -> None:
        """Close it, once an answer that is under way is complete."""
        super().shutdown()
        if self.transport.is_closing():
            self._look_later()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self.head_within, self._close)

    def _close(self) -> None:
        self.transport.close()
        self._look_later()

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look_later(self) -> None:
        if self._look is None:
            self._left = self.transport.get_write_buffer_size()
            self._look = self.loop.call_later(self.taken_within, self._has_taken)

    def _has_taken(self) -> None:
        """Leave the client where it has taken nothing since the last look."""
        self._look = None
        if self.transport.get_write_buffer_size() < self._left:
            self._look_later()
        else:
            self.transport.abort()

    def _look_no_more(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None
