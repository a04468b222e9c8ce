"""A connection to the etcd in memory, with the faces of aetcd's stubs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.refusals import Refusal
from ha_monitor.testing.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable

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
        self.maintenance: Any = SimpleNamespace(Status=call, Alarm=call)
        self.auth: Any = SimpleNamespace(Authenticate=call)
        self._ended: Refusal | None = None

    async def _call(self, request: Any, *, timeout: float | None = None, metadata: Metadata = None) -> Any:
        """Make any unary call: the request says which."""
        if self._ended is not None:
            raise self._ended.error()
        return await self._server.call(request, timeout, dict(metadata or ()), self)

    def _watch(self, *, timeout: float | None = None, metadata: Metadata = None) -> Stream:
        stream = self._open(timeout, metadata)
        stream.take = self._server.watches(stream).take
        return stream

    def _keep_alive(self, *, timeout: float | None = None, metadata: Metadata = None) -> Stream:
        stream = self._open(timeout, metadata)
        stream.take = lambda request: self._server.keep_alive(stream, request)
        return stream

    def _open(self, timeout: float | None, metadata: Metadata) -> Stream:
        stream = Stream(self._server, dict(metadata or ()), timeout, self)
        if self._ended is not None:
            stream.end(self._ended)
        return stream

    def abort(self, words: str) -> None:
        """End every call and every stream of this connection, and those that are begun from now on."""
        self._ended = Refusal(rpc.StatusCode.UNAVAILABLE, words)
        self._server.drop(self._ended, of=self)

    async def close(self) -> None:
        """End what is still open."""
        self.abort("channel closed")
