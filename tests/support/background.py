"""Work beside a test, in a thread that ends when it is told to."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDS_WITHIN = 30.0
"""Seconds: a call to an etcd that is frozen takes its whole deadline."""


class Background:
    """A thread that does something again and again; it can end and begin again."""

    def __init__(self, work: Callable[[], None], pause: float) -> None:
        """Prepare.

        :param work: done again and again; asks for :attr:`is_ending` where it takes long.
        :param pause: seconds before each time.
        """
        self._work = work
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread()

    @property
    def is_ending(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

    def begin(self) -> None:
        """Start the thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Wait until the work under way is done, and do no more."""
        self._stop.set()
        self._thread.join(_ENDS_WITHIN)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            self._work()
