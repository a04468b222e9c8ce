"""Random requests get the same answers from the etcd in memory as from a real one, but for ids and the raft term."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import anyio
from aetcd import rpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ha_monitor.etcd.connection import Access, dial
from ha_monitor.testing import MemoryEtcd
from tests.testing.conftest import plain

if TYPE_CHECKING:
    from ha_monitor.etcd.connection import Stubs
    from tests.support.etcd import Etcd

_Target = rpc.Compare.CompareTarget
_FIELDS = {
    _Target.VERSION: "version",
    _Target.CREATE: "create_revision",
    _Target.MOD: "mod_revision",
    _Target.VALUE: "value",
    _Target.LEASE: "lease",
}
LEASES = 3
LONG = 60.0  # seconds that an example may take on a busy machine

# Revisions in requests are those after the first one of an example; a little before, and a little too far.
keys = st.sampled_from([b"/a", b"/b", b"/b/c", b"/c"])
ends = st.sampled_from([b"", b"", b"/c", b"0", b"\0", b"/a"])
values = st.sampled_from([b"", b"1", b"2", b"22"])
revisions = st.integers(0, 12)
leases = st.integers(0, LEASES + 1)

puts = st.fixed_dictionaries(
    {"key": keys, "value": values},
    optional={
        "lease": leases,
        "prev_kv": st.booleans(),
        "ignore_value": st.booleans(),
        "ignore_lease": st.booleans(),
    },
)
deletes = st.fixed_dictionaries({"key": keys, "range_end": ends}, optional={"prev_kv": st.booleans()})
ranges = st.fixed_dictionaries(
    {"key": keys, "range_end": ends},
    optional={
        "revision": revisions,
        "limit": st.integers(0, 4),
        "count_only": st.booleans(),
        "keys_only": st.booleans(),
        "serializable": st.booleans(),
        "sort_order": st.sampled_from(["NONE", "ASCEND", "DESCEND"]),
        "min_mod_revision": revisions,
        "max_mod_revision": revisions,
        "min_create_revision": revisions,
        "max_create_revision": revisions,
    },
)


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    target = draw(st.sampled_from(list(_FIELDS)))
    field = _FIELDS[target]
    wanted = draw(values if field == "value" else revisions)
    results = st.sampled_from(["EQUAL", "NOT_EQUAL", "GREATER", "LESS"])
    return {"key": draw(keys), "range_end": draw(ends), "target": target, "result": draw(results), field: wanted}


operations: st.SearchStrategy[tuple[str, Any]] = st.deferred(
    lambda: st.one_of(
        st.tuples(st.just("request_put"), puts),
        st.tuples(st.just("request_put"), puts),
        st.tuples(st.just("request_range"), ranges),
        st.tuples(st.just("request_delete_range"), deletes),
        st.tuples(st.just("request_txn"), txns),
    )
)
branches = st.lists(operations, max_size=4)
txns: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"compare": st.lists(comparisons(), max_size=2), "success": branches, "failure": branches}
)  # fmt: skip
requests = st.one_of(
    st.tuples(st.just("Put"), puts),
    st.tuples(st.just("Put"), puts),
    st.tuples(st.just("Range"), ranges),
    st.tuples(st.just("DeleteRange"), deletes),
    st.tuples(st.just("Txn"), txns),
    st.tuples(st.just("Txn"), txns),
    st.tuples(st.just("Compact"), st.fixed_dictionaries({"revision": st.integers(1, 12)})),
    st.tuples(st.just("LeaseRevoke"), st.fixed_dictionaries({"ID": leases})),
    st.tuples(st.just("LeaseGrant"), st.fixed_dictionaries({"ID": st.integers(1, LEASES), "TTL": st.just(600)})),
)
watches = st.tuples(keys, ends, revisions, st.booleans())


class Asked:
    """An etcd of either kind, asked what an example wants to know, in its own revisions and leases."""

    def __init__(self, stubs: Stubs, base: int, first_lease: int) -> None:
        self._stubs = stubs
        self._base = base
        self._first_lease = first_lease

    async def ask(self, method: str, fields: dict[str, Any]) -> Any:
        """Give an answer, or code and words of a refusal."""
        request = getattr(rpc, _REQUESTS[method])(**self._own(fields))
        service = self._stubs.lease if method.startswith("Lease") else self._stubs.kv
        try:
            reply = await getattr(service, method)(request, timeout=LONG)
        except rpc.AioRpcError as error:
            return error.code(), error.details()
        return self._told(plain(reply, self._base))

    async def watch(self, key: bytes, end: bytes, start: int, prev_kv: bool) -> Any:
        """Give all that a watch tells of, up to a last change of its own, whatever replies it comes in."""
        last = (await self._stubs.kv.Range(rpc.RangeRequest(key=b"!"))).header.revision
        start_revision = min(self._base + start, last + 1)
        create = rpc.WatchCreateRequest(key=key, range_end=end, start_revision=start_revision, prev_kv=prev_kv)
        stream = self._stubs.watch.Watch()
        told: list[Any] = []
        mark = b"the end at %d" % (last - self._base)
        try:
            await stream.write(rpc.WatchRequest(create_request=create))
            await self._stubs.kv.Put(rpc.PutRequest(key=key, value=mark))
            reply = await stream.read()
            while not reply.canceled:
                told += [self._told(plain(event, self._base)) for event in reply.events]
                if told and told[-1]["kv"].get("value") == mark:
                    return told
                reply = await stream.read()
            return told, reply.cancel_reason, reply.watch_id, plain(reply, self._base).get("compact_revision")
        finally:
            stream.cancel()

    def _own(self, fields: Any) -> Any:
        if isinstance(fields, list):
            return [self._own(one) for one in fields]
        if isinstance(fields, tuple):
            kind, inner = fields
            message = {"request_put": "PutRequest", "request_range": "RangeRequest"}.get(kind)
            message = message or {"request_delete_range": "DeleteRangeRequest", "request_txn": "TxnRequest"}[kind]
            return rpc.RequestOp(**{kind: getattr(rpc, message)(**self._own(inner))})
        own = {}
        for name, value in fields.items():
            if name.endswith("revision") and value:
                own[name] = value + self._base
            elif name in ("lease", "ID") and value:
                own[name] = value + self._first_lease
            elif name == "compare":
                own[name] = [rpc.Compare(**self._own(one)) for one in value]
            elif name in ("success", "failure"):
                own[name] = self._own(value)
            else:
                own[name] = value
        return own

    def _told(self, data: Any) -> Any:
        """Count leases from the first one of the example."""
        if isinstance(data, list):
            return [self._told(one) for one in data]
        if not isinstance(data, dict):
            return data
        return {
            name: value - self._first_lease if name in ("lease", "ID") and value else self._told(value)
            for name, value in data.items()
        }


_REQUESTS = {
    "Put": "PutRequest",
    "Range": "RangeRequest",
    "DeleteRange": "DeleteRangeRequest",
    "Txn": "TxnRequest",
    "Compact": "CompactionRequest",
    "LeaseGrant": "LeaseGrantRequest",
    "LeaseRevoke": "LeaseRevokeRequest",
}
_FIRST_LEASES = itertools.count(1000, 1000)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(requests, min_size=1, max_size=25), st.lists(watches, max_size=2))
def test_random_requests_get_the_same_answers(
    etcd: Etcd, asked: list[tuple[str, dict[str, Any]]], watched: list[tuple[bytes, bytes, int, bool]]
) -> None:
    async def compare() -> None:
        etcd.delete_prefix("")
        memory = MemoryEtcd()
        first_lease = next(_FIRST_LEASES)
        real_stubs, memory_stubs = dial(etcd.url, Access()), memory.connect("", Access())
        real = Asked(real_stubs, etcd.put("!base", ""), first_lease)
        other = Asked(memory_stubs, memory.put("!base", ""), first_lease)
        try:
            for request in asked:
                assert await real.ask(*request) == await other.ask(*request), request
            for one in watched:
                assert await real.watch(*one) == await other.watch(*one), one
        finally:
            await real_stubs.close()

    async def within() -> None:
        with anyio.fail_after(LONG):
            await compare()

    anyio.run(within)
