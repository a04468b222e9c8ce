"""Servers on loopback that the tests of a channel script."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.wire.peer import Peer

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable


class Scripted:
    """A server of gRPC that answers as it is told to, and the connections that it has seen."""

    def __init__(self, on_message: Callable[[Peer, int, bytes], None], greets: bytes | None = None) -> None:
        self.peers: list[Peer] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.news = asyncio.Event()
        self.reads = True
        self._on_message = on_message
        self._greets = greets
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=tls)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(self._on_message)
        self.peers.append(peer)
        self.writers.append(writer)
        with contextlib.suppress(OSError):
            if self._greets is not None:
                writer.write(self._greets)
            while data := await reader.read(65_536):
                if self._greets is None and self.reads:
                    peer.receive(data)
                    self.say()
                self.news.set()
        writer.close()

    def say(self) -> None:
        """Send what the peers have to send."""
        for peer, writer in zip(self.peers, self.writers, strict=True):
            if not writer.transport.is_closing():
                writer.write(peer.take())

    async def until(self, so: Callable[[], bool]) -> None:
        """Wait until something that came has made it so."""
        while not so():
            self.news.clear()
            await self.news.wait()

    async def stop(self) -> None:
        """End all connections, and listen no more."""
        if self._server is not None:
            self._server.close()
            for writer in self.writers:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None


@pytest.fixture
async def serve(anyio_backend: object) -> AsyncIterator[Callable[..., Scripted]]:
    """Give servers, which end with the test."""
    servers: list[Scripted] = []

    def make(on_message: Callable[[Peer, int, bytes], None], greets: bytes | None = None) -> Scripted:
        servers.append(Scripted(on_message, greets))
        return servers[-1]

    yield make
    for server in servers:
        await server.stop()
