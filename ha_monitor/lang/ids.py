"""What may be an id: the last segment of an etcd key, so that no mapped value leads a reader out of its prefix."""

from __future__ import annotations

import re

import msgspec

from ha_monitor.errors import Problem

MAX_ID_BYTES = 1024
"""Chosen: far above every id seen, far below etcd's limit of a request."""

_SHOWN = 60  # characters of an offending text that a problem quotes
_ID = re.compile(r"[^/\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def is_id(text: str) -> bool:
    """Tell whether ``text`` is one path segment that may stand in a key."""
    if text in (".", ".."):
        return False
    # what nearly all ids are, four times as fast as the pattern
    if text.isascii() and text.isprintable() and "/" not in text:
        return 0 < len(text) <= MAX_ID_BYTES
    if _ID.fullmatch(text) is None:
        return False
    return len(text) * 4 <= MAX_ID_BYTES or len(text.encode()) <= MAX_ID_BYTES


def check_id(text: str) -> None:
    """Let a valid id pass.

    Raises:
        Problem: ``text`` is empty, more than 1024 bytes of UTF-8, has a ``/``, a line break or a control
            character in it, or is ``.`` or ``..``.
    """
    if is_id(text):
        return
    if not text:
        raise Problem("an id is empty")
    if "/" in text:
        raise Problem(f"the id {quote(text)} has a / in it: an id is one path segment")
    if text in (".", ".."):
        raise Problem(f"the id {quote(text)} is no name of a resource")
    if _ID.fullmatch(text) is None:
        raise Problem(f"the id {quote(text)} has a control character or line break in it")
    raise Problem(f"the id {quote(text)} is longer than {MAX_ID_BYTES} bytes")


def id_text(value: object) -> str:
    """Return an id as text: text as it is, a JSON number or boolean as its JSON text.

    Raises:
        Problem: ``value`` is a list, an object or an integer of more than 64 bits.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, float)) or (isinstance(value, int) and value.bit_length() <= 64):
        return msgspec.json.encode(value).decode()
    raise Problem(f"an id is text, not {quote(value)}")


def cut(name: str) -> str:
    """Return a name as a problem shows it: cut at 60 characters."""
    return name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…"


def quote(value: object) -> str:
    """Return ``value`` as a problem shows it: ``'text'``, other values as JSON, both cut at 60 characters."""
    if isinstance(value, str):
        shown = repr(value[: _SHOWN + 1])
    else:
        try:
            shown = msgspec.json.encode(value).decode(errors="replace")
        except (TypeError, ValueError, OverflowError, RecursionError):
            shown = f"a value of type {type(value).__name__}"
    return shown if len(shown) <= _SHOWN + 2 else f"{shown[:_SHOWN]}…"
