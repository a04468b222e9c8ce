"""Ranges of keys, as etcd has them."""

from __future__ import annotations


def range_end(prefix: bytes) -> bytes:
    """Give the end of the range of all keys with ``prefix`` (aetcd's own is wrong for a prefix that ends in 0xff)."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\0"
