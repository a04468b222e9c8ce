"""A command on a terminal of its own, as people run it: what it draws, and keys pressed."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

PATIENCE = 30.0  # seconds


class Terminal:
    """Runs ``ha-monitor`` with these arguments, all its streams on a terminal of 140 x 40; a context manager."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.drawn = ""
        """Everything that came out so far, with whatever steers the terminal."""
        self._master, slave = pty.openpty()
        line = [sys.executable, "-W", "error", "-m", "ha_monitor", *arguments]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HA_MONITOR_", "NO_COLOR"))}
        env |= {"TERM": "xterm-256color", "COLUMNS": "140", "LINES": "40", **environment}
        self._process = subprocess.Popen(line, stdin=slave, stdout=slave, stderr=slave, env=env)
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(5)
        os.close(self._master)

    def wait_for(self, words: str) -> str:
        """Read on until words have been drawn; gives all that was drawn until then."""
        give_up = time.monotonic() + PATIENCE
        while words not in self.drawn:
            assert time.monotonic() < give_up, f"{words!r} was not drawn: {self.drawn[-4000:]}"
            if not self._read():
                raise AssertionError(f"it ended without {words!r}: {self.drawn[-4000:]}")
        return self.drawn

    def forget(self) -> None:
        """Take what was drawn so far as seen."""
        self.drawn = ""

    def interrupt(self) -> int:
        """Press Ctrl-C; gives the exit code."""
        self._process.send_signal(signal.SIGINT)
        give_up = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < give_up, "Ctrl-C did not end it"
        return self._process.wait(5)

    def _read(self) -> bool:
        """Read what there is; tells whether it goes on."""
        if not select.select([self._master], [], [], 0.1)[0]:
            return self._process.poll() is None
        try:
            self.drawn += os.read(self._master, 65_536).decode(errors="replace")
        except OSError:  # EIO: nobody has the other end any more
            return False
        return True
