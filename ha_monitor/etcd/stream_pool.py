"""Deals watches out to the streams of a connection, so that neither the server's limit nor a proxy's is met."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio

from ha_monitor.errors import EtcdUnavailable
from ha_monitor.etcd.stream import Watch, WatchStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ha_monitor.etcd.connection import Connection

STREAMS = 64
"""Watch streams on a connection, at the most. Chosen: proxies allow 100 or 128 streams, etcd 3.5.1 with TLS 250 (Go's
default), and a site of 20 types has a stream for each of its prefixes."""

_CANCELLATION = 1.0  # seconds that the cancellation of a watch may take to be sent


def stream_limit(allowed: int | None) -> int:
    """Give how many watch streams a connection may have where the server allows so many streams.

    Half of them: the others are for unary calls. ``None``: the server sets no limit.
    """
    return STREAMS if allowed is None else max(1, min(STREAMS, allowed // 2))


class StreamPool:
    """The watch streams of one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._streams: list[WatchStream] = []

    @contextlib.asynccontextmanager
    async def watch(self, prefix: bytes) -> AsyncIterator[Watch]:
        """Open a watch on ``prefix``, still to be created, and end it with the block.

        Raises :class:`EtcdUnavailable` where no stream takes another watch for the moment.
        """
        stream = self._choose()
        watch = Watch(stream, prefix)
        stream.watches.add(watch)
        try:
            yield watch
        finally:
            with anyio.move_on_after(_CANCELLATION, shield=True):
                await stream.close(watch)

    def _choose(self) -> WatchStream:
        self._streams = [stream for stream in self._streams if stream.error is None]
        usable = [stream for stream in self._streams if stream.takes_more]
        if len(usable) < stream_limit(self._connection.allowed_streams):
            stream = WatchStream(self._connection)
            self._streams.append(stream)
            return stream
        if not usable:
            raise EtcdUnavailable("no watch stream takes another watch for the moment")
        return min(usable, key=lambda stream: len(stream.watches))
