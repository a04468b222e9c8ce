"""How times and keys are written for others."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


_CALENDAR = tuple(datetime(*day, tzinfo=timezone.utc).timestamp() for day in ((1, 1, 2), (9999, 12, 30)))
"""What can be written, and shown in any zone: a day less than Python's calendar at both ends."""


def rfc3339(at: float) -> str | None:
    """Write a time (seconds since the epoch) in UTC; ``None`` for the zero that stands for none.

    What is beyond the calendar is written as its end: somebody may wait for ever.
    """
    if not at:
        return None
    first, last = _CALENDAR
    at = min(max(at, first), last)
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def legible(text: str) -> str:
    """Give text that is UTF-8, with a question mark for each byte of a key that is not: etcd's keys are bytes."""
    return text.encode("utf-8", "replace").decode()


def printable(text: str) -> str:
    """Give text that a terminal shows as it is: what would steer it, or break the line, is written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def duration(seconds: float) -> str:
    """Say how long: ``4 min 12 s``, in the two largest units that it takes; under a second ``less than a second``."""
    left = int(seconds)
    if left < 1:
        return "less than a second"
    parts: list[tuple[int, str]] = []
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, unit)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}" for count, name in parts[:2] if count)


def ranges(numbers: Iterable[int]) -> str:
    """Write ascending numbers, those that follow one another as a range: ``0-2, 5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)


def local_time(at: str) -> str:
    """Give the time of day here, of a time as it goes over HTTP; of another day than today, with its date."""
    here = parsed(at).astimezone()
    is_today = here.date() == datetime.now().astimezone().date()
    return f"{here:%H:%M:%S}" if is_today else f"{here:%Y-%m-%d %H:%M:%S}"


def parsed(at: str) -> datetime:
    """Read a time as :func:`rfc3339` writes it."""
    return datetime.fromisoformat(at.replace("Z", "+00:00"))  # Python 3.10 does not know the Z
