"""Reads a maintenance key: why a resource's record and hooks are frozen, and until when."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgspec

from ha_monitor.model import Maintenance

_LONGEST_REASON = 500


def read_maintenance(value: bytes) -> Maintenance:
    """Read ``{"reason": "…", "until": "2026-03-01T03:12:00Z"}``; both may be left out.

    ``until`` is RFC 3339 (without an offset: UTC), or seconds since the epoch. Somebody who put a key wants a freeze:
    one that can't be read freezes until it is taken away, and says so.
    """
    try:
        given: Any = msgspec.json.decode(value) if value.strip() else {}
        if not isinstance(given, dict):
            raise ValueError("it is not an object")
        reason, until = given.get("reason"), _time(given.get("until"))
    except (ValueError, OverflowError, OSError, RecursionError, msgspec.DecodeError) as error:
        return Maintenance(f"until it is taken away, since it can't be read: {error}"[:_LONGEST_REASON], None)
    return Maintenance(("" if reason is None else str(reason))[:_LONGEST_REASON], until)


def _time(until: object) -> float | None:
    if until is None:
        return None
    if isinstance(until, str):
        text = until[:-1] + "+00:00" if until[-1:] in ("Z", "z") else until  # Python 3.10 does not know the Z
        parsed = datetime.fromisoformat(text)
        until = (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()
    elif isinstance(until, bool) or not isinstance(until, (int, float)):
        raise ValueError("its until is no time")
    datetime.fromtimestamp(until, timezone.utc)  # milliseconds are no time, nor is a year that UTC does not have
    return float(until)
