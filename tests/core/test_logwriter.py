"""The thread that writes log lines: what it does while nobody takes them, and once somebody does again."""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import time

from ha_monitor.cli.logwriter import LogWriter

LINE = "x" * 1_000


class Stuck(io.StringIO):
    """A stream that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.tried, self.let_go, self.is_full = threading.Event(), threading.Event(), False

    def write(self, text: str) -> int:
        self.tried.set()
        assert self.let_go.wait(30)
        if self.is_full:
            self.is_full = False
            raise OSError
        return super().write(text)


def log(writer: LogWriter, words: str) -> None:
    writer.handle(logging.makeLogRecord({"msg": words}))


def test_what_finds_no_room_is_counted_where_it_is_missing() -> None:
    with contextlib.redirect_stderr(Stuck()) as stream:
        writer = LogWriter()
        log(writer, "first")
        assert stream.tried.wait(30)
        for number in range(5_000):
            log(writer, f"{number} {LINE}")
        stream.let_go.set()
        give_up = time.monotonic() + 30
        while "missing" not in stream.getvalue():  # though no other line comes
            assert time.monotonic() < give_up
            time.sleep(0.001)
        log(writer, "last")
        writer.finish()
        first, *lines, count, last = stream.getvalue().splitlines()
        assert (first, last) == ("first", "last")
        assert lines == [f"{number} {LINE}" for number in range(len(lines))]
        assert 2_000 < len(lines) < 2_200, "2 MiB of them"
        assert count == f"lines that are missing here, since they could not be written: {5_000 - len(lines)}"


def test_its_end_is_not_held_up() -> None:
    with contextlib.redirect_stderr(Stuck()) as stream:
        writer = LogWriter()
        log(writer, "first")
        began = time.monotonic()
        writer.finish()
        assert 0.9 < time.monotonic() - began < 3
        stream.let_go.set()


def test_what_a_full_disk_did_not_take_is_counted_once_it_does() -> None:
    with contextlib.redirect_stderr(Stuck()) as stream:
        stream.is_full = True
        writer = LogWriter()
        log(writer, "first")
        assert stream.tried.wait(30)
        stream.let_go.set()
        log(writer, "second")
        writer.finish()
        assert stream.getvalue().splitlines()[0] == "second"
        assert stream.getvalue().endswith("could not be written: 1\n")
