"""Log lines on stderr, for people or as JSON."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING

from ha_monitor.cli.logwriter import LogWriter
from ha_monitor.text import printable, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    _Handler = logging.StreamHandler[TextIO]
else:
    _Handler = logging.StreamHandler


class _Line(logging.Formatter):
    """One line for people, whatever is in the keys that it names; a traceback has its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return printable(super().formatMessage(record))


class _Stderr(_Handler):
    """Writes to what ``sys.stderr`` is at the moment: a progress line on a terminal takes its place for a while."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        pass


def set_up(form: str, level: str) -> None:
    """Send the package's log lines to stderr, and the warnings of the libraries below it, all in one form.

    :param form: ``console`` or ``json``.
    :param level: least level of the package's own lines.
    """
    _send_to(_Stderr(), form, level)


@contextlib.contextmanager
def set_up_apart(form: str, level: str) -> Iterator[None]:
    """Do the same for the time of a ``with`` block, by a thread of its own: nobody waits for who reads the lines."""
    writer = LogWriter()
    _send_to(writer, form, level)
    try:
        yield
    finally:
        writer.finish()


def _send_to(handler: logging.Handler, form: str, level: str) -> None:
    if form == "json":
        from pythonjsonlogger.json import JsonFormatter

        class Timed(JsonFormatter):
            def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
                return rfc3339(record.created) or ""

        handler.setFormatter(
            Timed(
                "%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields={"levelname": "level", "asctime": "at"}
            )
        )
    else:
        handler.setFormatter(_Line())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ha_monitor").setLevel(level.upper())
