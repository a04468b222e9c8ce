"""Whether the history of a prefix is still the one that we know: a store may be put back to an older backup.

One that has fewer revisions than we have seen is told by that. One that has gone on, past what we have seen, before we
hear it again is not: its watch goes on from there, and says nothing of what differs before. (Nor does the raft term
tell: a member that was stopped for the backup had the same one when it went on.) To put a store back takes a restart,
and that ends our connection. So on each new connection what is there is compared with what we know: that nothing in
it is newer than what we know to be newest, that this is there, and how many keys there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.etcd.client import LIST_TIMEOUT, range_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.etcd.connection import Connection

_DELETE = rpc.Event.EventType.DELETE


class _Newest(NamedTuple):
    key: bytes
    revision: int
    deleted: bool


class Continuity:
    """What is known of the history of one prefix."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._connection: Connection | None = None
        """The one on which the history was listed, or found to be the one that we know."""
        self._newest = _Newest(prefix, 0, deleted=True)

    def begins(self, connection: Connection) -> None:
        """Note that a list begins."""
        self._connection = connection
        self._newest = _Newest(self._prefix, 0, deleted=True)

    def listed(self, items: Sequence[rpc.KeyValue]) -> None:
        """Note items of a list."""
        if items:
            revisions = [item.mod_revision for item in items]
            newest = max(revisions)
            if newest > self._newest.revision:
                self._newest = _Newest(items[revisions.index(newest)].key, newest, deleted=False)

    def happened(self, events: Sequence[rpc.Event]) -> None:
        """Note events of the watch."""
        last = events[-1]
        self._newest = _Newest(last.kv.key, last.kv.mod_revision, deleted=last.type == _DELETE)

    async def holds(
        self, client: EtcdClient, connection: Connection, revision: int, count: Callable[[], int | None]
    ) -> bool:
        """Tell whether the store has the history that we know, up to a revision.

        Asks only on another connection. etcd goes through all keys of the prefix for it, which takes it 1 us a key
        (measured), and sends one at the most. Raises the errors of the client's calls.

        :param count: gives how many keys we know; ``None`` where we can't tell. Asked only where it matters.
        """
        if connection is self._connection:
            return True
        newest, doing = self._newest, f"compare {self._prefix.decode(errors='replace')}"
        request = rpc.RangeRequest(
            key=self._prefix, range_end=range_end(self._prefix), revision=revision, keys_only=True, limit=1,
            min_mod_revision=newest.revision + 1,
        )  # fmt: skip
        newer = await client.range(request, doing, LIST_TIMEOUT)
        if newer.kvs or count() not in (None, newer.count):
            return False
        request = rpc.RangeRequest(key=newest.key, revision=revision, keys_only=True)
        found = (await client.range(request, doing)).kvs
        if [item.mod_revision for item in found] != ([] if newest.deleted else [newest.revision]):
            return False
        self._connection = connection
        return True
