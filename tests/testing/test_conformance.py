"""What etcd answers, asked of a real one and of the one in memory: the second has to be like the first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from aetcd import rpc

from ha_monitor.testing.versions import behaviour
from tests.testing.conftest import plain
from tests.testing.sides import LONG, create, refused, watching

if TYPE_CHECKING:
    from tests.testing.conftest import Side

pytestmark = pytest.mark.anyio
_Code = rpc.StatusCode
_Target, _Result = rpc.Compare.CompareTarget, rpc.Compare.CompareResult


def put(key: bytes, value: bytes = b"", **more: Any) -> Any:
    return rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value, **more))


def get(key: bytes, **more: Any) -> Any:
    return rpc.RequestOp(request_range=rpc.RangeRequest(key=key, **more))


def drop(key: bytes, **more: Any) -> Any:
    return rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key, **more))


async def fill(side: Side, **values: bytes) -> int:
    """Put keys, a revision each; give the one before the first."""
    base = side.etcd.put("!before", "x")
    for key, value in values.items():
        await side.stubs.kv.Put(rpc.PutRequest(key=b"/" + key.encode(), value=value))
    return int(base)


class TestRange:
    async def test_keys_come_in_order_with_their_revisions_and_versions(self, side: Side) -> None:
        base = await fill(side, b=b"1", a=b"2")
        await side.stubs.kv.Put(rpc.PutRequest(key=b"/b", value=b"3"))
        reply = await side.stubs.kv.Range(rpc.RangeRequest(key=b"/a", range_end=b"/c"))
        assert plain(reply, base) == {
            "header": {"revision": 3},
            "kvs": [
                {"key": b"/a", "create_revision": 2, "mod_revision": 2, "version": 1, "value": b"2"},
                {"key": b"/b", "create_revision": 1, "mod_revision": 3, "version": 2, "value": b"3"},
            ],
            "count": 2,
        }

    async def test_a_limit_leaves_the_rest_and_counts_it(self, side: Side) -> None:
        await fill(side, a=b"", b=b"", c=b"")
        reply = await side.stubs.kv.Range(rpc.RangeRequest(key=b"/a", range_end=b"/d", limit=2))
        assert ([kv.key for kv in reply.kvs], reply.more, reply.count) == ([b"/a", b"/b"], True, 3)
        reply = await side.stubs.kv.Range(rpc.RangeRequest(key=b"/b\0", range_end=b"/d", limit=2))
        assert ([kv.key for kv in reply.kvs], reply.more, reply.count) == ([b"/c"], False, 1)

    async def test_a_count_and_keys_alone_have_no_values(self, side: Side) -> None:
        await fill(side, a=b"1", b=b"2")
        reply = await side.stubs.kv.Range(rpc.RangeRequest(key=b"/a", range_end=b"/d", count_only=True, limit=1))
        assert (list(reply.kvs), reply.more, reply.count) == ([], False, 2)
        reply = await side.stubs.kv.Range(rpc.RangeRequest(key=b"/a", range_end=b"/d", keys_only=True))
        assert [(kv.key, kv.value, kv.version) for kv in reply.kvs] == [(b"/a", b"", 1), (b"/b", b"", 1)]

    @pytest.mark.parametrize(
        ("target", "expected"),
        [("KEY", b"cba"), ("VALUE", b"cab"), ("CREATE", b"acb"), ("MOD", b"bac"), ("VERSION", b"bac")],
    )
    async def test_an_order_by_any_field(self, side: Side, target: str, expected: bytes) -> None:
        await fill(side, b=b"1", c=b"3", a=b"1")
        await fill(side, a=b"2")
        for value in (b"0", b"1", b"1"):
            await fill(side, b=value)
        request = rpc.RangeRequest(
            key=b"/a",
            range_end=b"/d",
            sort_order=rpc.RangeRequest.SortOrder.DESCEND,
            sort_target=rpc.RangeRequest.SortTarget.Value(target),
        )
        reply = await side.stubs.kv.Range(request)
        assert b"".join(kv.key[1:] for kv in reply.kvs) == expected

    async def test_the_past_can_be_read_until_it_is_compacted(self, side: Side) -> None:
        base = await fill(side, a=b"1", b=b"2")
        await side.stubs.kv.DeleteRange(rpc.DeleteRangeRequest(key=b"/a"))
        request = rpc.RangeRequest(key=b"/a", range_end=b"/c", revision=base + 1)
        reply = await side.stubs.kv.Range(request)
        assert ([kv.key for kv in reply.kvs], reply.header.revision - base) == ([b"/a"], 3)
        await side.stubs.kv.Compact(rpc.CompactionRequest(revision=base + 2))
        compacted = (_Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")
        assert await refused(side.stubs.kv.Range(request)) == compacted
        for revision in (base + 1, base + 2):
            assert await refused(side.stubs.kv.Compact(rpc.CompactionRequest(revision=revision))) == compacted
        at_compaction = rpc.RangeRequest(key=b"/a", range_end=b"/c", revision=base + 2)
        assert [kv.key for kv in (await side.stubs.kv.Range(at_compaction)).kvs] == [b"/a", b"/b"]
        future = (_Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision")
        assert await refused(side.stubs.kv.Range(rpc.RangeRequest(key=b"/a", revision=base + 4))) == future
        assert await refused(side.stubs.kv.Compact(rpc.CompactionRequest(revision=base + 4))) == future

    async def test_no_key_and_an_empty_range(self, side: Side) -> None:
        await fill(side, a=b"1")
        empty = (_Code.INVALID_ARGUMENT, "etcdserver: key is not provided")
        assert await refused(side.stubs.kv.Range(rpc.RangeRequest())) == empty
        assert await refused(side.stubs.kv.DeleteRange(rpc.DeleteRangeRequest())) == empty
        reply = await side.stubs.kv.Range(rpc.RangeRequest(key=b"/b", range_end=b"/a"))
        assert (list(reply.kvs), reply.count) == ([], 0)
        reply = await side.stubs.kv.Range(rpc.RangeRequest(key=b"/a", range_end=b"\0"))
        assert [kv.key for kv in reply.kvs] == [b"/a"]


class TestPut:
    async def test_the_value_before_comes_on_request(self, side: Side) -> None:
        await fill(side, a=b"1")
        reply = await side.stubs.kv.Put(rpc.PutRequest(key=b"/a", value=b"2", prev_kv=True))
        assert reply.prev_kv.value == b"1"
        reply = await side.stubs.kv.DeleteRange(rpc.DeleteRangeRequest(key=b"/a", prev_kv=True))
        assert ([kv.value for kv in reply.prev_kvs], reply.deleted) == ([b"2"], 1)

    async def test_a_delete_of_nothing_is_no_revision(self, side: Side) -> None:
        base = await fill(side)
        reply = await side.stubs.kv.DeleteRange(rpc.DeleteRangeRequest(key=b"/nothing"))
        assert plain(reply, base) == {"header": {"revision": 0}}

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"key": b""}, "key is not provided"),
            ({"key": b"/none", "ignore_value": True}, "key not found"),
            ({"key": b"/none", "ignore_lease": True}, "key not found"),
            ({"key": b"/a", "ignore_value": True, "value": b"x"}, "value is provided"),
            ({"key": b"/a", "ignore_lease": True, "lease": 7}, "lease is provided"),
        ],
    )
    async def test_what_can_not_be_put(self, side: Side, fields: dict[str, Any], words: str) -> None:
        await fill(side, a=b"1")
        assert await refused(side.stubs.kv.Put(rpc.PutRequest(**fields))) == (
            _Code.INVALID_ARGUMENT,
            f"etcdserver: {words}",
        )

    async def test_a_lease_that_there_is_not(self, side: Side) -> None:
        call = side.stubs.kv.Put(rpc.PutRequest(key=b"/a", lease=12345))
        assert await refused(call) == (_Code.NOT_FOUND, "etcdserver: requested lease not found")


class TestTxn:
    @pytest.mark.parametrize(
        ("comparison", "holds"),
        [
            ({"target": _Target.CREATE, "create_revision": 1}, True),
            ({"target": _Target.CREATE, "create_revision": 2}, False),
            ({"target": _Target.MOD, "mod_revision": 3}, True),
            ({"target": _Target.MOD, "mod_revision": 3, "result": _Result.LESS}, False),
            ({"target": _Target.MOD, "mod_revision": 2, "result": _Result.GREATER}, True),
            ({"target": _Target.VERSION, "version": 2}, True),
            ({"target": _Target.VERSION, "version": 2, "result": _Result.NOT_EQUAL}, False),
            ({"target": _Target.VALUE, "value": b"2"}, True),
            ({"target": _Target.VALUE, "value": b"10", "result": _Result.GREATER}, True),
            ({"target": _Target.LEASE, "lease": 0}, True),
            ({"key": b"/none", "target": _Target.MOD, "mod_revision": 0}, True),
            ({"key": b"/none", "target": _Target.CREATE, "create_revision": 0, "result": _Result.NOT_EQUAL}, False),
            ({"key": b"/none", "target": _Target.VALUE, "value": b""}, False),
            ({"range_end": b"/c", "target": _Target.VERSION, "version": 0, "result": _Result.GREATER}, True),
            ({"range_end": b"/c", "target": _Target.VERSION, "version": 2}, False),
        ],
        ids=str,
    )
    async def test_each_comparison(self, side: Side, comparison: dict[str, Any], holds: bool) -> None:
        base = await fill(side, a=b"1", b=b"x")
        await side.stubs.kv.Put(rpc.PutRequest(key=b"/a", value=b"2"))
        wanted = {
            name: value + base if name.endswith("_revision") and value else value for name, value in comparison.items()
        }
        compare = rpc.Compare(**{"key": b"/a", **wanted})
        reply = await side.stubs.kv.Txn(rpc.TxnRequest(compare=[compare], success=[put(b"/y")], failure=[get(b"/a")]))
        assert reply.succeeded is holds
        assert reply.header.revision - base == (4 if holds else 3)

    async def test_one_revision_for_all_and_what_is_read_in_between(self, side: Side) -> None:
        base = await fill(side, a=b"1", b=b"2")
        inner = rpc.RequestOp(request_txn=rpc.TxnRequest(success=[put(b"/c", b"3")]))
        operations = [get(b"/a"), drop(b"/a"), get(b"/a"), drop(b"/none"), put(b"/d", b"4"), inner, get(b"/c")]
        reply = await side.stubs.kv.Txn(rpc.TxnRequest(success=operations))
        assert plain(reply, base) == {
            "header": {"revision": 3},
            "succeeded": True,
            "responses": [
                {
                    "response_range": {
                        "header": {"revision": 2},
                        "kvs": [{"key": b"/a", "create_revision": 1, "mod_revision": 1, "version": 1, "value": b"1"}],
                        "count": 1,
                    }
                },
                {"response_delete_range": {"header": {"revision": 3}, "deleted": 1}},
                {"response_range": {"header": {"revision": 3}}},
                {"response_delete_range": {"header": {"revision": 3}}},
                {"response_put": {"header": {"revision": 3}}},
                {
                    "response_txn": {
                        "header": {},
                        "succeeded": True,
                        "responses": [{"response_put": {"header": {"revision": 3}}}],
                    }
                },
                {
                    "response_range": {
                        "header": {"revision": 3},
                        "kvs": [{"key": b"/c", "create_revision": 3, "mod_revision": 3, "version": 1, "value": b"3"}],
                        "count": 1,
                    }
                },
            ],
        }

    async def test_what_changes_nothing_is_no_revision(self, side: Side) -> None:
        base = await fill(side)
        reply = await side.stubs.kv.Txn(rpc.TxnRequest(success=[get(b"/a"), drop(b"/a")]))
        assert reply.header.revision == base
        assert plain(await side.stubs.kv.Txn(rpc.TxnRequest()), base) == {"header": {"revision": 0}, "succeeded": True}

    @pytest.mark.parametrize(
        "operations",
        [
            [put(b"/a"), put(b"/a")],
            [put(b"/a"), drop(b"/a")],
            [drop(b"/", range_end=b"0"), put(b"/a")],
            [rpc.RequestOp(request_txn=rpc.TxnRequest(failure=[put(b"/a")])), put(b"/a")],
        ],
        ids=["put twice", "put and deleted", "put in a range", "put inside"],
    )
    async def test_a_key_written_twice_is_refused(self, side: Side, operations: list[Any]) -> None:
        call = side.stubs.kv.Txn(rpc.TxnRequest(success=operations))
        words = "etcdserver: duplicate key given in txn request"
        assert await refused(call) == (_Code.INVALID_ARGUMENT, words)

    async def test_a_range_to_the_end_of_all_keys_is_not_taken_for_one(self, side: Side) -> None:
        every = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=b"/a", range_end=b"\0"))
        reply = await side.stubs.kv.Txn(rpc.TxnRequest(success=[put(b"/a"), every, put(b"/b")]))
        assert [kv.key for kv in (await side.stubs.kv.Range(rpc.RangeRequest(key=b"/", range_end=b"0"))).kvs] == [b"/b"]
        assert reply.responses[1].response_delete_range.deleted == 1

    async def test_more_than_128_operations_are_refused(self, side: Side) -> None:
        many = [put(b"/%d" % number) for number in range(129)]
        words = "etcdserver: too many operations in txn request"
        assert await refused(side.stubs.kv.Txn(rpc.TxnRequest(success=many))) == (_Code.INVALID_ARGUMENT, words)
        compare = [rpc.Compare(key=b"/a")] * 129
        assert await refused(side.stubs.kv.Txn(rpc.TxnRequest(compare=compare))) == (_Code.INVALID_ARGUMENT, words)
        assert (await side.stubs.kv.Txn(rpc.TxnRequest(success=many[1:]))).succeeded

    async def test_nothing_is_done_of_what_can_not_be_done_whole(self, side: Side, etcd_version: str) -> None:
        base = await fill(side)
        call = side.stubs.kv.Txn(rpc.TxnRequest(success=[put(b"/a"), put(b"/b", lease=99)]))
        assert await refused(call) == (_Code.NOT_FOUND, "etcdserver: requested lease not found")
        late = [get(b"/b", revision=base + 100), put(b"/b", lease=99)]
        first = _Code.NOT_FOUND if behaviour(etcd_version).txn_checks_puts_first else _Code.OUT_OF_RANGE
        assert (await refused(side.stubs.kv.Txn(rpc.TxnRequest(success=late))))[0] is first
        call = side.stubs.kv.Txn(rpc.TxnRequest(success=[put(b"/a"), get(b"/b", revision=base + 100)]))
        assert (await refused(call))[0] is _Code.OUT_OF_RANGE
        assert side.etcd.get("/a") is None


class TestWatch:
    async def test_events_of_one_revision_come_together(self, side: Side) -> None:
        base = await fill(side, b=b"1")
        async with watching(side) as stream:
            created = await create(stream, key=b"/", range_end=b"0")
            assert plain(created, base) == {"header": {"revision": 1}, "created": True}
            side.etcd.txn({"/a": "1", "/c": "1"}, ["/b"])
            side.etcd.put("0", "outside")
            side.etcd.put("/a", "2")
            reply = plain(await stream.read(), base)
            assert reply == {
                "header": {"revision": 2},
                "events": [
                    {"kv": {"key": b"/a", "create_revision": 2, "mod_revision": 2, "version": 1, "value": b"1"}},
                    {"kv": {"key": b"/c", "create_revision": 2, "mod_revision": 2, "version": 1, "value": b"1"}},
                    {"type": 1, "kv": {"key": b"/b", "mod_revision": 2}},
                ],
            }
            reply = plain(await stream.read(), base)
            assert reply["events"][0]["kv"]["mod_revision"] == 4

    async def test_history_first_with_what_was_before(self, side: Side) -> None:
        base = await fill(side, a=b"1", b=b"2")
        await side.stubs.kv.Put(rpc.PutRequest(key=b"/a", value=b"3"))
        async with watching(side) as stream:
            await create(stream, key=b"/a", start_revision=base + 1, prev_kv=True)
            reply = plain(await stream.read(), base)
            assert [event["kv"]["mod_revision"] for event in reply["events"]] == [1, 3]
            assert [event.get("prev_kv", {}).get("value") for event in reply["events"]] == [None, b"1"]

    async def test_a_long_history_comes_in_whole_revisions(self, side: Side) -> None:
        base = await fill(side)
        for number in range(1100):
            side.etcd.txn({"/a": f"{number}", "/b": f"{number}"})
        async with watching(side) as stream:
            await create(stream, key=b"/", range_end=b"0", start_revision=base + 1)
            seen: list[int] = []
            while len(seen) < 2200:
                got = [event.kv.mod_revision - base for event in (await stream.read()).events]
                assert len(set(got)) * 2 == len(got) <= 2000
                seen += got
            assert seen == [revision for number in range(1, 1101) for revision in (number, number)]

    async def test_a_start_that_is_compacted_ends_the_watch_and_not_the_stream(self, side: Side) -> None:
        base = await fill(side, a=b"1", b=b"2", c=b"3")
        await side.stubs.kv.Compact(rpc.CompactionRequest(revision=base + 2))
        async with watching(side) as stream:
            assert plain(await create(stream, key=b"/a", start_revision=base + 1), base)["created"] is True
            reply = plain(await stream.read(), base)
            assert (reply["canceled"], reply["compact_revision"]) == (True, 2)
            assert (await create(stream, key=b"/", range_end=b"0", start_revision=base + 2)).watch_id == 1
            reply = plain(await stream.read(), base)
            assert [event["kv"]["key"] for event in reply["events"]] == [b"/b", b"/c"]

    async def test_a_start_in_the_future_is_silent_until_then(self, side: Side) -> None:
        base = await fill(side)
        async with watching(side) as stream:
            await create(stream, key=b"/", range_end=b"0", start_revision=base + 3)
            for value in "123":
                side.etcd.put("/a", value)
            assert (await stream.read()).events[0].kv.value == b"3"

    async def test_progress_is_told_on_request(self, side: Side) -> None:
        await fill(side)
        async with watching(side) as stream:
            await create(stream, key=b"/")
            revision = side.etcd.put("/other", "x")
            await stream.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
            reply = await stream.read()
            assert (reply.watch_id, reply.header.revision, list(reply.events)) == (-1, revision, [])

    async def test_what_can_not_be_watched_is_created_and_canceled(self, side: Side) -> None:
        async with watching(side) as stream:
            assert (await create(stream, key=b"/")).watch_id == 0
            for fields, words in (
                ({"key": b"/b", "range_end": b"/a"}, "mvcc: watcher range is empty"),
                ({"key": b"/b", "watch_id": 7}, ""),
                ({"key": b"/b", "watch_id": 7}, "mvcc: duplicate watch ID provided on the WatchStream"),
            ):
                reply = await create(stream, **fields)
                assert (reply.created, reply.canceled, reply.cancel_reason) == (True, bool(words), words)
                assert reply.watch_id == (-1 if words else 7)

    async def test_one_of_two_watches_is_canceled(self, side: Side) -> None:
        async with watching(side) as stream:
            await create(stream, key=b"/a")
            await create(stream, key=b"/a")
            await stream.write(rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=0)))
            reply = await stream.read()
            assert (reply.watch_id, reply.canceled, reply.cancel_reason) == (0, True, "")
            side.etcd.put("/a", "x")
            assert (await stream.read()).watch_id == 1

    async def test_deletes_can_be_left_out(self, side: Side) -> None:
        async with watching(side) as stream:
            await create(stream, key=b"/a", filters=[rpc.WatchCreateRequest.FilterType.NODELETE])
            side.etcd.put("/a", "1")
            side.etcd.delete("/a")
            side.etcd.put("/a", "2")
            assert [(await stream.read()).events[0].kv.value for _ in range(2)] == [b"1", b"2"]

    async def test_a_stream_that_was_canceled(self, side: Side) -> None:
        async with watching(side) as stream:
            await create(stream, key=b"/a")
            assert stream.cancel()
            canceled = _Code.CANCELLED, "canceled here"
            assert await refused(stream.read()) == canceled
            assert await refused(stream.write(rpc.WatchRequest())) == canceled
            assert not stream.cancel()


class TestLease:
    async def test_a_lease_is_kept_alive_until_it_is_revoked(self, side: Side) -> None:
        base = await fill(side)
        lease = await side.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=60))
        assert lease.TTL == 60
        assert lease.ID > 0
        for key in (b"/b", b"/a"):
            await side.stubs.kv.Put(rpc.PutRequest(key=key, lease=lease.ID))
        call = side.stubs.lease.LeaseKeepAlive()
        with anyio.fail_after(LONG):
            for id_, ttl in ((lease.ID, 60), (99, 0)):
                await call.write(rpc.LeaseKeepAliveRequest(ID=id_))
                reply = await call.read()
                assert (reply.ID, reply.TTL, reply.header.revision - base) == (id_, ttl, 2)
            left = await side.stubs.lease.LeaseTimeToLive(rpc.LeaseTimeToLiveRequest(ID=lease.ID, keys=True))
            assert (left.grantedTTL, sorted(left.keys)) == (60, [b"/a", b"/b"])
            assert 0 < left.TTL <= 60
            async with watching(side) as stream:
                await create(stream, key=b"/", range_end=b"0")
                await side.stubs.lease.LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease.ID))
                events = (await stream.read()).events
                assert [(event.kv.key, event.kv.mod_revision - base) for event in events] == [(b"/a", 3), (b"/b", 3)]
            call.cancel()
        revoke = side.stubs.lease.LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease.ID))
        assert await refused(revoke) == (_Code.NOT_FOUND, "etcdserver: requested lease not found")
        gone = await side.stubs.lease.LeaseTimeToLive(rpc.LeaseTimeToLiveRequest(ID=lease.ID))
        assert gone.TTL == -1

    async def test_a_lease_ends_by_itself(self, side: Side) -> None:
        lease = await side.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=1))
        assert lease.TTL == 2, "its least"
        await side.stubs.kv.Put(rpc.PutRequest(key=b"/a", lease=lease.ID))
        async with watching(side) as stream:
            await create(stream, key=b"/a")
            (event,) = (await stream.read()).events
            assert event.type == rpc.Event.EventType.DELETE

    async def test_a_key_put_again_without_its_lease_outlives_it(self, side: Side) -> None:
        lease = await side.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=60))
        for key in (b"/a", b"/b"):
            await side.stubs.kv.Put(rpc.PutRequest(key=key, lease=lease.ID))
        await side.stubs.kv.Put(rpc.PutRequest(key=b"/a"))
        await side.stubs.kv.Put(rpc.PutRequest(key=b"/b", value=b"x", ignore_lease=True))
        await side.stubs.lease.LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease.ID))
        assert side.etcd.items("/") == {"/a": b""}

    async def test_leases_that_can_not_be_had(self, side: Side) -> None:
        lease = await side.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=60))
        again = side.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(ID=lease.ID, TTL=60))
        assert await refused(again) == (_Code.FAILED_PRECONDITION, "etcdserver: lease already exists")
        endless = side.stubs.lease.LeaseGrant(rpc.LeaseGrantRequest(TTL=9_000_000_001))
        assert await refused(endless) == (_Code.OUT_OF_RANGE, "etcdserver: too large lease TTL")


async def test_a_login_where_nobody_is_asked_who_he_is(side: Side) -> None:
    call = side.stubs.auth.Authenticate(rpc.AuthenticateRequest(name="me", password="pw"))
    assert await refused(call) == (_Code.FAILED_PRECONDITION, "etcdserver: authentication is not enabled")


async def test_a_deadline(side: Side) -> None:
    await side.stubs.kv.Range(rpc.RangeRequest(key=b"/a"))
    side.etcd.freeze()
    try:
        code, words = await refused(side.stubs.kv.Range(rpc.RangeRequest(key=b"/a"), timeout=0.2))
    finally:
        side.etcd.thaw()
    assert code is _Code.DEADLINE_EXCEEDED
    assert words.lower().endswith("deadline exceeded")


async def test_the_status_tells_the_version(side: Side) -> None:
    reply = await side.stubs.maintenance.Status(rpc.StatusRequest())
    assert len(reply.version.split(".")) == 3
    assert reply.raftTerm == reply.header.raft_term >= 2
