"""What etcd does with a Range, a Put, a DeleteRange and a Txn: checked first, then done whole. Pure.

Follows ``apply.go`` of etcd 3.5, and ``txn.go`` of 3.6.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.checks import check_intervals, check_key, check_put, check_txn, one_of
from ha_monitor.testing.refusals import KEY_NOT_FOUND, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ha_monitor.testing.leases import Leases
    from ha_monitor.testing.store import Store
    from ha_monitor.testing.versions import Behaviour

_SORT, _TARGET = rpc.RangeRequest.SortOrder, rpc.RangeRequest.SortTarget
_SORTED_BY = {
    _TARGET.KEY: operator.attrgetter("key"),
    _TARGET.VERSION: operator.attrgetter("version"),
    _TARGET.CREATE: operator.attrgetter("create_revision"),
    _TARGET.MOD: operator.attrgetter("mod_revision"),
    _TARGET.VALUE: operator.attrgetter("value"),
}
_COMPARED = {
    rpc.Compare.CompareTarget.VERSION: "version",
    rpc.Compare.CompareTarget.CREATE: "create_revision",
    rpc.Compare.CompareTarget.MOD: "mod_revision",
    rpc.Compare.CompareTarget.VALUE: "value",
    rpc.Compare.CompareTarget.LEASE: "lease",
}
_HOLDS: Mapping[int, Callable[[Any, Any], bool]] = {
    rpc.Compare.CompareResult.EQUAL: operator.eq,
    rpc.Compare.CompareResult.NOT_EQUAL: operator.ne,
    rpc.Compare.CompareResult.GREATER: operator.gt,
    rpc.Compare.CompareResult.LESS: operator.lt,
}


class Requests:
    """One request under way; its writes all have the same revision."""

    def __init__(self, store: Store, leases: Leases, behaviour: Behaviour) -> None:
        self._store = store
        self._leases = leases
        self._behaviour = behaviour
        self._events: list[rpc.Event] = []

    @property
    def _revision(self) -> int:
        return self._store.revision + bool(self._events)

    def range(self, request: rpc.RangeRequest, newest: int = 0) -> rpc.RangeResponse:
        """Read. ``newest``: the revision that counts as the newest; 0: the store's."""
        check_key(request)
        self._store.check(request.revision)
        return self._range(request, newest)

    def put(self, request: rpc.PutRequest) -> rpc.PutResponse:
        """Put a key."""
        check_put(request)
        if request.lease:  # a transaction looks at the key first
            self._leases.get(request.lease)
        self._check_against_store(request)
        reply = self._put(request)
        self._store.commit(self._events)
        return reply

    def delete_range(self, request: rpc.DeleteRangeRequest) -> rpc.DeleteRangeResponse:
        """Delete keys."""
        check_key(request)
        reply = self._delete_range(request)
        self._store.commit(self._events)
        return reply

    def txn(self, request: rpc.TxnRequest) -> rpc.TxnResponse:
        """Compare, then do one branch or the other."""
        check_txn(request)
        check_intervals(request.success)
        check_intervals(request.failure)
        path = self._path(request)
        operations = list(path.operations())
        if self._behaviour.txn_checks_puts_first:
            operations.sort(key=lambda one: not isinstance(one, rpc.PutRequest))
        for operation in operations:
            self._check_against_store(operation)
        reply = self._txn(path)
        self._store.commit(self._events)
        reply.header.revision = self._store.revision
        return reply

    # -- doing

    def _range(self, request: rpc.RangeRequest, newest: int = 0) -> rpc.RangeResponse:
        revision = newest or self._revision
        found = self._store.find(request.key, request.range_end, request.revision or revision)
        reply = rpc.RangeResponse(count=len(found))
        reply.header.revision = revision
        if request.count_only:
            return reply
        bounds = _is_bounded(request)
        if request.limit and request.sort_order == _SORT.NONE and not bounds:
            found = found[: request.limit + 1]
        if bounds:
            found = [item for item in found if _is_within(request, item)]
        if request.sort_order != _SORT.NONE or request.sort_target != _TARGET.KEY:
            found = sorted(
                found, key=_SORTED_BY[request.sort_target], reverse=request.sort_order == _SORT.DESCEND
            )  # fmt: skip
        if 0 < request.limit < len(found):
            found, reply.more = found[: request.limit], True
        reply.kvs.extend(found)
        if request.keys_only:
            for item in reply.kvs:
                item.ClearField("value")
        return reply

    def _put(self, request: rpc.PutRequest) -> rpc.PutResponse:
        before = self._store.at(request.key, self._store.revision + 1)
        value = before.value if request.ignore_value and before is not None else request.value
        lease = before.lease if request.ignore_lease and before is not None else request.lease
        self._events.append(self._store.put(request.key, value, lease))
        self._leases.attach(request.key, lease)
        reply = rpc.PutResponse()
        reply.header.revision = self._revision
        if request.prev_kv and before is not None:
            reply.prev_kv.CopyFrom(before)
        return reply

    def _delete_range(self, request: rpc.DeleteRangeRequest) -> rpc.DeleteRangeResponse:
        found = self._store.find(request.key, request.range_end, self._store.revision + 1)
        for item in found:
            self._events.append(self._store.delete(item.key))
            self._leases.attach(item.key, 0)
        reply = rpc.DeleteRangeResponse(deleted=len(found), prev_kvs=found if request.prev_kv else ())
        reply.header.revision = self._revision
        return reply

    def _txn(self, path: _Path) -> rpc.TxnResponse:
        reply = rpc.TxnResponse(succeeded=path.succeeded)
        reply.header.SetInParent()
        for step in path.steps:
            response = reply.responses.add()
            if isinstance(step, _Path):
                response.response_txn.CopyFrom(self._txn(step))
            elif isinstance(step, rpc.RangeRequest):
                response.response_range.CopyFrom(self._range(step))
            elif isinstance(step, rpc.PutRequest):
                response.response_put.CopyFrom(self._put(step))
            else:
                response.response_delete_range.CopyFrom(self._delete_range(step))
        return reply

    def _path(self, request: rpc.TxnRequest) -> _Path:
        """Compare everything, before anything is written."""
        succeeded = all(self._holds(comparison) for comparison in request.compare)
        steps: list[Any] = []
        for operation in request.success if succeeded else request.failure:
            one = one_of(operation)
            if one is not None:
                steps.append(self._path(one) if isinstance(one, rpc.TxnRequest) else one)
        return _Path(succeeded, steps)

    def _holds(self, comparison: rpc.Compare) -> bool:
        field = _COMPARED[comparison.target]
        wanted, holds = getattr(comparison, field), _HOLDS[comparison.result]
        found = self._store.find(comparison.key, comparison.range_end, self._store.revision)
        if not found:
            return field != "value" and holds(0, wanted)  # what is not there has no value, not even an empty one
        return all(holds(getattr(item, field), wanted) for item in found)

    def _check_against_store(self, operation: Any) -> None:
        if isinstance(operation, rpc.RangeRequest):
            self._store.check(operation.revision)
        elif isinstance(operation, rpc.PutRequest):
            ignores = operation.ignore_value or operation.ignore_lease
            if ignores and self._store.at(operation.key, self._store.revision) is None:
                raise Refused(KEY_NOT_FOUND)
            if operation.lease:
                self._leases.get(operation.lease)


class _Path:
    """A transaction whose comparisons were made: the operations of the branch that is to be done."""

    def __init__(self, succeeded: bool, steps: Sequence[Any]) -> None:
        self.succeeded = succeeded
        self.steps = steps

    def operations(self) -> Iterator[Any]:
        """Give all that is to be done, that of transactions inside as well."""
        for step in self.steps:
            if isinstance(step, _Path):
                yield from step.operations()
            else:
                yield step


def _is_bounded(request: rpc.RangeRequest) -> bool:
    return bool(
        request.min_mod_revision
        or request.max_mod_revision
        or request.min_create_revision
        or request.max_create_revision
    )


def _is_within(request: rpc.RangeRequest, item: rpc.KeyValue) -> bool:
    return (
        item.mod_revision >= request.min_mod_revision
        and item.create_revision >= request.min_create_revision
        and (not request.max_mod_revision or item.mod_revision <= request.max_mod_revision)
        and (not request.max_create_revision or item.create_revision <= request.max_create_revision)
    )
