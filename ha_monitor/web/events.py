"""Server-sent events: a snapshot, then every change, and a heartbeat that says up to when this can be trusted.

Each client has a bounded queue of its own. One that is too slow for it gets a new snapshot in place of what no longer
fitted, and one that reads nothing at all is left: neither holds up anybody else, nor takes memory.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
from starlette.responses import Response

from ha_monitor.model import Resync
from ha_monitor.text import rfc3339
from ha_monitor.transition import encode, transition_shape
from ha_monitor.web.shapes import heartbeat_shape, resource_shape

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

    from ha_monitor.broadcast import Subscription
    from ha_monitor.model import Change
    from ha_monitor.monitor import HaMonitor
    from ha_monitor.web.shapes import EventsQuery

QUEUED = 1_000
"""Changes kept for one client, at most: about 200 KB."""

BEAT = 5.0
"""Seconds between two heartbeats, at most; whatever turns is told within :data:`LOOK`."""

LOOK = 0.5
"""Seconds between two looks at what no change tells: readiness, and problems."""

STUCK = 30.0
"""Seconds after which a client that takes nothing is left, by a server that does not leave it sooner itself."""

_AT_ONCE = 50
"""Resources of a snapshot that are written in one turn of the event loop: three milliseconds."""


class EventStream(Response):
    """One client's stream, until it goes, or ``closing`` is set, or the monitor ends."""

    def __init__(
        self,
        monitor: HaMonitor,
        query: EventsQuery,
        closing: anyio.Event,
        turn: anyio.Lock,
        written: Callable[[Change], bytes],
    ) -> None:
        """Prepare.

        :param turn: held by whoever writes a piece of a snapshot: to have it takes a turn of the event loop.
        :param written: gives the event of a change: :func:`change_event`, or what remembers it.
        """
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self._monitor = monitor
        self._query = query
        self._closing = closing
        self._turn = turn
        self._written = written

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        async with anyio.create_task_group() as tasks:

            async def until_gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            async def until_closing() -> None:
                await self._closing.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_gone)
            tasks.start_soon(until_closing)
            with contextlib.suppress(TimeoutError):  # it takes nothing: the connection is closed by leaving
                await self._tell(send)
            tasks.cancel_scope.cancel()
        if self._closing.is_set():
            await send({"type": "http.response.body", "body": b""})

    async def _tell(self, send: Send) -> None:
        async with self._monitor.changes(QUEUED) as changes:
            await self._snapshot(send)
            await self._beat_once(send)
            told, told_at = self._turns(), anyio.current_time()
            while not changes.ended:
                with anyio.move_on_after(LOOK):
                    await changes.wait()
                await self._pass_on(changes, send)
                now = anyio.current_time()
                if self._turns() != told or now - told_at >= BEAT:
                    told, told_at = self._turns(), now
                    await self._beat_once(send)

    def _turns(self) -> tuple[bool, str, int]:
        """Give what a heartbeat tells at once."""
        readiness = self._monitor.readiness()
        # An outage is one reason, however the words of its retries change.
        return readiness.ready, readiness.reason.partition(":")[0], self._monitor.generation

    async def _pass_on(self, changes: Subscription, send: Send) -> None:
        taken = changes.take()
        if isinstance(taken, Resync):
            await self._snapshot(send)
            return
        told = [change for change in taken if self._query.type in ("", change.type)]
        if told:
            await _write(send, b"".join(map(self._written, told)))

    async def _beat_once(self, send: Send) -> None:
        monitor = self._monitor
        beat = heartbeat_shape(
            monitor.revision, monitor.proven_at, monitor.readiness(), monitor.generation, known=monitor.is_synced
        )
        await _write(send, _event("heartbeat", encode(beat)))

    async def _snapshot(self, send: Send) -> None:
        """Write all resources, line by line: one event may have many, and no client has them all in our memory."""
        monitor = self._monitor
        head = (
            f'event: snapshot\ndata: {{"revision":{monitor.revision},"generation":{monitor.generation},'
            f'"proven_at":{encode(rfc3339(monitor.proven_at)).decode()},"resources":[\n'
        )
        await _write(send, head.encode())
        if self._query.snapshot == "resources":
            found = monitor.roll.find(self._query.type or None)
            comma = b""
            for start in range(0, len(found), _AT_ONCE):
                lines: list[bytes] = []
                async with self._turn:
                    for type_, id_ in found[start : start + _AT_ONCE]:
                        record = monitor.get(type_, id_)
                        if record is not None:
                            lines.append(b"data: " + comma + encode(resource_shape(record)) + b"\n")
                            comma = b","
                await _write(send, b"".join(lines))
        await _write(send, b"data: ]}\n\n")


def change_event(change: Change) -> bytes:
    """Write a change as an event."""
    return _event("change", encode(transition_shape(change)))


def _event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


async def _write(send: Send, body: bytes) -> None:
    """Write; raises ``TimeoutError`` where the client takes nothing for :data:`STUCK`."""
    message: Message = {"type": "http.response.body", "body": body, "more_body": True}
    with anyio.fail_after(STUCK):
        await send(message)
