"""What can be said of a request without a look at the store, as ``v3rpc/key.go`` of etcd 3.5 says it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.refusals import (
    DUPLICATE_KEY,
    EMPTY_KEY,
    LEASE_PROVIDED,
    TOO_MANY_OPERATIONS,
    VALUE_PROVIDED,
    Refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OPERATIONS_IN_A_TRANSACTION = 128
"""etcd's ``--max-txn-ops`` default: comparisons, and operations of either branch, whichever are more."""


def one_of(operation: rpc.RequestOp) -> Any:
    """Give the request that an operation is; ``None`` for an empty one."""
    kind = operation.WhichOneof("request")
    return None if kind is None else getattr(operation, kind)


def operations(request: rpc.TxnRequest) -> Iterator[Any]:
    """Give every operation of both branches, those of transactions inside as well."""
    for operation in (*request.success, *request.failure):
        one = one_of(operation)
        if isinstance(one, rpc.TxnRequest):
            yield from operations(one)
        elif one is not None:
            yield one


def check_key(request: Any) -> None:
    """Raise what etcd says to a request without a key."""
    if not request.key:
        raise Refused(EMPTY_KEY)


def check_put(request: rpc.PutRequest) -> None:
    """Raise what etcd says to a put that asks for two things that exclude each other."""
    check_key(request)
    if request.ignore_value and request.value:
        raise Refused(VALUE_PROVIDED)
    if request.ignore_lease and request.lease:
        raise Refused(LEASE_PROVIDED)


def check_txn(request: rpc.TxnRequest, room: int = OPERATIONS_IN_A_TRANSACTION) -> None:
    """Raise what etcd says to a transaction that has too much in it, or something that is no request."""
    most = max(len(request.compare), len(request.success), len(request.failure))
    if most > room:
        raise Refused(TOO_MANY_OPERATIONS)
    for comparison in request.compare:
        check_key(comparison)
    for operation in (*request.success, *request.failure):
        one = one_of(operation)
        if isinstance(one, rpc.TxnRequest):
            check_txn(one, room - most)
        elif isinstance(one, rpc.PutRequest):
            check_put(one)
        elif one is not None:
            check_key(one)


_Span = tuple[bytes, bytes]


def check_intervals(branch: Iterable[rpc.RequestOp]) -> tuple[set[bytes], list[_Span]]:
    """Refuse a key that would be written twice; give the keys that are put, and the ranges that are deleted."""
    requests = [one_of(operation) for operation in branch]
    deleted = [(one.key, one.range_end) for one in requests if isinstance(one, rpc.DeleteRangeRequest)]
    put: set[bytes] = set()
    for one in requests:
        if isinstance(one, rpc.TxnRequest):
            then_put, then_deleted = check_intervals(one.success)
            else_put, else_deleted = check_intervals(one.failure)
            both = then_put | else_put  # only one of the branches is done: they may put the same
            _refuse_twice(both, put, deleted)
            put |= both
            deleted += then_deleted + else_deleted
    for one in requests:
        if isinstance(one, rpc.PutRequest):
            _refuse_twice({one.key}, put, deleted)
            put.add(one.key)
    return put, deleted


def _refuse_twice(keys: set[bytes], put: set[bytes], deleted: Iterable[_Span]) -> None:
    if keys & put or any(_covers(span, key) for span in deleted for key in keys):
        raise Refused(DUPLICATE_KEY)


def _covers(span: _Span, key: bytes) -> bool:
    first, end = span  # etcd does not see here that the end of all keys is none: such a range covers nothing
    return key == first if not end else first <= key < end
