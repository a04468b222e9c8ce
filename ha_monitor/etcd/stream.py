"""A watch stream on one prefix: opened, asked for progress, read reply by reply, and always cancelled at the end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import anyio
import grpc
from aetcd import rpc

from ha_monitor.errors import EtcdCompacted, EtcdError, EtcdRefused, EtcdUnavailable
from ha_monitor.etcd.client import range_end
from ha_monitor.etcd.connection import CALL_TIMEOUT
from ha_monitor.etcd.faults import classify, translate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ha_monitor.etcd.connection import Connection

_LAST_WORD = 1.0  # seconds in which gRPC gives the status of a call that we have cancelled: it takes microseconds
END_OF_STREAM = grpc.aio.EOF  # type: ignore[attr-defined]  # the stubs of grpc lack it
"""What the read of a stream gives once the server has ended it in good order."""


class WatchStream:
    """One watch on one stream of its own; made by :func:`open_stream`."""

    def __init__(self, connection: Connection, call: Any, doing: str) -> None:
        self.connection = connection
        self._call = call
        self._doing = doing
        self._closed = False

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
        except asyncio.CancelledError:
            if not self._closed:
                raise
            raise EtcdUnavailable(f"{self._doing}: the stream takes no writes") from None
        if reply is END_OF_STREAM:
            raise await self._why_ended()
        if reply.canceled:
            raise self._why_canceled(reply)
        return reply

    async def close(self) -> None:
        """End the stream; the server drops the watch with it. gRPC's own task for it has ended afterwards, too."""
        self._closed = True
        self._call.cancel()
        with anyio.move_on_after(_LAST_WORD, shield=True):
            await self._call.code()

    async def _write(self, request: rpc.WatchRequest) -> None:
        try:
            await self._call.write(request)
        except rpc.AioRpcError as error:
            raise translate(error, self._doing) from error
        except asyncio.InvalidStateError as error:  # the call has just ended; its reader learns why
            raise EtcdUnavailable(f"{self._doing}: the stream has ended") from error
        except asyncio.CancelledError:
            # gRPC raises this in whoever writes while the reader's task ends the call. Nobody cancelled us then; if
            # somebody did at the same moment, anyio delivers it again at the next await.
            if not self._closed:
                self._closed = True  # a write that is cancelled ends the call for the reader, too
                raise
            raise EtcdUnavailable(f"{self._doing}: the stream is closed") from None

    async def _why_ended(self) -> EtcdError:
        code, details = await self._call.code(), await self._call.details()
        if code is rpc.StatusCode.OK:
            return EtcdUnavailable(f"{self._doing}: the server ended the stream")
        return classify(code, details or "", self._doing)

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
    """Open a stream for a watch on ``prefix``; what is awaited inside ends when the connection is abandoned."""
    doing = f"watch {prefix.decode(errors='replace')}"
    async with connection.guard():
        call = connection.watch.Watch(metadata=connection.metadata)
        stream = WatchStream(connection, call, doing)
        try:
            yield stream
        finally:
            await stream.close()
