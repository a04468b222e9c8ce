"""A channel to one server, for generated stubs: connects at the first call, and never again once that is lost.

Behind a name or an address another server may answer the next time, with another store: whoever makes the calls has to
know that it is another connection, and makes another channel.
"""

from __future__ import annotations

import asyncio
import random
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
from aiohappyeyeballs import start_connection
from grpc import StatusCode

from ha_monitor import endpoint
from ha_monitor.wire.calls import NothingDone, Streaming, Unary, failure
from ha_monitor.wire.connection import Http2Connection
from ha_monitor.wire.resolver import resolve

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

CONNECT_TIMEOUT = 3.0
"""Seconds that a connection may take to be made, name and TLS included."""

NEXT_ADDRESS_AFTER = 0.25
"""Seconds after which the next address of a name is tried beside the one before (RFC 8305 advises as many)."""

_FAREWELL = 1.0  # seconds that a socket has to be closed in good order
_PORTS = {"http": 80, "https": 443}


class Channel:
    """Makes the calls of one server; no pause lies between two tries to reach it, which is up to the caller."""

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        """Prepare; nothing is sent before the first call.

        :param url: ``http://host:port`` or ``unix://path``; ``https://`` or ``unixs://`` with ``tls``.
        :param tls: who is trusted, and who we are.
        """
        self._url = url
        parts = urlsplit(url)
        self.scheme = "http" if tls is None else "https"
        self.authority = endpoint.authority(url)
        self.connection: Http2Connection | None = None
        """``None`` until it is made."""
        self._socket_path = endpoint.socket_path(url)
        if self._socket_path is None:
            self._host = parts.hostname or ""
            self._port = parts.port or _PORTS[parts.scheme]
        self._server_name = None if tls is None else endpoint.server_name(url)
        self._tls = tls
        self._connecting = anyio.Lock()
        self._waiting: set[anyio.CancelScope] = set()
        """Those of who waits for a connection."""
        self._aborted = ""
        self._tries = 0
        self._failed = ""
        """Why the last try has failed."""

    def another(self) -> Channel:
        """Give another channel to the same server."""
        return Channel(self._url, self._tls)

    def unary_unary(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes | bytearray], Any],
        _registered_method: bool | None = None,
    ) -> Unary:
        """Give a method with one request and one answer; called by generated stubs."""
        return Unary(self, path, request_serializer, response_deserializer)

    def stream_stream(
        self,
        path: str,
        request_serializer: Callable[[Any], bytes],
        response_deserializer: Callable[[bytes | bytearray], Any],
        _registered_method: bool | None = None,
    ) -> Streaming:
        """Give a method with many of both; called by generated stubs."""
        return Streaming(self, path, request_serializer, response_deserializer)

    async def connect(self, timeout: float | None = None) -> Http2Connection:
        """Give the connection, made where there was none. Raises :class:`grpc.aio.AioRpcError`.

        :param timeout: seconds that it may take, where they are fewer than :data:`CONNECT_TIMEOUT`.
        """
        seconds = CONNECT_TIMEOUT if timeout is None else max(0.0, min(timeout, CONNECT_TIMEOUT))
        with anyio.move_on_after(seconds) as scope:
            self._waiting.add(scope)
            try:
                return await self._connected()
            finally:
                self._waiting.discard(scope)
        raise failure(StatusCode.UNAVAILABLE, self._aborted or f"no connection in {seconds:g} s")

    async def _connected(self) -> Http2Connection:
        tries = self._tries
        async with self._connecting:
            if self._aborted:
                raise failure(StatusCode.UNAVAILABLE, self._aborted)
            if self.connection is not None:
                if self.connection.fault is not None:
                    raise failure(StatusCode.UNAVAILABLE, self.connection.fault, NothingDone)
                return self.connection
            if self._failed and self._tries != tries:  # it was tried while we waited
                raise failure(StatusCode.UNAVAILABLE, self._failed)
            self._tries += 1
            self._failed = ""
            try:
                made = await self._new()
                if self._aborted:  # in the very turn in which it was made: nothing could be cancelled any more
                    made.abort(self._aborted)
                    raise ConnectionError(self._aborted)
            except (OSError, RuntimeError, ValueError) as error:  # RuntimeError is uvloop's
                self._failed = f"failed to connect: {_words(error)}"
                raise failure(StatusCode.UNAVAILABLE, self._failed) from error
            self.connection = made
            return made

    async def _new(self) -> Http2Connection:
        loop = asyncio.get_running_loop()
        connection = Http2Connection(loop)
        try:
            await self._open(loop, connection)
            await connection.ready
            if connection.fault is not None:
                hint = " before it has said anything; if it wants TLS, it is https://" if connection.was_silent else ""
                raise ConnectionError(connection.fault + (hint if self._tls is None else ""))
        except BaseException:
            connection.abort("given up")
            raise
        return connection

    async def _open(self, loop: asyncio.AbstractEventLoop, connection: Http2Connection) -> None:
        tls, name = self._tls, self._server_name
        if self._socket_path is not None:
            await loop.create_unix_connection(lambda: connection, self._socket_path, ssl=tls, server_hostname=name)
            return
        addresses = await resolve(self._host, self._port)
        # In any order: one that takes connections and says nothing is not the first again at the next try.
        to = await start_connection(random.sample(addresses, len(addresses)), happy_eyeballs_delay=NEXT_ADDRESS_AFTER)
        to.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await loop.create_connection(lambda: connection, sock=to, ssl=tls, server_hostname=name)
        finally:
            if type(loop).__module__.startswith("uvloop"):
                # libuv closes the descriptor. A connection that was reset meanwhile leaves it to the socket object as
                # well (uvloop 0.23), which would close whatever connection has that number once it is collected.
                to.detach()

    def abort(self, words: str) -> None:
        """End every call at once, and every one that is made from now on, with ``UNAVAILABLE`` and these words."""
        self._aborted = words
        for scope in self._waiting:
            scope.cancel()
        if self.connection is not None:
            self.connection.abort(words)

    async def close(self) -> None:
        """End the connection in good order, and every call on it."""
        self._aborted = "channel closed"
        if self.connection is not None:
            self.connection.end(self._aborted)
            with anyio.move_on_after(_FAREWELL, shield=True):
                await self.connection.closed
        self.abort(self._aborted)


def _words(error: Exception) -> str:
    """Say why there is no connection: asyncio's words for the most frequent cause don't."""
    return "Connection refused" if isinstance(error, ConnectionRefusedError) else str(error) or type(error).__name__
