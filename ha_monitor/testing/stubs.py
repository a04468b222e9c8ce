"""A connection to the etcd in memory, with the faces of aetcd's stubs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ha_monitor.testing.refusals import FINE
from ha_monitor.testing.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from aetcd import rpc

    from ha_monitor.testing.server import Server

    Metadata = Iterable[tuple[str, str]] | None


class MemoryStubs:
    """Implements :class:`ha_monitor.etcd.connection.Stubs`: what our client calls, and a little more of etcd."""

    def __init__(self, server: Server) -> None:
        self._server = server
        call = self._call
        self.kv: Any = SimpleNamespace(Range=call, Put=call, DeleteRange=call, Txn=call, Compact=call)
        self.watch: Any = SimpleNamespace(Watch=self._watch)
        self.lease: Any = SimpleNamespace(
            LeaseGrant=call, LeaseRevoke=call, LeaseTimeToLive=call, LeaseKeepAlive=self._keep_alive
        )
        self.maintenance: Any = SimpleNamespace(Status=call)
        self.auth: Any = SimpleNamespace(Authenticate=call)
        self._streams: list[Stream] = []

    def _call(self, request: Any, *, timeout: float | None = None, metadata: Metadata = None) -> Awaitable[Any]:
        """Make any unary call: the request says which."""
        return self._server.call(request, timeout, dict(metadata or ()))

    def _watch(self, *, timeout: float | None = None, metadata: Metadata = None) -> Stream:
        stream = self._open(timeout, metadata)
        stream.take = self._server.watches(stream).take
        return stream

    def _keep_alive(self, *, timeout: float | None = None, metadata: Metadata = None) -> Stream:
        stream = self._open(timeout, metadata)

        def take(request: rpc.LeaseKeepAliveRequest | None) -> None:
            if request is None:
                stream.end(FINE)
            else:
                stream.reply(self._server.node.keep_alive(request))

        stream.take = take
        return stream

    def _open(self, timeout: float | None, metadata: Metadata) -> Stream:
        stream = Stream(self._server, dict(metadata or ()), timeout)
        self._streams = [other for other in self._streams if not other.done()]
        self._streams.append(stream)
        return stream

    async def close(self) -> None:
        """End what is still open."""
        for stream in self._streams:
            stream.cancel()
