"""The keys of the etcd in memory, as a test reads and writes them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from aetcd import rpc

from ha_monitor.etcd.ranges import range_end
from ha_monitor.testing.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ha_monitor.testing.server import Server

WAIT = 120.0
"""Seconds after which a wait for a key fails, on the event loop's clock. Chosen: a state's timeout is over by then."""


class Keys:
    """Reads and writes keys at once, in the name of the operator; a part of :class:`~ha_monitor.testing.MemoryEtcd`."""

    def __init__(self, server: Server) -> None:
        self._server = server
        server.on_write = self._written
        self._news = anyio.Event()

    def _do(self, request: Any) -> Any:
        try:
            return self._server.do(request)
        except Refused as error:
            raise ValueError(str(error)) from None

    @property
    def revision(self) -> int:
        """The revision of the whole store."""
        return self._server.node.store.revision

    def put(self, key: str, value: object, lease: int = 0) -> int:
        """Put one key; give the revision."""
        request = rpc.PutRequest(key=to_key(key), value=_value(value), lease=lease)
        return int(self._do(request).header.revision)

    def delete(self, key: str) -> int:
        """Delete one key; give the revision."""
        return int(self._do(rpc.DeleteRangeRequest(key=to_key(key))).header.revision)

    def delete_prefix(self, prefix: str) -> int:
        """Delete every key that begins with a prefix, in one revision; give that."""
        request = rpc.DeleteRangeRequest(key=to_key(prefix) or b"\0", range_end=range_end(to_key(prefix)))
        return int(self._do(request).header.revision)

    def txn(self, puts: Mapping[str, object], deletes: Collection[str] = ()) -> int:
        """Put and delete keys in one revision; give that."""
        request = rpc.TxnRequest()
        for key, value in puts.items():
            request.success.add().request_put.MergeFrom(rpc.PutRequest(key=to_key(key), value=_value(value)))
        for key in deletes:
            request.success.add().request_delete_range.key = to_key(key)
        return int(self._do(request).header.revision)

    def get(self, key: str) -> bytes | None:
        """Give a key's value; ``None`` where there is no such key."""
        item = self._server.node.store.at(to_key(key), self.revision)
        return None if item is None else bytes(item.value)

    def record(self, key: str) -> Any:
        """Give a key's value, decoded from JSON; ``None`` where there is no such key."""
        value = self.get(key)
        return None if value is None else json.loads(value)

    def items(self, prefix: str = "", revision: int = 0) -> dict[str, bytes]:
        """Give all keys that begin with a prefix, with their values, now or as they were at a revision.

        Raises ``ValueError`` for a revision that was compacted away, or is still to come.
        """
        store, first = self._server.node.store, to_key(prefix)
        if revision and not max(store.compacted, 1) <= revision <= store.revision:
            raise ValueError(f"revision {revision} is not among {max(store.compacted, 1)} to {store.revision}")
        found = store.find(first or b"\0", range_end(first), revision or store.revision)
        return {item.key.decode("utf-8", "surrogateescape"): bytes(item.value) for item in found}

    async def wait(self, key: str, value: object, timeout: float = WAIT) -> None:
        """Wait until a key has a value; ``None``: until there is no such key.

        Text and bytes are compared as they are, anything else as JSON. Raises ``AssertionError``, which tells what
        stands there instead, after ``timeout`` seconds on the loop's clock.
        """
        with anyio.move_on_after(timeout):
            while not self._has(key, value):
                self._news = anyio.Event() if self._news.is_set() else self._news
                await self._news.wait()
            return
        raise AssertionError(f"{key} is {self.get(key)!r}, and not {value!r}, after {timeout:g} s")

    def _has(self, key: str, value: object) -> bool:
        stands = self.get(key)
        if value is None or stands is None or isinstance(value, (bytes, str)):
            return stands == (None if value is None else _value(value))
        with suppress(ValueError):
            return bool(json.loads(stands) == value)
        return False

    def _written(self) -> None:
        self._news.set()


def to_key(key: str) -> bytes:
    """Give a key as etcd has it."""
    return key.encode("utf-8", "surrogateescape")


def _value(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
