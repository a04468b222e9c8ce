"""A watch stream on one prefix: opened, asked for progress, read reply by reply, and always cancelled at the end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anyio
from aetcd import rpc

from ha_monitor.errors import EtcdCompacted, EtcdError, EtcdRefused, EtcdUnavailable
from ha_monitor.etcd.client import range_end
from ha_monitor.etcd.connection import CALL_TIMEOUT
from ha_monitor.etcd.faults import translate
from ha_monitor.wire.calls import END_OF_STREAM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ha_monitor.etcd.connection import Connection


class WatchStream:
    """One watch on one stream of its own; made by :func:`open_stream`."""

    def __init__(self, connection: Connection, call: Any, doing: str) -> None:
        self.connection = connection
        self._call = call
        self._doing = doing

    async def create(self, prefix: bytes, start_revision: int) -> None:
        """Ask for the watch and wait until it is granted.

        Raises :class:`EtcdCompacted`, or :class:`EtcdRefused` where we may not watch there: etcd tells that in a
        reply with both ``created`` and ``canceled`` set, so the latter is looked at first.
        """
        request = rpc.WatchCreateRequest(
            key=prefix, range_end=range_end(prefix), start_revision=start_revision, progress_notify=True
        )
        with anyio.move_on_after(CALL_TIMEOUT) as scope:
            await self._write(rpc.WatchRequest(create_request=request))
            reply = await self.read()
            if not reply.created:
                raise EtcdError(f"{self._doing}: the first reply is no grant")
            return
        if scope.cancelled_caught:
            raise EtcdUnavailable(f"{self._doing}: no answer in {CALL_TIMEOUT:g} s")

    async def ask_progress(self) -> None:
        """Ask for a reply that carries the store's revision."""
        await self._write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))

    async def read(self) -> rpc.WatchResponse:
        """Give the next reply. Raises the classes of :mod:`ha_monitor.errors` when stream or watch has ended."""
        try:
            reply = await self._call.read()
        except rpc.AioRpcError as error:
            raise translate(error, self._doing) from error
        if self.connection.lost is not None:  # what came before that is not to be believed any more
            raise EtcdUnavailable(self.connection.lost)
        if reply is END_OF_STREAM:
            raise EtcdUnavailable(f"{self._doing}: the server ended the stream")
        if reply.canceled:
            raise self._why_canceled(reply)
        return reply

    async def _write(self, request: rpc.WatchRequest) -> None:
        try:
            await self._call.write(request)
        except rpc.AioRpcError as error:
            raise translate(error, self._doing) from error

    def _why_canceled(self, reply: rpc.WatchResponse) -> EtcdError:
        if reply.compact_revision:
            return EtcdCompacted(f"{self._doing}: compacted at {reply.compact_revision}")
        reason = reply.cancel_reason or "canceled without a reason"
        words = reason.lower()
        if "permission" in words or "auth" in words:
            return EtcdRefused(f"{self._doing}: {reason}")
        return EtcdUnavailable(f"{self._doing}: {reason}")


@contextlib.asynccontextmanager
async def open_stream(connection: Connection, prefix: bytes) -> AsyncIterator[WatchStream]:
    """Open a stream for a watch on ``prefix``, and end it with the block."""
    call = connection.watch.Watch(metadata=connection.metadata)
    try:
        yield WatchStream(connection, call, f"watch {prefix.decode(errors='replace')}")
    finally:
        call.cancel()  # the server drops the watch with it
