"""A TCP relay between a client and etcd that can stall (half-open: nothing passes, nothing ends) and cut."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine
    from typing import Any

    from typing_extensions import Self


class Relay:
    """Listens on a loopback port of its own, in a thread of its own; a context manager."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open = asyncio.Event()
        self._refusing = False
        self._refused_ports: Callable[[], Collection[int]] = tuple
        self._budget: int | None = None
        self._stalled = threading.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._begin())
        return self

    def __exit__(self, *exc: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def stall(self) -> None:
        """Let nothing pass any more; connections stay, new ones are taken and hear nothing."""
        self._loop.call_soon_threadsafe(self._open.clear)

    def stall_after(self, count: int) -> None:
        """Stall by itself once so many bytes have come from the server."""
        self._budget = count

    def wait_stalled(self, timeout: float = 30.0) -> None:
        """Wait until that has happened."""
        assert self._stalled.wait(timeout), "fewer bytes came than were waited for"

    def refuse(self, ports: Callable[[], Collection[int]]) -> None:
        """End every connection, and from now on those that come from one of the ports given at that moment."""
        self._refused_ports = ports
        self._loop.call_soon_threadsafe(self._drop_all)

    def flow(self) -> None:
        """Let everything pass again, what was held back as well."""
        self._refusing = False
        self._refused_ports = tuple
        self._loop.call_soon_threadsafe(self._open.set)

    def lead_to(self, port: int) -> None:
        """End every connection, and lead those that come to another server."""
        self._target_port = port
        self._loop.call_soon_threadsafe(self._drop_all)

    def cut(self) -> None:
        """End every connection, and new ones at once."""
        self._refusing = True
        self._loop.call_soon_threadsafe(self._drop_all)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _begin(self) -> None:
        self._open.set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        # First of all no more are accepted: a server that is closed between accepting a connection and serving it
        # leaves that socket open (asyncio of Python 3.11).
        self._loop.remove_reader(self._server.sockets[0].fileno())
        for _ in range(5):  # what was accepted and what was aborted each take turns of the loop of their own
            self._drop_all()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)
        self._server.close()

    def _drop_all(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)  # at once: whatever becomes of its task, its socket is closed in the end
        self._own(self._serve(reader, writer))

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing or writer.get_extra_info("peername")[1] in self._refused_ports():
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(far_writer)
        self._own(self._pump(reader, far_writer, counts=False))
        self._own(self._pump(far_reader, writer, counts=True))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counts: bool) -> None:
        try:
            while data := await source.read(65536):
                if counts and self._budget is not None:
                    self._budget -= len(data)
                    if self._budget <= 0:
                        self._open.clear()
                        self._stalled.set()
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            sink.transport.abort()
            self._writers.discard(sink)
