"""How far a long wait is: a line that changes on a terminal, elsewhere one now and then."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.monitor import HaMonitor

_DRAW = 0.2  # seconds between two looks, on a terminal
_SAY = 5.0  # the same elsewhere


async def until_synced(monitor: HaMonitor, say: Callable[[str], None], *, draw: bool = True) -> None:
    """Wait until everything is listed and evaluated, and show how far that is.

    :param say: takes a line now and then, where there is no terminal to draw on.
    :param draw: draw on a terminal, where stderr is one.
    """
    from rich.console import Console

    console = Console(stderr=True)
    drawn = console.status("") if draw and console.is_terminal and sys.stderr.isatty() else None
    with drawn or contextlib.nullcontext():
        while True:
            if drawn is not None:
                drawn.update(words(monitor))
            with anyio.move_on_after(_SAY if drawn is None else _DRAW):
                await monitor.synced()
                return
            if drawn is None:
                say(words(monitor))


def words(monitor: HaMonitor) -> str:
    """Say how far it is, or why it is no further."""
    progress = monitor.progress()
    return str(progress) if progress.keys else f"waiting: {monitor.readiness().reason}"
