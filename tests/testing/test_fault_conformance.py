"""What a client meets when things go wrong, with a real etcd and with the one in memory: codes and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aetcd import rpc

from ha_monitor.etcd.connection import Access, dial
from ha_monitor.etcd.faults import classify
from tests.support.cluster import Cluster
from tests.testing.sides import LONG, Memory, Real, create, reached, refused, request_progress, watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ha_monitor.etcd.connection import Stubs

pytestmark = [pytest.mark.anyio, pytest.mark.thorough]
_Code = rpc.StatusCode


@pytest.fixture(params=["real", "memory"])
async def etcd(request: pytest.FixtureRequest, etcd_version: str) -> AsyncIterator[Any]:
    """Give each of both, with a key."""
    made: Any = Real() if request.param == "real" else Memory(etcd_version)
    try:
        made.put("/a", "1")
        await reached(made)
        yield made
    finally:
        await made.close()


async def read(etcd: Any, key: bytes = b"/a", **more: Any) -> Any:
    return await etcd.stubs.kv.Range(rpc.RangeRequest(key=key), **{"timeout": LONG, **more})


async def put(etcd: Any, key: bytes = b"/a", **more: Any) -> Any:
    return await etcd.stubs.kv.Put(rpc.PutRequest(key=key, value=b"2"), timeout=LONG, **more)


async def test_a_server_that_is_down_refuses_and_ends_every_stream(etcd: Any) -> None:
    async with watching(etcd) as stream:
        await create(stream, key=b"/a")
        etcd.go_down()
        assert (await refused(stream.read()))[0] is _Code.UNAVAILABLE
    with anyio.fail_after(LONG):
        while "refused" not in (last := await refused(read(etcd)))[1]:  # the first may meet the end of the connection
            assert last[0] is _Code.UNAVAILABLE
    etcd.come_up()
    await reached(etcd)
    assert etcd.items() == {"/a": b"1"}


async def test_a_frozen_server_answers_nothing_and_loses_nothing(etcd: Any) -> None:
    async with watching(etcd) as stream:
        await create(stream, key=b"/", range_end=b"0")
        etcd.freeze()
        assert (await refused(read(etcd, timeout=0.3)))[0] is _Code.DEADLINE_EXCEEDED
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(put, etcd)  # waits, and is done afterwards
            with anyio.move_on_after(0.3) as silent:
                await anyio.sleep_forever()
            assert silent.cancelled_caught
            etcd.thaw()
        (event,) = (await stream.read()).events
        assert event.kv.value == b"2"


async def test_a_full_disk_takes_no_puts(etcd: Any) -> None:
    words = "etcdserver: mvcc: database space exceeded"
    etcd.fill_up()
    assert await refused(put(etcd)) == (_Code.RESOURCE_EXHAUSTED, words)
    some = rpc.TxnRequest(failure=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"/b"))])
    assert await refused(etcd.stubs.kv.Txn(some)) == (_Code.RESOURCE_EXHAUSTED, words)
    assert await refused(etcd.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=5))) == (_Code.RESOURCE_EXHAUSTED, words)
    assert (await read(etcd)).count == 1
    assert (await etcd.stubs.kv.DeleteRange(rpc.DeleteRangeRequest(key=b"/a"))).deleted == 1
    assert await alarms(etcd) == ["NOSPACE"]
    etcd.disarm()
    await put(etcd)
    assert await alarms(etcd) == []


async def alarms(etcd: Any) -> list[str]:
    """Give the alarms: Status has them as text, Alarm as numbers."""
    status = await etcd.stubs.maintenance.Status(rpc.StatusRequest(), timeout=LONG)
    member = status.header.member_id
    listed = (await etcd.stubs.maintenance.Alarm(rpc.AlarmRequest(), timeout=LONG)).alarms
    names = [rpc.AlarmType.Name(alarm.alarm) for alarm in listed]
    assert {alarm.memberID for alarm in listed} <= {member}
    told = [text.split() for text in status.errors]
    assert sorted(told) == sorted([f"memberID:{member}", f"alarm:{name}"] for name in names)
    return sorted(names)


async def test_a_corrupt_store_takes_no_writes(etcd: Any) -> None:
    lease = await etcd.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=60), timeout=LONG)
    async with watching(etcd) as stream:
        await create(stream, key=b"/a", start_revision=etcd.revision)
        etcd.corrupt()
        corrupt = (_Code.DATA_LOSS, "etcdserver: corrupt cluster")
        read_a = rpc.RequestOp(request_range=rpc.RangeRequest(key=b"/a"))
        drop_a = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=b"/none"))
        stubs = etcd.stubs
        for call in (
            put(etcd),
            stubs.kv.DeleteRange(rpc.DeleteRangeRequest(key=b"/a"), timeout=LONG),
            stubs.kv.Txn(rpc.TxnRequest(failure=[drop_a]), timeout=LONG),
            stubs.kv.Compact(rpc.CompactionRequest(revision=etcd.revision), timeout=LONG),
            stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=5), timeout=LONG),
            stubs.lease.LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease.ID), timeout=LONG),
        ):
            assert await refused(call) == corrupt
        assert (await read(etcd)).count == 1
        assert (await stubs.kv.Txn(rpc.TxnRequest(success=[read_a]), timeout=LONG)).succeeded
        assert (await stream.read()).events[0].kv.value == b"1"
        await request_progress(stream)
        assert (await stream.read()).watch_id == -1
        assert await alarms(etcd) == ["CORRUPT"]
        etcd.fill_up()
        assert await alarms(etcd) == ["CORRUPT", "NOSPACE"]
        assert (await refused(put(etcd)))[0] in (corrupt[0], _Code.RESOURCE_EXHAUSTED)
        etcd.disarm()
        await put(etcd)
        assert (await stream.read()).events[0].kv.value == b"2"


async def test_a_store_that_was_wiped_begins_anew_under_the_same_id(etcd: Any) -> None:
    for value in "123":
        etcd.put("/b", value)
    before = (await read(etcd)).header
    etcd.wipe()
    await reached(etcd)
    after = (await read(etcd)).header
    assert (after.revision, after.cluster_id) == (1, before.cluster_id)
    assert after.raft_term == 2
    async with watching(etcd) as stream:
        reply = await create(stream, key=b"/a", start_revision=before.revision)
        assert (reply.created, reply.canceled) == (True, False), "it waits for a revision that is to come"


async def login(etcd: Any, name: str, password: str) -> tuple[tuple[str, str], ...]:
    request = rpc.AuthenticateRequest(name=name, password=password)
    return (("token", (await etcd.stubs.auth.Authenticate(request, timeout=LONG)).token),)


async def test_who_may_do_what(etcd: Any) -> None:
    etcd.set_user("me", "pw", read=["/r/"], write=["/w/"])
    denied = (_Code.PERMISSION_DENIED, "etcdserver: permission denied")
    assert await refused(read(etcd)) == (_Code.INVALID_ARGUMENT, "etcdserver: user name is empty")
    wrong = (_Code.INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password")
    assert await refused(login(etcd, "me", "wrong")) == wrong
    assert await refused(login(etcd, "nobody", "pw")) == wrong
    token = await login(etcd, "me", "pw")
    assert await refused(read(etcd, b"/r", metadata=token)) == denied
    assert await refused(put(etcd, b"/r/a", metadata=token)) == denied
    assert await refused(read(etcd, b"/w/a", metadata=token)) == denied
    await put(etcd, b"/w/a", metadata=token)
    assert (await read(etcd, b"/r/a", metadata=token)).count == 0
    whole = rpc.RangeRequest(key=b"/r/", range_end=b"/r0")
    assert (await etcd.stubs.kv.Range(whole, metadata=token)).count == 0
    whole.range_end = b"/r1"
    assert await refused(etcd.stubs.kv.Range(whole, metadata=token)) == denied
    compare = [rpc.Compare(key=b"/w/a")]
    assert await refused(etcd.stubs.kv.Txn(rpc.TxnRequest(compare=compare), metadata=token)) == denied
    inside = [rpc.RequestOp(request_range=rpc.RangeRequest(key=b"/w/a"))]
    assert await refused(etcd.stubs.kv.Txn(rpc.TxnRequest(failure=inside), metadata=token)) == denied


async def test_a_watch_where_one_may_not_watch_is_created_and_canceled(etcd: Any) -> None:
    etcd.set_user("me", "pw", read=["/r/"], write=[])
    words = "rpc error: code = PermissionDenied desc = etcdserver: permission denied"
    stream = etcd.stubs.watch.Watch(metadata=await login(etcd, "me", "pw"))
    reply = await create(stream, key=b"/w/", range_end=b"/w0")
    assert (reply.created, reply.canceled, reply.cancel_reason) == (True, True, words)
    stream.cancel()
    stream = etcd.stubs.watch.Watch(metadata=await login(etcd, "me", "pw"))
    reply = await create(stream, key=b"/r/", range_end=b"/r0")
    assert (reply.created, reply.canceled) == (True, False)
    stream.cancel()


async def test_a_token_ends_and_the_watch_goes_on(etcd: Any) -> None:
    etcd.set_user("me", "pw", read=["/"], write=[])
    token = await login(etcd, "me", "pw")
    stream = etcd.stubs.watch.Watch(metadata=token)
    await create(stream, key=b"/a")
    etcd.expire_tokens()
    invalid = (_Code.UNAUTHENTICATED, "etcdserver: invalid auth token")
    assert await refused(read(etcd, metadata=token)) == invalid
    etcd.put("/a", "2")
    with anyio.fail_after(LONG):
        assert (await stream.read()).events[0].kv.value == b"2"
    stream.cancel()
    assert (await read(etcd, metadata=await login(etcd, "me", "pw"))).count == 1


class RealCluster:
    """Three members, of which the first can be cut off."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.stubs: Stubs = dial(cluster.urls[0], Access())

    def lose_quorum(self) -> None:
        self._cluster.kill(1, 2)

    def regain_quorum(self) -> None:
        self._cluster.start(1, 2)


@pytest.fixture(params=["real", "memory"])
async def member(request: pytest.FixtureRequest, etcd_version: str) -> AsyncIterator[Any]:
    """Give a member of a cluster of each kind."""
    if request.param == "memory":
        yield Memory(etcd_version)
        return
    cluster = Cluster()
    try:
        cluster.start()
        yield RealCluster(cluster)
    finally:
        cluster.close()


async def test_without_a_quorum_who_asks_for_a_leader_is_told(member: Any) -> None:
    await member.stubs.kv.Put(rpc.PutRequest(key=b"/a", value=b"1"), timeout=LONG)
    leader = (("hasleader", "true"),)
    no_leader = (_Code.UNAVAILABLE, "etcdserver: no leader")
    stream = member.stubs.watch.Watch(metadata=leader)
    await create(stream, key=b"/a")
    member.lose_quorum()
    with anyio.fail_after(LONG):
        code, words = await refused(stream.read())
        assert (code, words) == no_leader
        again = member.stubs.watch.Watch(metadata=leader)
        assert await refused(create(again, key=b"/a")) == no_leader
        asked = rpc.RangeRequest(key=b"/a")
        assert await refused(member.stubs.kv.Range(asked, metadata=leader)) == no_leader
        code, words = await refused(member.stubs.kv.Range(asked))
        assert (code, "timed out" in words) == (_Code.UNAVAILABLE, True)
        asked.serializable = True
        assert (await member.stubs.kv.Range(asked)).count == 1
        silent = member.stubs.watch.Watch()
        assert (await create(silent, key=b"/a")).created
    member.regain_quorum()
    await reached(member, leader)
    await member.stubs.kv.Put(rpc.PutRequest(key=b"/a", value=b"2"), timeout=LONG)
    with anyio.fail_after(LONG):
        assert (await silent.read()).events[0].kv.value == b"2"
    silent.cancel()
    await member.stubs.close()


def test_each_refusal_is_taken_for_what_it_is() -> None:
    """Our own table of errors knows all of the words that the etcd in memory has.

    But those of tokens older than the auth store.
    """
    from ha_monitor.testing import refusals

    kinds = {
        name: type(classify(one.code, one.words, "it")).__name__
        for name, one in vars(refusals).items()
        if isinstance(one, refusals.Refusal) and not name.startswith("OLD_TOKEN")
    }
    assert {name for name, kind in kinds.items() if kind == "EtcdUnavailable"} == {
        "NO_LEADER", "TIMED_OUT", "CONNECTION_REFUSED", "CONNECTION_LOST", "TOO_LATE", "STREAM_TOO_LATE",
        "CANCELED_HERE", "ENDED_THERE",
    }  # fmt: skip
    assert kinds["INVALID_TOKEN"] == "EtcdTokenInvalid"
    assert kinds["NO_SPACE"] == "EtcdNoSpace"
    assert kinds["CORRUPT"] == "EtcdCorrupt"
    assert kinds["COMPACTED"] == kinds["FUTURE"] == "EtcdCompacted"
    assert kinds["DENIED"] == "EtcdDenied"
    assert kinds["NO_USER"] == "EtcdTokenInvalid"
    assert kinds["WRONG_PASSWORD"] == "EtcdRefused"
