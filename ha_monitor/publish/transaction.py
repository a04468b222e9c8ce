"""A transaction of etcd that writes many records, each fenced by the revision of its config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetcd import rpc
from msgspec import Struct

from ha_monitor.publish.desire import Put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor.evaluate.unit import Family
    from ha_monitor.publish.desire import Delete

_MOD: rpc.Compare.CompareTarget = rpc.Compare.CompareTarget.MOD


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

    @property
    def comparisons(self) -> tuple[tuple[bytes, int], ...]:
        """The keys that must be at some revision, and it.

        The config must be as it was rendered. A record is deleted only as we saw it; a put needs no such comparison,
        since what should stand there does not hang on what stood there.
        """
        config = (self.config_key, self.wanted.config_revision)
        return (config,) if isinstance(self.wanted, Put) else (config, (self.key, self.revision))


def request(writes: Sequence[Write]) -> rpc.TxnRequest:
    """Build the transaction; it is filled in place, since every message that is handed over is copied."""
    built = rpc.TxnRequest()
    compare, success = built.compare, built.success
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
    for write in writes:
        for key, _ in write.comparisons:
            one = asked.success.add().request_range
            one.key = key
            one.keys_only = True
    return asked


def holding(writes: Sequence[Write], answer: rpc.TxnResponse) -> list[Write]:
    """Give the writes whose comparisons hold, by the answer to :func:`question`."""
    found = iter(answer.responses)
    hold = []
    for write in writes:
        kvs = [next(found).response_range.kvs for _ in write.comparisons]
        revisions = [items[0].mod_revision if items else 0 for items in kvs]
        if revisions == [revision for _, revision in write.comparisons]:
            hold.append(write)
    return hold
