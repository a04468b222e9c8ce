"""A transaction of etcd that writes many records, each fenced by the revision of its config.

Where several monitors share the work, each is fenced by the key of its shard as well, and by the revision of all that
it goes by: what is not right at the very revision at which it would be written is not written.
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
    grounds: tuple[tuple[bytes, int], ...] = ()
    """What it goes by beside its config, each key with its revision (0: it is not there)."""

    @property
    def comparisons(self) -> tuple[tuple[bytes, int], ...]:
        """The keys that must be at some revision, and it.

        The config must be as it was rendered. A record is deleted only as we saw it; a put needs no such comparison,
        since what should stand there does not hang on what stood there.
        """
        config = (self.config_key, self.wanted.config_revision)
        if isinstance(self.wanted, Put):
            return (config, *self.grounds)
        return (config, (self.key, self.revision), *self.grounds)


class Batch:
    """The writes of one transaction, and what it compares: each key once, however many writes go by it."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self._fences: set[Fence] = set()
        self._compared: set[tuple[bytes, int]] = set()
        self._grounds: set[bytes] = set()
        self._written: set[bytes] = set()

    def contradicts(self, write: Write) -> bool:
        """Tell whether one of them writes what another goes by.

        All comparisons come before all writes: it would be out of date at the very revision that it is written at.
        """
        return write.key in self._grounds or any(key in self._written for key, _ in write.grounds)

    def add(self, write: Write) -> bool:
        """Take a write; tells whether there was room for it."""
        more = [comparison for comparison in write.comparisons if comparison not in self._compared]
        room = COMPARISONS_IN_A_TRANSACTION - len(self._compared) - len(self._fences)
        fences = write.fence is not None and write.fence not in self._fences
        if len(more) + fences > room or len(self.writes) == COMPARISONS_IN_A_TRANSACTION:
            return False
        self._compared.update(more)
        if write.fence is not None:
            self._fences.add(write.fence)
        self._grounds.update(key for key, _ in write.grounds)
        self._written.add(write.key)
        self.writes.append(write)
        return True


def request(writes: Sequence[Write]) -> rpc.TxnRequest:
    """Build the transaction; it is filled in place, since every message that is handed over is copied."""
    built = rpc.TxnRequest()
    compare, success = built.compare, built.success
    for fence in _fences(writes):
        compare.add(target=_CREATE, key=fence.key, create_revision=fence.revision)
    for key, revision in _compared(writes):
        compare.add(target=_MOD, key=key, mod_revision=revision)  # EQUAL is the default result
    for write in writes:
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
    for key in [fence.key for fence in _fences(writes)] + [key for key, _ in _compared(writes)]:
        one = asked.success.add().request_range
        one.key = key
        one.keys_only = True
    return asked


def _fences(writes: Iterable[Write]) -> Iterable[Fence]:
    return dict.fromkeys(write.fence for write in writes if write.fence is not None)


def _compared(writes: Iterable[Write]) -> Iterable[tuple[bytes, int]]:
    return dict.fromkeys(comparison for write in writes for comparison in write.comparisons)


def holding(writes: Sequence[Write], answer: rpc.TxnResponse) -> list[Write]:
    """Give the writes whose comparisons hold, by the answer to :func:`question`."""
    found = (response.response_range.kvs for response in answer.responses)
    standing: set[Fence | None] = {None}
    for fence in _fences(writes):
        kvs = next(found)
        if kvs and kvs[0].create_revision == fence.revision:
            standing.add(fence)
    true = set()
    for key, revision in _compared(writes):
        kvs = next(found)
        if revision == (kvs[0].mod_revision if kvs else 0):
            true.add((key, revision))
    return [write for write in writes if write.fence in standing and true.issuperset(write.comparisons)]


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
