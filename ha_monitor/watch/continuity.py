"""Whether the history of a prefix is still the one that we know: a store may be put back to an older backup.

One that has fewer revisions than we have seen is told by that. One that has gone on, past what we have seen, before we
hear it again is not: its watch goes on from there, and says nothing of what differs before. (Nor does the raft term
tell: a member that was stopped for the backup had the same one when it went on.) To put a store back takes a restart,
and that ends our watch, if not our connection, which may be to a proxy. So on each new connection, and after each end
of a watch, what is there is compared with what we know: that nothing in it is newer than what we know to be newest,
that this is there and the same, and how many keys there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.etcd.client import LIST_TIMEOUT
from ha_monitor.etcd.ranges import range_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.etcd.connection import Connection

_DELETE = rpc.Event.EventType.DELETE


class _Newest(NamedTuple):
    """The newest that is known of: a key, and what was put there at ``revision``; ``None``: it was deleted."""

    key: bytes
    revision: int
    put: tuple[int, int, bytes] | None = None
    """The revision of its creation, its version, its value."""


class Continuity:
    """What is known of the history of one prefix."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._cluster_id = 0
        self._connection: Connection | None = None
        """The one on which the history was listed, or found to be the one that we know; ``None`` since it was cut."""
        self._newest = _Newest(prefix, 0)

    def begins(self, connection: Connection) -> None:
        """Note that a list begins."""
        self._connection = connection
        self._cluster_id = connection.cluster_id
        self._newest = _Newest(self._prefix, 0)

    def interrupted(self) -> None:
        """Note that a list or a watch was broken off: it may go on in another store, on the same connection as well."""
        self._connection = None

    def listed(self, items: Sequence[rpc.KeyValue]) -> None:
        """Note items of a list."""
        if items:
            revisions = [item.mod_revision for item in items]
            newest = max(revisions)
            if newest > self._newest.revision:
                self._newest = _newest(items[revisions.index(newest)])

    def happened(self, events: Sequence[rpc.Event]) -> None:
        """Note events of the watch."""
        last = events[-1]
        self._newest = _Newest(last.kv.key, last.kv.mod_revision) if last.type == _DELETE else _newest(last.kv)

    async def holds(
        self, client: EtcdClient, connection: Connection, revision: int, count: Callable[[], int | None]
    ) -> bool:
        """Tell whether the store has the history that we know, up to a revision.

        Asks only on another connection, or after a break. etcd goes through all keys of the prefix for it, which takes
        it 1 us a key (measured), and sends two at the most. Raises the errors of the client's calls.

        :param count: gives how many keys we know; ``None`` where we can't tell. Asked only where it matters.
        """
        if connection.cluster_id != self._cluster_id:
            return False
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
        request = rpc.RangeRequest(key=newest.key, revision=revision)
        found = [_newest(item) for item in (await client.range(request, doing)).kvs]
        if found != ([] if newest.put is None else [newest]):
            return False
        self._connection = connection
        return True

    async def unchanged(self, client: EtcdClient, next_revision: int, count: Callable[[], int | None]) -> int:
        """Read whether all that is known still is what the store has; give the revision as of which that is so.

        0: it is not so, or can't be told. What was put and deleted since is not noticed, and makes no difference. As
        costly for etcd as :meth:`holds`. Raises the errors of the client's calls.

        :param next_revision: the first revision that is not known yet.
        """
        request = rpc.RangeRequest(
            key=self._prefix, range_end=range_end(self._prefix), keys_only=True, limit=1, min_mod_revision=next_revision
        )
        reply = await client.range(request, f"compare {self._prefix.decode(errors='replace')}", LIST_TIMEOUT)
        return 0 if reply.kvs or reply.count != count() else reply.header.revision


def _newest(item: rpc.KeyValue) -> _Newest:
    return _Newest(item.key, item.mod_revision, (item.create_revision, item.version, item.value))
