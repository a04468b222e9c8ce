"""Owns the tasks of all rendered resources: as light as asyncio allows, and still cancelled and awaited by somebody.

An anyio task group would cost five times the memory and eight times the start of a bare task; at 200,000 of them
that is a gigabyte. What a group gives is kept: nothing outlives the owner, and no failure goes unheard.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from typing_extensions import Self

    from ha_monitor.evaluate.entry import Entry

_SLICE = 500  # tasks stopped between two turns of the event loop: a few milliseconds


class Leaves:
    """The tasks; an async context manager whose end awaits them all."""

    def __init__(self) -> None:
        self.entries: Callable[[], Iterable[Entry]] = tuple
        """Gives the entries whose tasks were started and not stopped; a set of tasks would be another 16 MB."""
        self._running = 0
        self._loop: asyncio.AbstractEventLoop  # to ask for the running one, task by task, costs a system call each
        self._failed: asyncio.Future[None] | None = None
        self._last_one: asyncio.Event | None = None
        """Set when the last task has ended, once nobody starts any more."""
        self._cancelled: asyncio.CancelledError | None = None
        """What came while the tasks were seen to their end."""
        self._on_end = self._ended  # one bound method for all of them
        self._context = contextvars.copy_context()  # and one context: each has a copy of its own else, twice

    def __len__(self) -> int:
        """How many run."""
        return self._running

    async def __aenter__(self) -> Self:
        """Begin to own."""
        self._loop = asyncio.get_running_loop()
        self._failed = self._loop.create_future()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Cancel all tasks and wait until each has ended."""
        for number, entry in enumerate(tuple(self.entries()), 1):
            self.stop(entry)
            if not number % _SLICE:
                await self._see_through(asyncio.sleep(0))
        last_one = self._last_one = asyncio.Event()  # asyncio.gather would take a second for 200,000
        if not self._running:
            last_one.set()
        while not last_one.is_set():  # and not while any run: an event that is set gives the loop no turn
            await self._see_through(last_one.wait())
        if self._failed is not None and not self._failed.done():
            self._failed.cancel()
        if self._cancelled is not None:
            raise self._cancelled

    async def _see_through(self, wait: Awaitable[object]) -> None:
        """Wait, and keep a cancellation for later."""
        try:
            with anyio.CancelScope(shield=True):
                await wait
        except asyncio.CancelledError as error:  # asyncio's own, which knows of no shield
            self._cancelled = error

    async def watch(self) -> None:
        """Wait for the first failure of a task and raise it: a bug, since evaluation never raises."""
        if self._failed is not None:
            await asyncio.shield(self._failed)

    def start(self, entry: Entry) -> None:
        """Start an entry, evaluated at once, and its task."""
        entry.begin(self._loop)
        task = self._create(entry.run(self._loop))
        # Out of asyncio.all_tasks(): 250 bytes each, and a list of 200,000 for a program that we are embedded in. This
        # is the documented way for a task that somebody else sees to the end of.
        asyncio.tasks._unregister_task(task)
        entry.task = task
        self._running += 1
        task.add_done_callback(self._on_end, context=self._context)

    def _create(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        if sys.version_info >= (3, 11):
            return self._loop.create_task(coroutine, name="entry", context=self._context)
        return self._loop.create_task(coroutine, name="entry")

    def stop(self, entry: Entry) -> None:
        """Cancel an entry's task, and what it waits for."""
        entry.rest()
        if entry.task is not None:
            entry.task.cancel()
            entry.task = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running -= 1
        if self._last_one is not None and not self._running:
            self._last_one.set()
        if not task.cancelled() and task.exception() is not None and self._failed and not self._failed.done():
            self._failed.set_exception(task.exception() or RuntimeError())
