"""How far a long wait is: a line that changes on a terminal, elsewhere one now and then."""

from __future__ import annotations

import contextlib
import math
import sys
from typing import TYPE_CHECKING, NamedTuple

import anyio

from ha_monitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ha_monitor.monitor import HaMonitor

_DRAW = 0.2  # seconds between two looks, on a terminal
_SAY = 5.0  # the same elsewhere


class Progress(NamedTuple):
    """Takes the words for how far it is, every so many seconds."""

    tell: Callable[[str], None]
    every: float


@contextlib.contextmanager
def progress(say: Callable[[str], None], *, draw: bool = True) -> Iterator[Progress]:
    """Show how far it is for the time of a ``with`` block.

    :param say: takes a line, where there is no terminal to draw on.
    :param draw: draw on a terminal, where stderr is one.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    if not (draw and console.is_terminal and sys.stderr.isatty()):
        yield Progress(say, _SAY)
        return
    with console.status("") as drawn:
        yield Progress(lambda words: drawn.update(Text(printable(words))), _DRAW)


async def until_synced(monitor: HaMonitor, shown: Progress, wait: float = math.inf) -> bool:
    """Wait until everything is listed and evaluated, and tell how far that is.

    :param wait: give up, and return ``False``, after so many seconds without any progress.
    """
    far, since = monitor.progress(), anyio.current_time()
    while True:
        with anyio.move_on_after(min(shown.every, max(since + wait - anyio.current_time(), 0.0))):
            await monitor.synced()
            return True
        if monitor.progress() != far:
            far, since = monitor.progress(), anyio.current_time()
        elif anyio.current_time() >= since + wait:
            return False
        shown.tell(words(monitor))


def words(monitor: HaMonitor) -> str:
    """Say how far it is, or why it is no further."""
    far = monitor.progress()
    return str(far) if far.keys else f"waiting: {monitor.readiness().reason}"
