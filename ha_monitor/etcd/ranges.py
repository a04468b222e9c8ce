"""Ranges of keys, as etcd has them, and the pages that they are read in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.errors import EtcdUnavailable

if TYPE_CHECKING:
    from aetcd import rpc


def range_end(prefix: bytes) -> bytes:
    """Give the end of the range of all keys with ``prefix`` (aetcd's own is wrong for a prefix that ends in 0xff)."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\0"


def next_start(start: bytes, page: rpc.RangeResponse, doing: str) -> bytes | None:
    """Give the key that the next page of a list begins at, ``None`` after the last page.

    Raises :class:`EtcdUnavailable` for a page that has more after it and makes no progress: from such a server, pages
    would come for ever.

    :param start: the key that this page began at.
    """
    if not page.more:
        return None
    if not page.kvs or page.kvs[-1].key < start:
        raise EtcdUnavailable(f"{doing}: a page makes no progress, and more is to follow")
    return bytes(page.kvs[-1].key + b"\0")
