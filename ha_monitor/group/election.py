"""The transactions of a group: join it, take a shard, give it up. Each compares what it goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.errors import GroupRefused
from ha_monitor.etcd.ranges import range_end
from ha_monitor.group.roster import agreed_shards, charter

if TYPE_CHECKING:
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.group.roster import Roster

_CREATE, _VALUE = rpc.Compare.CompareTarget.CREATE, rpc.Compare.CompareTarget.VALUE


class Identity(NamedTuple):
    """A member: its id, the revision at which its key was created, and the lease that the key hangs on."""

    id: str
    joined_at: int
    lease: int


async def join(client: EtcdClient, roster: Roster, member: str, shards: int, lease: int) -> int:
    """Put a member's key; give the revision at which it was created.

    Raises :class:`GroupRefused` where the members that are there share another number of shards: the same resource
    would be two members' at once. That they agree is for the transaction to compare: two may come at the same moment.
    """
    prefix, value = roster.members_prefix, charter(shards)
    everybody = {"key": prefix, "range_end": range_end(prefix)}
    nobody = rpc.Compare(target=_CREATE, create_revision=0, **everybody)
    agreed = rpc.Compare(target=_VALUE, value=value, **everybody)  # does not hold where there are none
    put = rpc.RequestOp(request_put=rpc.PutRequest(key=roster.member_key(member), value=value, lease=lease))
    look = rpc.RequestOp(request_range=rpc.RangeRequest(**everybody))
    while True:
        for comparison in (nobody, agreed):
            request = rpc.TxnRequest(compare=[comparison], success=[put], failure=[look])
            reply = await client.txn(request, f"join {roster.prefix}")
            if reply.succeeded:
                return int(reply.header.revision)
        for item in reply.responses[0].response_range.kvs:
            if item.value != value:
                raise GroupRefused(_words(roster, item, shards))


def _words(roster: Roster, item: rpc.KeyValue, shards: int) -> str:
    other = item.key.decode("utf-8", "replace").rpartition("/")[2]
    theirs = agreed_shards(item.value)
    known = "?" if theirs is None else theirs
    return (
        f"{roster.prefix}: member {other} runs with --shards {known}, this one with --shards {shards}:"
        " all members of a group have to agree. End the others first, or give the group another name"
    )


async def claim(client: EtcdClient, roster: Roster, shard: int, member: Identity, created: int = 0) -> int | None:
    """Put a shard's key; give the revision of the put, ``None`` where the key was not created at ``created``.

    :param created: 0: take a shard that no member has. Else: put the key again that this member created then, and that
        another client put over.
    """
    key = roster.shard_key(shard)
    request = rpc.TxnRequest(
        compare=[
            rpc.Compare(target=_CREATE, key=key, create_revision=created),
            _is_member(roster, member),
        ],
        success=[rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=member.id.encode(), lease=member.lease))],
    )
    reply = await client.txn(request, f"take shard {shard}")
    return int(reply.header.revision) if reply.succeeded else None


async def touch(client: EtcdClient, roster: Roster, shards: int, member: Identity) -> None:
    """Put a member's key again. Raises :class:`EtcdError` where etcd takes no writes: no member could take a shard."""
    put = rpc.PutRequest(key=roster.member_key(member.id), value=charter(shards), lease=member.lease)
    request = rpc.TxnRequest(compare=[_is_member(roster, member)], success=[rpc.RequestOp(request_put=put)])
    await client.txn(request, f"put the key of member {member.id}")


async def release(client: EtcdClient, roster: Roster, shard: int, revision: int) -> bool:
    """Give up a shard whose key was created at ``revision``; tells whether it was: it may be another's by now."""
    key = roster.shard_key(shard)
    request = rpc.TxnRequest(
        compare=[rpc.Compare(target=_CREATE, key=key, create_revision=revision)],
        success=[rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key))],
    )
    reply = await client.txn(request, f"give up shard {shard}")
    return bool(reply.succeeded)


def _is_member(roster: Roster, member: Identity) -> rpc.Compare:
    return rpc.Compare(target=_CREATE, key=roster.member_key(member.id), create_revision=member.joined_at)
