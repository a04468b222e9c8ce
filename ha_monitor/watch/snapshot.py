"""What is in etcd at one revision, all of it in memory: for questions that are asked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.errors import EtcdCompacted, EtcdTooLarge
from ha_monitor.etcd.client import LIST_TIMEOUT
from ha_monitor.etcd.ranges import next_start, range_end
from ha_monitor.watch.state_machine import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ha_monitor.etcd.client import EtcdClient


class Item(NamedTuple):
    """A key's value, etcd's mod_revision of it, and how often the key was put."""

    value: bytes
    revision: int
    puts: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Keys as they stood at ``revision``. ``numbered``: they are of a file, and the revisions are places in it."""

    items: Mapping[bytes, Item]
    revision: int
    numbered: bool = False

    @classmethod
    def of(cls, keys: Mapping[str, bytes]) -> Snapshot:
        """Give the keys of a file."""
        items = {_bytes(key): Item(value, place, 1) for place, (key, value) in enumerate(keys.items(), 1)}
        return cls(items, len(items), numbered=True)

    def value(self, key: bytes) -> bytes | None:
        """Give a key's value; ``None`` where there is no such key."""
        item = self.items.get(key)
        return None if item is None else item.value

    def after(self, changes: Mapping[bytes, bytes | None]) -> Snapshot:
        """Give what stands there once these keys were put (``None``: deleted), all at the next revision."""
        items, revision = dict(self.items), self.revision + 1
        for key, value in changes.items():
            known = items.get(key)
            if value is not None:
                items[key] = Item(value, revision, 1 if known is None else known.puts + 1)
            elif known is not None:
                del items[key]
        return Snapshot(items, revision, self.numbered)


def _nothing() -> None:
    """Do nothing."""


async def read_snapshot(
    client: EtcdClient, prefixes: Iterable[str], *, keys_only: bool = False, on_page: Callable[[], None] = _nothing
) -> Snapshot:
    """Read all keys under some prefixes, page by page, all at one revision. Raises the errors of the client's calls.

    :param keys_only: leave out the values.
    :param on_page: called for each page that has come.
    """
    roots = sorted({_bytes(prefix) for prefix in prefixes})
    roots = [root for root in roots if not any(root != other and root.startswith(other) for other in roots)]
    while True:
        try:
            return await _read(client, roots, on_page, keys_only=keys_only)
        except EtcdCompacted:
            pass  # the revision of the first page was compacted away meanwhile: all of it again, at a newer one


async def _read(
    client: EtcdClient, roots: Iterable[bytes], on_page: Callable[[], None], *, keys_only: bool
) -> Snapshot:
    items: dict[bytes, Item] = {}
    revision, limit = 0, PAGE
    for root in roots:
        start: bytes | None = root
        doing = f"read {root.decode(errors='replace')}"
        while start is not None:
            request = rpc.RangeRequest(
                key=start, range_end=range_end(root), limit=limit, revision=revision, keys_only=keys_only
            )
            try:
                page = await client.range(request, doing, LIST_TIMEOUT)
            except EtcdTooLarge:
                if limit == 1:
                    raise
                limit //= 2
                continue
            on_page()
            revision = revision or page.header.revision
            for item in page.kvs:
                items[item.key] = Item(item.value, item.mod_revision, item.version)
            start = next_start(start, page, doing)
    return Snapshot(items, revision)


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")
