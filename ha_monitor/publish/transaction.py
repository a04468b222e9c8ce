"""A transaction of etcd that writes many records, each fenced by the revision of its config.

Where several monitors share the work, each is fenced by the key of its shard as well, and by the revisions of the
states that it goes by: what is not right at the very revision at which it would be written is not written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetcd import rpc
from msgspec import Struct

from ha_monitor.publish.desire import Put

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.evaluate.unit import Family
    from ha_monitor.publish.desire import Delete
    from ha_monitor.publish.fence import Fence

COMPARISONS_IN_A_TRANSACTION = 128
"""etcd's ``--max-txn-ops`` default, which counts comparisons and writes, whichever are more."""

_MOD, _CREATE = rpc.Compare.CompareTarget.MOD, rpc.Compare.CompareTarget.CREATE


class Write(Struct, frozen=True):
    """One record's part: what is wanted of ``key``, the revision it was last seen at, and the key of its config."""

    family: Family
    id: str
    wanted: Put | Delete
    key: bytes
    revision: int
    config_key: bytes
    since: float
    """When it was first asked for, in monotonic seconds."""
    fence: Fence | None = None
    states: tuple[tuple[bytes, int], ...] = ()
    """The states that it goes by, each with its revision (0: it is not there)."""

    @property
    def comparisons(self) -> tuple[tuple[bytes, int], ...]:
        """The keys that must be at some revision, and it.

        The config must be as it was rendered. A record is deleted only as we saw it; a put needs no such comparison,
        since what should stand there does not hang on what stood there.
        """
        config = (self.config_key, self.wanted.config_revision)
        return (config, *self.states) if isinstance(self.wanted, Put) else (config, (self.key, self.revision))


def request(writes: Sequence[Write]) -> rpc.TxnRequest:
    """Build the transaction; it is filled in place, since every message that is handed over is copied."""
    built = rpc.TxnRequest()
    compare, success = built.compare, built.success
    for fence in fences(writes):
        compare.add(target=_CREATE, key=fence.key, create_revision=fence.revision)
    for write in writes:
        for key, revision in write.comparisons:
            compare.add(target=_MOD, key=key, mod_revision=revision)  # EQUAL is the default result
        operation = success.add()
        wanted = write.wanted
        if isinstance(wanted, Put):
            put = operation.request_put
            put.key = write.key
            put.value = wanted.value
        else:
            operation.request_delete_range.key = write.key
    return built


def question(writes: Sequence[Write]) -> rpc.TxnRequest:
    """Build a transaction that reads what another one has compared."""
    asked = rpc.TxnRequest()
    keys = [fence.key for fence in fences(writes)]
    keys += [key for write in writes for key, _ in write.comparisons]
    for key in keys:
        one = asked.success.add().request_range
        one.key = key
        one.keys_only = True
    return asked


def fences(writes: Iterable[Write]) -> Iterable[Fence]:
    """Give the fences of writes, each once."""
    return dict.fromkeys(write.fence for write in writes if write.fence is not None)


def holding(writes: Sequence[Write], answer: rpc.TxnResponse) -> list[Write]:
    """Give the writes whose comparisons hold, by the answer to :func:`question`."""
    found = (response.response_range.kvs for response in answer.responses)
    standing = set()
    for fence in fences(writes):
        kvs = next(found)
        if kvs and kvs[0].create_revision == fence.revision:
            standing.add(fence)
    hold = []
    for write in writes:
        kvs = [next(found) for _ in write.comparisons]
        revisions = [items[0].mod_revision if items else 0 for items in kvs]
        fenced = write.fence is None or write.fence in standing
        if fenced and revisions == [revision for _, revision in write.comparisons]:
            hold.append(write)
    return hold


async def commit(client: EtcdClient, writes: Sequence[Write]) -> tuple[Sequence[Write], int]:
    """Write those whose comparisons hold; give them, and the revision at which they were written."""
    reply = await client.txn(request(writes), "publish")
    while not reply.succeeded and writes:
        answer = await client.txn(question(writes), "read what was compared")
        hold = holding(writes, answer)
        writes = hold if len(hold) < len(writes) else []  # it was another moment: all of them are looked at again
        if writes:
            reply = await client.txn(request(writes), "publish")
    return writes, reply.header.revision
