"""uvicorn's HTTP protocol with a deadline for heads, so that nobody keeps a connection who asks for nothing.

Its own timer runs between two requests alone, and any byte ends it: whoever sends half a head keeps the connection, and
so many of them leave none for the probes of an orchestrator.
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


class TimedProtocol(Protocol):
    """A connection that is closed where a head takes longer than ``head_within``; an answer may take its time."""

    head_within = HEAD_WITHIN
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
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
