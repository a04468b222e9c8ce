"""Reads what a worker reports of a resource that it has built: which version of its config, and with which error."""

from __future__ import annotations

from typing import Any

import msgspec

LONGEST_ERROR = 500  # characters of an error that are kept


class _Report(msgspec.Struct):
    version: Any = None
    error: Any = None


_decode = msgspec.json.Decoder(_Report).decode


def read_worker_state(value: bytes) -> tuple[int | None, str]:
    """Read ``{"state": …, "version": 1, "error": ""}``: the version, and the error; empty where there is none.

    As gohan reads it (``StateUpdate`` in its ``server/state_watcher.go``): any JSON number is a version, without its
    fraction, and an error is text. The version is ``None`` where it can't be read. Never raises.
    """
    try:
        report = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, ""
    version, error = report.version, report.error
    is_number = isinstance(version, (int, float)) and not isinstance(version, bool)
    return int(version) if is_number else None, error[:LONGEST_ERROR] if isinstance(error, str) else ""
