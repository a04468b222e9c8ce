"""Log lines that a thread writes: a service goes on where whoever reads them has stopped reading."""

from __future__ import annotations

import logging
import os
import select
import sys
import threading

_MOST = 2 * 1024 * 1024
"""Characters that wait to be written, at most. Chosen: the 10,000 changes that one subscriber may be behind."""

_PATIENCE = 1.0  # seconds that the end of a service waits for what is not written yet


class LogWriter(logging.Handler):
    """Takes lines and never waits. Where there is no room left they are dropped, and counted once there is."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: list[str] = []
        self._size = 0
        self._dropped = 0
        self._ended = False
        # The handler's own lock: a finalizer that logs runs in any thread, and would meet two in the wrong order.
        self._changed = threading.Condition(self.lock)
        # A write may hang for good, and only a daemon is left behind by an interpreter that ends.
        self._thread = threading.Thread(target=self._write_on, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue its line."""
        try:
            line = f"{self.format(record)}\n"
        except Exception:  # noqa: BLE001 - as every handler of logging has it
            self.handleError(record)
            return
        with self._changed:
            if self._dropped or self._size + len(line) > _MOST:
                self._dropped += 1
                return
            self._waiting.append(line)
            self._size += len(line)
            self._changed.notify()

    def finish(self) -> None:
        """Write what waits for about a second; what is not written by then never is."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(_PATIENCE)

    def _write_on(self) -> None:
        lost = 0
        while True:
            with self._changed:
                while not (self._waiting or self._dropped or self._ended):
                    self._changed.wait()
                lines, dropped = self._waiting, self._dropped
                self._waiting, self._size, self._dropped = [], 0, 0
            if not (lines or dropped):
                return
            lost += dropped
            try:
                # All at once: after each write the thread waits for its turn beside a busy loop.
                _write("".join(lines) + (self._count(lost) if lost else ""))
                lost = 0
            except OSError:  # a full disk, or nobody has the other end any more
                lost += len(lines)

    def _count(self, lost: int) -> str:
        words = "lines that are missing here, since they could not be written: %d"
        return f"{self.format(logging.makeLogRecord(_WARNING | {'msg': words, 'args': (lost,)}))}\n"


_WARNING = {"name": __name__, "levelno": logging.WARNING, "levelname": "WARNING"}


def _write(text: str) -> None:
    stream = sys.__stderr__
    if stream is None or stream is not sys.stderr:  # a progress line on a terminal has its place for a while
        sys.stderr.write(text)
        sys.stderr.flush()
        return
    # Past the stream: its lock would be held by a write that hangs, and the interpreter takes that at its end.
    left = memoryview(text.encode(stream.encoding, "backslashreplace"))
    while left:
        try:
            left = left[os.write(stream.fileno(), left) :]
        except BlockingIOError:  # another process that writes there wants it so
            select.select([], [stream], [])
