"""How etcd refuses: the codes and the words of its own (``api/v3rpc/rpctypes``), which clients go by."""

from __future__ import annotations

from typing import NamedTuple

from aetcd import rpc

_Code = rpc.StatusCode


class Refusal(NamedTuple):
    """A status code and its words."""

    code: rpc.StatusCode
    words: str

    def error(self) -> rpc.AioRpcError:
        """Give what a call raises."""
        return rpc.AioRpcError(self.code, None, None, details=self.words)

    @property
    def in_go(self) -> str:
        """The same as Go's client library prints it, and etcd in ``cancel_reason`` of a watch."""
        code = self.code.name.title().replace("_", "")
        return f"rpc error: code = {code} desc = {self.words}"


class Refused(Exception):
    """A request that etcd does not do."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.words)
        self.refusal = refusal


EMPTY_KEY = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: key is not provided")
KEY_NOT_FOUND = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: key not found")
VALUE_PROVIDED = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: value is provided")
LEASE_PROVIDED = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: lease is provided")
TOO_MANY_OPERATIONS = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: too many operations in txn request")
DUPLICATE_KEY = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request")
COMPACTED = Refusal(_Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted")
FUTURE = Refusal(_Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision")
NO_SPACE = Refusal(_Code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded")
CORRUPT = Refusal(_Code.DATA_LOSS, "etcdserver: corrupt cluster")

LEASE_NOT_FOUND = Refusal(_Code.NOT_FOUND, "etcdserver: requested lease not found")
LEASE_EXISTS = Refusal(_Code.FAILED_PRECONDITION, "etcdserver: lease already exists")
TTL_TOO_LARGE = Refusal(_Code.OUT_OF_RANGE, "etcdserver: too large lease TTL")

NO_AUTH = Refusal(_Code.FAILED_PRECONDITION, "etcdserver: authentication is not enabled")
NO_USER = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: user name is empty")
WRONG_PASSWORD = Refusal(
    _Code.INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password"
)  # fmt: skip
INVALID_TOKEN = Refusal(_Code.UNAUTHENTICATED, "etcdserver: invalid auth token")
INVALID_TOKEN_UNKNOWN = Refusal(_Code.UNKNOWN, "auth: invalid auth token")
"""Of Alarm, before 3.4.43."""
DENIED = Refusal(_Code.PERMISSION_DENIED, "etcdserver: permission denied")
USER_NOT_FOUND = Refusal(_Code.FAILED_PRECONDITION, "etcdserver: user name not found")
OLD_TOKEN = Refusal(_Code.INVALID_ARGUMENT, "etcdserver: revision of auth store is old")
OLD_TOKEN_UNKNOWN = Refusal(_Code.UNKNOWN, "auth: revision in header is old")
"""Before 3.4.19 and 3.5.2."""

NO_LEADER = Refusal(_Code.UNAVAILABLE, "etcdserver: no leader")
TIMED_OUT = Refusal(_Code.UNAVAILABLE, "etcdserver: request timed out")

# The words of these are those of our own end of the wire.
CONNECTION_REFUSED = Refusal(_Code.UNAVAILABLE, "failed to connect: Connection refused")
CONNECTION_LOST = Refusal(_Code.UNAVAILABLE, "connection closed by the server")
TOO_LATE = Refusal(_Code.DEADLINE_EXCEEDED, "Deadline Exceeded")
STREAM_TOO_LATE = Refusal(_Code.UNKNOWN, "context deadline exceeded")
"""What etcd's end of a stream says at its deadline; it is mostly quicker than the client's own (measured on 3.5.1)."""
CANCELED_HERE = Refusal(_Code.CANCELLED, "canceled here")
ENDED_THERE = Refusal(_Code.UNAVAILABLE, "the server has ended the call")
"""What is written to a stream that has ended in good order."""
FINE = Refusal(_Code.OK, "")
