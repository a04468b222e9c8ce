"""A store that was restored from a backup, with a real etcd and its own tool, and with the one in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from aetcd import rpc

from tests.support import snapshots
from tests.testing.sides import LONG, Memory, Real, create, reached, refused, watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.anyio, pytest.mark.thorough]

BUMP = 1_000
OTHER_CLUSTER = 0xABC


@pytest.fixture(params=["real", "memory"])
async def etcd(request: pytest.FixtureRequest, etcd_version: str) -> AsyncIterator[Any]:
    """Give each of both, with two keys, one of them under a lease."""
    made: Any = Real() if request.param == "real" else Memory(etcd_version)
    try:
        await reached(made)
        yield made
    finally:
        await made.close()


class Before(NamedTuple):
    """A store with a backup, and what was written since."""

    backup: Any
    header: Any
    """Of an answer at the time of the backup."""
    revision: int
    """When it was restored."""
    lease: int


async def backed_up(etcd: Any) -> Before:
    etcd.put("/a", "1")
    etcd.put("/a", "2")
    lease = (await etcd.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=600), timeout=LONG)).ID
    await etcd.stubs.kv.Put(rpc.PutRequest(key=b"/leased", value=b"1", lease=lease), timeout=LONG)
    header = (await read(etcd)).header
    backup = etcd.backup()
    for _ in range(20):
        etcd.put("/a", "3")
    return Before(backup, header, etcd.revision, lease)


async def read(etcd: Any, **more: Any) -> Any:
    return await etcd.stubs.kv.Range(rpc.RangeRequest(key=b"/a", **more), timeout=LONG)


@pytest.mark.parametrize("other", [False, True], ids=["same-token", "other-token"])
async def test_a_restore_brings_the_revision_and_the_leases_of_the_backup(etcd: Any, other: bool) -> None:
    before = await backed_up(etcd)
    etcd.rewind(before.backup, cluster_id=OTHER_CLUSTER if other else before.header.cluster_id)
    await reached(etcd)
    answer = await read(etcd)
    assert (answer.kvs[0].value, answer.header.revision) == (b"2", before.header.revision)
    assert (answer.header.cluster_id != before.header.cluster_id) is other
    assert answer.header.raft_term == 2
    living = await etcd.stubs.lease.LeaseTimeToLive(
        rpc.LeaseTimeToLiveRequest(ID=before.lease, keys=True), timeout=LONG
    )
    assert (living.grantedTTL, list(living.keys)) == (600, [b"/leased"])
    assert (await read(etcd, revision=before.header.revision - 2)).kvs[0].value == b"1", "its history is there"
    async with watching(etcd) as stream:
        await create(stream, key=b"/a", start_revision=before.header.revision)
        etcd.put("/a", "4")
        (event,) = (await stream.read()).events
        assert (event.kv.value, event.kv.mod_revision) == (b"4", before.header.revision + 1)


@pytest.mark.parametrize("other", [False, True], ids=["same-token", "other-token"])
async def test_a_restore_that_bumps_the_revision_compacts_all_before(etcd: Any, other: bool) -> None:
    if etcd.real and not snapshots.can_bump():
        pytest.skip("etcd up to 3.4.23 and 3.5.1 restores without --bump-revision")
    before = await backed_up(etcd)
    etcd.rewind(before.backup, cluster_id=OTHER_CLUSTER if other else before.header.cluster_id, bump_revision=BUMP)
    await reached(etcd)
    bumped = before.header.revision + BUMP
    answer = await read(etcd)
    assert (answer.kvs[0].value, answer.header.revision) == (b"2", bumped)
    assert answer.kvs[0].mod_revision == before.header.revision - 1, "the keys keep their own revisions"
    assert (answer.header.cluster_id != before.header.cluster_id) is other
    code, words = await refused(read(etcd, revision=before.revision))
    assert (code, words) == (
        rpc.StatusCode.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted"
    )  # fmt: skip
    async with watching(etcd) as stream:
        reply = await create(stream, key=b"/a", start_revision=before.revision)
        assert (reply.created, reply.canceled) == (True, False)
        reply = await stream.read()
        assert (reply.canceled, reply.compact_revision) == (True, bumped)
    etcd.put("/a", "4")
    assert (await read(etcd)).kvs[0].mod_revision == bumped + 1
