"""Decodes the JSON of a key: any, but none that is too deep to be walked through or written again."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_DEPTH = 100
"""Lists and objects within each other; chosen: ten times what real values need, a tenth of what Python can walk."""

_decode = msgspec.json.Decoder().decode


def decode(value: bytes, what: str) -> Any:
    """Decode JSON; raises ``ValueError`` in words, which begin with what it is."""
    deep = f"{what} is nested more than {MAX_DEPTH} deep"
    try:
        decoded = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{what} is not JSON: {error}") from error
    except RecursionError as error:
        raise ValueError(deep) from error
    # hardly any is that long, and of those hardly one has as many brackets
    if len(value) > 2 * MAX_DEPTH and value.count(b"{") + value.count(b"[") > MAX_DEPTH and _is_deep(decoded):
        raise ValueError(deep)
    return decoded


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        inner: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inner.extend(each.values())
            elif isinstance(each, list):
                inner.extend(each)
        level = inner
    return bool(level)
