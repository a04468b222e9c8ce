"""A transaction of etcd that writes many records, each fenced by the revision of its config.

Where several monitors share the work, each is fenced by the key of its shard as well, and by the revision of all that
it goes by: what is not right at the very revision at which it would be written is not written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from aetcd import rpc
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.evaluate.unit import Family
    from ha_monitor.publish.fence import Fence

COMPARISONS_IN_A_TRANSACTION = 128
"""etcd's ``--max-txn-ops`` default, which counts comparisons and writes, whichever are more."""

BYTES_IN_A_TRANSACTION = 1 << 20
"""Of keys and values: etcd's ``--max-request-bytes`` is 1.5 MiB by default, and what is around them counts as well."""

_MOD, _CREATE = rpc.Compare.CompareTarget.MOD, rpc.Compare.CompareTarget.CREATE

RecordId: TypeAlias = "tuple[Family, str]"
"""Which record: that of a resource, by type and id."""

Comparison: TypeAlias = "tuple[int, bytes, int]"
"""Which of a key's revisions (of its creation, of its last change), the key, and what it must be; 0: no such key."""


class Write(Struct, frozen=True):
    """One record's part: what is to stand at ``key`` (``None``: nothing), and the revision it was last seen at.

    It is of the resource ``of``. It lands only where the config is as it was rendered, at ``config_revision`` (0: is
    not there), and where its ``conditions`` hold: those of :func:`conditions_of`, one at least where it is a deletion
    or puts a record ``again``.
    """

    of: RecordId
    key: bytes
    value: bytes | None
    revision: int
    config_key: bytes
    config_revision: int
    since: float
    """When it was first asked for, in monotonic seconds."""
    conditions: tuple[Comparison, ...] = ()
    again: bool = False
    """It puts what stands there already."""

    def comparisons(self) -> tuple[Comparison, ...]:
        """Give what must be so for it to land, the config first."""
        return (_MOD, self.config_key, self.config_revision), *self.conditions


def conditions_of(
    as_seen: tuple[bytes, int] | None, fence: Fence | None, grounds: Iterable[tuple[bytes, int]]
) -> tuple[Comparison, ...]:
    """Give what must be so for a write to land, beside its config.

    :param as_seen: a record, with its revision, that is to go or to be put again only as we saw it. Any other put needs
        no such comparison, since what should stand there does not hang on what stood there.
    :param grounds: what the record goes by beside its config, each key with its revision (0: it is not there).
    """
    seen = () if as_seen is None else ((_MOD, *as_seen),)
    ours = () if fence is None else ((_CREATE, fence.key, fence.revision),)
    return *seen, *ours, *[(_MOD, key, revision) for key, revision in grounds]


class Batch:
    """The writes of one transaction, and what it compares: each key once, however many writes go by it."""

    def __init__(self, writes: Iterable[Write] = (), room: int = COMPARISONS_IN_A_TRANSACTION) -> None:
        """Begin with some writes, of which all have room.

        :param room: how many writes there may be.
        """
        self.writes: list[Write] = []
        self.request = rpc.TxnRequest()
        self._compare, self._success = self.request.compare, self.request.success
        self._shared: set[Comparison] = set()
        """What those compare that have conditions."""
        self._conditional: set[bytes] = set()
        """The keys that these conditions are of."""
        self._written: set[bytes] = set()
        self._room = room
        self._bytes = 0
        for write in writes:
            self.add(write)

    def contradicts(self, write: Write) -> bool:
        """Tell whether one of them writes what another goes by, or writes as well.

        All comparisons come before all writes: it would be out of date at the very revision that it is written at. And
        etcd refuses a transaction that puts a key twice.
        """
        written = self._written
        if write.key in written or write.key in self._conditional:
            return True
        return bool(write.conditions) and not written.isdisjoint([key for _, key, _ in write.conditions])

    def add(self, write: Write) -> bool:
        """Take a write; tells whether there was room for it. The first one has room, however large it is.

        The request is filled in place, since every message that is handed over is copied.
        """
        key, value, compare, writes = write.key, write.value, self._compare, self.writes
        more: Sequence[Comparison] = ((_MOD, write.config_key, write.config_revision),)
        if write.conditions:  # others go by some of it as well, and two parameters may be found in one config
            more = [each for each in dict.fromkeys(write.comparisons()) if each not in self._shared]
        size = self._bytes + len(key) + (0 if value is None else len(value))
        if writes and (
            len(writes) == self._room
            or len(compare) + len(more) > COMPARISONS_IN_A_TRANSACTION
            or size > BYTES_IN_A_TRANSACTION
        ):
            return False
        for target, compared, revision in more:
            size += len(compared)
            one = compare.add()  # EQUAL is the default result
            one.target = target
            one.key = compared
            if target == _MOD:
                one.mod_revision = revision
            else:
                one.create_revision = revision
        self._bytes = size
        if write.conditions:
            self._shared.update(more)
            self._conditional.update([compared for _, compared, _ in write.conditions])
        if value is None:
            self._success.add().request_delete_range.key = key
        else:
            put = self._success.add().request_put
            put.key = key
            put.value = value
        self._written.add(key)
        writes.append(write)
        return True

    def _all_compared(self) -> Iterable[Comparison]:
        """Give what is compared, each once: a config that another goes by, too, may be in the request twice."""
        return dict.fromkeys([comparison for write in self.writes for comparison in write.comparisons()])

    def question(self) -> rpc.TxnRequest:
        """Build a transaction that reads what this one compares."""
        asked = rpc.TxnRequest()
        for _, key, _ in self._all_compared():
            one = asked.success.add().request_range
            one.key = key
            one.keys_only = True
        return asked

    def holding(self, answer: rpc.TxnResponse) -> list[Write]:
        """Give the writes whose comparisons hold, by the answer to :meth:`question`."""
        true = set()
        for comparison, response in zip(self._all_compared(), answer.responses, strict=True):
            target, _, revision = comparison
            kvs = response.response_range.kvs
            found = 0 if not kvs else kvs[0].mod_revision if target == _MOD else kvs[0].create_revision
            if found == revision:
                true.add(comparison)
        return [write for write in self.writes if true.issuperset(write.comparisons())]


async def commit(client: EtcdClient, batch: Batch) -> tuple[Sequence[Write], int]:
    """Write those whose comparisons hold; give them, and the revision at which they were written."""
    reply = await client.txn(batch.request, "publish")
    while not reply.succeeded and batch.writes:
        answer = await client.txn(batch.question(), "read what was compared")
        hold = batch.holding(answer)
        # Where all hold, it was another moment: all of them are looked at again.
        batch = Batch(hold if len(hold) < len(batch.writes) else ())
        if batch.writes:
            reply = await client.txn(batch.request, "publish")
    return batch.writes, reply.header.revision
