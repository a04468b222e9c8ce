"""How times and keys are written for others."""

from __future__ import annotations

from datetime import datetime, timezone


def rfc3339(at: float) -> str | None:
    """Write a time (seconds since the epoch) in UTC; ``None`` for the zero that stands for none."""
    if not at:
        return None
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def legible(text: str) -> str:
    """Give text that is UTF-8, with a question mark for each byte of a key that is not: etcd's keys are bytes."""
    return text.encode("utf-8", "replace").decode()
