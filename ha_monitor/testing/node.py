"""What one etcd knows, and what it does with a request that has reached it. No I/O; the time is its clock's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from aetcd import rpc

from ha_monitor.testing.access import Access
from ha_monitor.testing.checks import check_txn, operations
from ha_monitor.testing.leases import Leases
from ha_monitor.testing.refusals import CORRUPT, NO_SPACE, Refused
from ha_monitor.testing.requests import Requests
from ha_monitor.testing.store import Store
from ha_monitor.testing.versions import behaviour

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from ha_monitor.clock import Clock
    from ha_monitor.testing.access import TokenKind

FIRST_TERM = 2
"""The raft term of a server that was started once, and on nothing."""

CLUSTER_ID = 0xE7CD
"""The id of the cluster; chosen."""

MEMBER_ID = 0x1

AlarmName = Literal["NOSPACE", "CORRUPT"]

_WRITES = (
    rpc.PutRequest,
    rpc.DeleteRangeRequest,
    rpc.CompactionRequest,
    rpc.LeaseGrantRequest,
    rpc.LeaseRevokeRequest,
)


class Node:
    """Keys, leases and users, and the requests on them."""

    def __init__(
        self, clock: Clock, version: str, cluster_id: int, token: TokenKind, on_lease: Callable[[float], None]
    ) -> None:
        """Make one that was never written to.

        :param on_lease: told in how many seconds a lease may be over.
        """
        self.clock = clock
        self.version = version
        self.behaviour = behaviour(version)
        self.cluster_id = cluster_id
        self._on_lease = on_lease
        self.store = Store()
        self.leases = Leases()
        self.access = Access(self.behaviour, token)
        self.raft_term = FIRST_TERM
        self._alarms: list[AlarmName] = []
        self.cut_at: int | None = None
        """The revision that it knows of since it has lost its quorum; ``None``: it has it."""
        self._done: Mapping[type, Callable[[Any], Any]] = {
            rpc.RangeRequest: self._range,
            rpc.PutRequest: lambda request: self._requests.put(request),
            rpc.DeleteRangeRequest: lambda request: self._requests.delete_range(request),
            rpc.TxnRequest: lambda request: self._requests.txn(request),
            rpc.CompactionRequest: self._compact,
            rpc.LeaseGrantRequest: self._grant,
            rpc.LeaseRevokeRequest: self._revoke,
            rpc.LeaseTimeToLiveRequest: self._time_to_live,
            rpc.StatusRequest: self._status,
            rpc.AlarmRequest: self._alarm,
            rpc.AuthenticateRequest: self._authenticate,
        }

    @property
    def _requests(self) -> Requests:
        return Requests(self.store, self.leases, self.behaviour)

    @property
    def visible(self) -> int:
        """The newest revision that it knows of."""
        return self.store.revision if self.cut_at is None else self.cut_at

    def header(self, revision: int) -> rpc.ResponseHeader:
        """Give what every answer begins with."""
        return rpc.ResponseHeader(
            cluster_id=self.cluster_id, member_id=MEMBER_ID, revision=revision, raft_term=self.raft_term
        )  # fmt: skip

    # -- requests

    def may(self, metadata: Mapping[str, str], request: Any) -> None:
        """Raise what etcd says to a request that its sender may not make."""
        keys: Collection[bytes] = ()
        if isinstance(request, (rpc.LeaseRevokeRequest, rpc.LeaseKeepAliveRequest)):
            lease = self.leases.living.get(request.ID)
            keys = () if lease is None else lease.keys
        self.access.check(metadata.get("token"), request, keys, self.clock.monotonic())

    def do(self, request: Any, metadata: Mapping[str, str] | None) -> Any:
        """Do a request at once and give its reply; without ``metadata``, in the name of the one who runs etcd."""
        if isinstance(request, rpc.TxnRequest):
            check_txn(request)  # looked at before who asks
        if metadata is not None:
            self.may(metadata, request)
            self._refuse_by_alarm(request)
        reply = self._done[type(request)](request)
        reply.header.MergeFrom(self.header(reply.header.revision or self.visible))
        return reply

    def _range(self, request: rpc.RangeRequest) -> rpc.RangeResponse:
        return self._requests.range(request, self.cut_at or 0)

    def _compact(self, request: rpc.CompactionRequest) -> rpc.CompactionResponse:
        self.store.compact(request.revision)
        return rpc.CompactionResponse()

    def _status(self, _: rpc.StatusRequest) -> rpc.StatusResponse:
        reply = rpc.StatusResponse(version=self.version, leader=MEMBER_ID, raftTerm=self.raft_term)
        reply.errors.extend(f"memberID:{MEMBER_ID} alarm:{alarm} " for alarm in self._alarms)
        return reply

    def _authenticate(self, request: rpc.AuthenticateRequest) -> rpc.AuthenticateResponse:
        token = self.access.login(request.name, request.password, self.clock.monotonic())
        return rpc.AuthenticateResponse(token=token)

    # -- alarms

    def raise_alarm(self, alarm: AlarmName) -> None:
        """Raise an alarm, once."""
        if alarm not in self._alarms:
            self._alarms.append(alarm)

    def disarm(self) -> None:
        """End all alarms."""
        self._alarms.clear()

    def _alarm(self, request: rpc.AlarmRequest) -> rpc.AlarmResponse:
        if request.action == rpc.AlarmRequest.AlarmAction.ACTIVATE:
            self.raise_alarm("CORRUPT" if request.alarm == rpc.AlarmType.CORRUPT else "NOSPACE")
        elif request.action == rpc.AlarmRequest.AlarmAction.DEACTIVATE:
            self.disarm()
        alarms = [rpc.AlarmMember(memberID=MEMBER_ID, alarm=alarm) for alarm in self._alarms]
        return rpc.AlarmResponse(alarms=alarms)

    def _refuse_by_alarm(self, request: Any) -> None:
        if "CORRUPT" in self._alarms and _writes(request):
            raise Refused(CORRUPT)
        if "NOSPACE" in self._alarms and _takes_space(request):
            raise Refused(NO_SPACE)

    # -- leases

    def _grant(self, request: rpc.LeaseGrantRequest) -> rpc.LeaseGrantResponse:
        lease = self.leases.grant(request.ID, request.TTL, self.clock.monotonic())
        self._on_lease(lease.ttl)
        return rpc.LeaseGrantResponse(ID=lease.id, TTL=lease.ttl)

    def _revoke(self, request: rpc.LeaseRevokeRequest) -> rpc.LeaseRevokeResponse:
        self.end_lease(request.ID)
        return rpc.LeaseRevokeResponse()

    def _time_to_live(self, request: rpc.LeaseTimeToLiveRequest) -> rpc.LeaseTimeToLiveResponse:
        lease = self.leases.living.get(request.ID)
        if lease is None:
            return rpc.LeaseTimeToLiveResponse(ID=request.ID, TTL=-1)
        left = max(int(lease.due - self.clock.monotonic()), 0)
        keys = sorted(lease.keys) if request.keys else ()
        return rpc.LeaseTimeToLiveResponse(ID=lease.id, TTL=left, grantedTTL=lease.ttl, keys=keys)

    def keep_alive(self, request: rpc.LeaseKeepAliveRequest, metadata: Mapping[str, str]) -> rpc.LeaseKeepAliveResponse:
        """Have a lease live on; one that has ended is told by a TTL of 0."""
        self.may(metadata, request)
        ttl = self.leases.refresh(request.ID, self.clock.monotonic())
        if ttl:
            self._on_lease(ttl)
        return rpc.LeaseKeepAliveResponse(header=self.header(self.visible), ID=request.ID, TTL=ttl)

    def end_lease(self, id_: int) -> None:
        """End a lease and delete its keys, in one revision."""
        keys = self.leases.end(id_)
        self.store.commit([self.store.delete(key) for key in keys])
        for key in keys:
            self.leases.attach(key, 0)

    def count_anew(self) -> None:
        """Have all leases live for their whole time again, as under a new leader."""
        self.leases.refresh_all(self.clock.monotonic())
        for lease in self.leases.living.values():
            self._on_lease(lease.ttl)


def _takes_space(request: Any) -> bool:
    if isinstance(request, rpc.TxnRequest):
        return any(isinstance(operation, rpc.PutRequest) for operation in operations(request))
    return isinstance(request, (rpc.PutRequest, rpc.LeaseGrantRequest))


def _writes(request: Any) -> bool:
    if isinstance(request, rpc.TxnRequest):
        return not all(isinstance(operation, rpc.RangeRequest) for operation in operations(request))
    return isinstance(request, _WRITES)
