"""``ha-monitor status --watch``: a live table, or a line for each change where there is no terminal to draw on."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

import anyio
import click
import msgspec

from ha_monitor.cli.remote import Unreachable
from ha_monitor.cli.table import board, console_here, draws, transition_line
from ha_monitor.text import printable
from ha_monitor.transition import Transition

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ha_monitor.cli.remote import Look, Query, Remote

_NEWS = 6  # changes on top
_GAP = 0.3  # seconds between two readings, at least
_TICK = 1.0  # seconds between two drawings, at most: "since" goes on
_AGAIN = 1.0  # seconds until a monitor that does not answer is asked again


async def watch_live(monitor: Remote, query: Query) -> None:
    """Draw the table, and draw it anew at each change, until cancelled."""
    from rich.live import Live

    console = console_here()
    if not draws(console):
        await watch_lines(monitor, query, as_json=False)
        return
    view = _View(monitor, query)
    with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="ellipsis") as live:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(view.follow)
            while True:
                await view.look()
                live.update(view.drawn(console.width), refresh=True)
                await view.until_other()


class _View:
    """What is on the screen of a live table."""

    def __init__(self, monitor: Remote, query: Query) -> None:
        self._monitor = monitor
        self._query = query
        self._look: Look | None = None
        self._news: deque[str] = deque(maxlen=_NEWS)
        self._lost = ""
        self._other = anyio.Event()
        self._outdated = True

    async def follow(self) -> None:
        """Hear of what happens until cancelled."""
        while True:
            generation = -1
            try:
                async for event in self._monitor.events(str(self._query["type"])):
                    self._lost = ""
                    if isinstance(event, Transition):
                        self._news.append(transition_line(event))
                    elif event.generation == generation and self._look and event.ready == self._look.ready.ready:
                        continue
                    else:
                        generation = event.generation
                    self._outdate()
            except Unreachable as error:
                self._lost = error.message
                self._other.set()
            await anyio.sleep(_AGAIN)

    def _outdate(self) -> None:
        self._outdated = True
        self._other.set()

    async def look(self) -> None:
        """Ask again where something has changed; raises :class:`Unreachable` where there never was an answer."""
        if not self._outdated:
            return
        self._outdated = False
        try:
            self._look = await self._monitor.look(self._query)
        except Unreachable as error:
            if self._look is None:
                raise
            self._lost = error.message
            self._outdated = True

    async def until_other(self) -> None:
        """Wait until there is something else to see, if only another second."""
        await anyio.sleep(_GAP)
        with anyio.move_on_after(_TICK - _GAP):
            await self._other.wait()
        self._other = anyio.Event()

    def drawn(self, width: int) -> RenderableType:
        """Give it as it is now."""
        if self._look is None:
            return ""
        fault = f"NO CONNECTION: {self._lost}" if self._lost else self._look.fault
        look = self._look
        return board(fault, self._news, look.letters, look.shown.resources, width, look.group, look.warning)


async def watch_lines(monitor: Remote, query: Query, *, as_json: bool) -> None:
    """Print a line for each change, and for each turn of what can be trusted, until cancelled."""
    ready: tuple[bool, str] | None = None
    reached = False
    while True:
        try:
            async for event in monitor.events(str(query["type"])):
                reached = True
                if isinstance(event, Transition):
                    click.echo(msgspec.json.encode(event) if as_json else transition_line(event))
                elif ready is None or event.ready != ready[0]:
                    ready = event.ready, event.reason
                    click.echo(_turn(*ready, as_json))
        except Unreachable as error:
            if not reached:
                raise
            if ready is None or ready[0]:
                click.echo(_turn(False, error.message, as_json))
            ready = False, error.message
        await anyio.sleep(_AGAIN)


def _turn(ready: bool, reason: str, as_json: bool) -> str | bytes:
    if as_json:
        return msgspec.json.encode({"ready": ready, "reason": reason})
    return f"{time.strftime('%H:%M:%S')}  {'ready' if ready else 'not ready: ' + printable(reason)}"
