"""An event loop whose time jumps to what is due next, whenever nobody has anything left to do.

An hour of timers and pauses passes in as long as the code takes that runs in it. It works since nothing is waited for
but other tasks and the time: an etcd in memory needs no socket. It stays asyncio's own loop, with another selector.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from types import FrameType

    from anyio import CapacityLimiter

_Result = TypeVar("_Result")

LIMIT = 3600.0
"""Seconds of virtual time after which a test is taken for one that never ends."""

_START = 1000.0  # seconds on the loop's clock: of a machine that was started a while ago, not of one at time 0
_WORK_ELSEWHERE = 0.05  # real seconds between two looks for what a thread, or a socket, has brought
_SHOWN = 12  # tasks that are told of
_NOBODYS = ("asyncio", "anyio", "ha_monitor", "_pytest")  # packages whose tasks and frames tell the reader nothing


class Stuck(Exception):
    """Nothing can happen any more, or nothing has ended for too long; the text names who waits, and where."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop in virtual time.

    It raises :class:`Stuck` out of the run where it would wait for ever, and where ``limit`` seconds of its time have
    passed in one run. While a worker thread works (``anyio.to_thread``), time stands and the loop really waits.
    What comes over sockets, pipes and from processes does not stop the time: use a common loop for those.
    """

    def __init__(self, limit: float = LIMIT) -> None:
        self._now = _START
        self._limit = limit
        self._until = _START + limit
        self._threads: CapacityLimiter | None = None  # what AnyIO counts this loop's busy worker threads by
        super().__init__(_Selector(self._idle))

    def time(self) -> float:
        """Give the loop's own time, in seconds."""
        return self._now

    def run_forever(self) -> None:
        """Run until stopped, for ``limit`` seconds at the most."""
        self._until = self._now + self._limit
        if self._threads is None and not self.is_closed():
            self.create_task(self._find_threads())
        super().run_forever()

    async def _find_threads(self) -> None:
        """Ask AnyIO for the limiter from within a task: elsewhere sniffio, where it is installed, knows of no loop."""
        self._threads = to_thread.current_default_thread_limiter()

    def pass_time(self, seconds: float) -> None:
        """Have time pass in which nothing else runs, as with code that keeps the event loop busy."""
        self._now += seconds

    def _idle(self, timeout: float | None) -> float:
        """Nothing is ready, and nothing will be for ``timeout`` seconds: have them pass; give how long to wait."""
        if self._threads is not None and self._threads.borrowed_tokens:
            return _WORK_ELSEWHERE
        if timeout is None:
            raise Stuck(f"nothing can happen any more: everybody waits for somebody else\n{_who_waits(self)}")
        if self._now + timeout > self._until:
            raise Stuck(f"{self._limit:g} s of virtual time have passed, and it has not ended\n{_who_waits(self)}")
        self._now += timeout
        return 0.0


class _Selector(selectors.DefaultSelector):
    """Asks, before it would wait, how long."""

    def __init__(self, idle: Callable[[float | None], float]) -> None:
        super().__init__()
        self._idle = idle

    def select(self, timeout: float | None = None) -> Any:
        """Give what is ready."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        return super().select(self._idle(timeout))


def pass_time(seconds: float) -> None:
    """Have time pass in the running :class:`VirtualLoop` while nothing else runs, as with code that keeps it busy."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise RuntimeError("time passes by itself here: this is no VirtualLoop")
    loop.pass_time(seconds)


def run(function: Callable[..., Awaitable[_Result]], *args: Any, limit: float = LIMIT) -> _Result:
    """Run an async function in virtual time, as :func:`anyio.run` does in real time; give what it returns.

    Raises :class:`Stuck` where it would never end.

    :param limit: seconds of virtual time that it may take.
    """
    return anyio.run(
        function, *args, backend="asyncio", backend_options={"loop_factory": functools.partial(VirtualLoop, limit)}
    )


def _who_waits(loop: asyncio.AbstractEventLoop) -> str:
    """Name the tasks that wait, each with its place in code that is the reader's own."""
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    lines = [f"  {task.get_name()}: {place}" for task in tasks if (place := _place(task)) is not None]
    left = len(tasks) - len(lines[:_SHOWN])
    return "\n".join([*lines[:_SHOWN], *([f"  {left} more, in the monitor or a library"] if left else ())])


def _place(task: asyncio.Task[Any]) -> str | None:
    """Say where a task waits, in the innermost code that is the reader's own; ``None``: nowhere in that."""
    place = None
    for frame in _frames(task.get_coro()):
        if frame.f_globals.get("__name__", "").split(".")[0] not in _NOBODYS:
            place = f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
    return place


def _frames(awaited: Any) -> Iterator[FrameType]:
    """Give the frames of a coroutine that waits, and of what it waits for, outermost first."""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "ag_frame", None)
        if frame is not None:
            yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "ag_await", None)
