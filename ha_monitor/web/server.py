"""Runs the ASGI application inside the monitor's event loop, without uvicorn's hands on signals or logging."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import anyio
import uvicorn

from ha_monitor.web.protocol import HEAD_WITHIN, TAKEN_WITHIN, TimedProtocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

_TICK = 1.0  # seconds
_LAST_ANSWERS = 1  # seconds (uvicorn takes whole ones) that open requests have at the end


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._told = anyio.Event()

    def end(self) -> None:
        """Let open requests have their last answers, and end."""
        self.should_exit = True
        self._told.set()

    async def main_loop(self) -> None:
        """Tick once a second, for the Date of answers: uvicorn's ten times are a fifth of an idle monitor's work."""
        while not await self.on_tick(0):
            with anyio.move_on_after(_TICK):
                await self._told.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they are the command's, or the program's that we are embedded in."""
        yield


def bind(listen: str) -> socket.socket:
    """Bind ``HOST:PORT``. Raises ``OSError`` where that can't be had."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, int(port)), family=family, backlog=1024)


async def serve(
    app: Starlette, listener: socket.socket, *, head_within: float = HEAD_WITHIN, taken_within: float = TAKEN_WITHIN
) -> None:
    """Answer until cancelled; then streams end, and open requests have a second.

    :param head_within: seconds that a request's head may take.
    :param taken_within: seconds in which a client takes something of its answer.
    """
    config = uvicorn.Config(
        app,
        http=type("Timed", (TimedProtocol,), {"head_within": head_within, "taken_within": taken_within}),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS,
        ws="none",
    )
    server = _Server(config)

    async def answer() -> None:
        with anyio.CancelScope(shield=True):
            await server.serve(sockets=[listener])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer, name="http")
        try:
            await anyio.sleep_forever()
        finally:
            app.state.closing.set()
            server.end()
