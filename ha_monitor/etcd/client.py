"""Calls to a cluster: one connection at a time, the next member when it fails, a deadline on each call."""

from __future__ import annotations

import contextlib
import logging
import re
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio
from aetcd import rpc

from ha_monitor.errors import EtcdTlsRefused, EtcdTokenInvalid, EtcdUnavailable, EtcdWrongCluster
from ha_monitor.etcd.cluster import YES, ClusterPin
from ha_monitor.etcd.connection import CALL_TIMEOUT, Access, Connection, dial
from ha_monitor.etcd.endpoints import Endpoints, EndpointSettings
from ha_monitor.etcd.faults import translate
from ha_monitor.etcd.stream_pool import StreamPool
from ha_monitor.wire.calls import NothingDone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from ha_monitor.etcd.connection import Connect, Metadata
    from ha_monitor.etcd.stream import Watch

log = logging.getLogger(__name__)

_Reply = TypeVar("_Reply", bound="HasHeader")

_OTHER_CONNECTION = (EtcdUnavailable, EtcdTlsRefused)
"""What another connection, to another member or with files read anew, may not meet again."""

LIST_TIMEOUT = 30.0
"""Deadline of a page of a list, in seconds: a page may hold megabytes and wait behind a busy disk."""

PUTS_IN_A_TRANSACTION = 128
"""etcd's ``--max-txn-ops`` default."""


class HasHeader(Protocol):
    """What every reply of etcd has."""

    @property
    def header(self) -> rpc.ResponseHeader:
        """Which cluster and member it is of, and the revision."""


class EtcdSettings(EndpointSettings, Protocol):
    """What a client needs of the settings."""

    @property
    def access(self) -> Access:
        """Who we are to them."""

    @property
    def cluster(self) -> ClusterPin:
        """Which cluster they are to be members of."""


class EtcdClient:
    """A client of one cluster; made by :func:`open_client`.

    Calls raise the classes of :mod:`ha_monitor.errors`: :class:`~ha_monitor.errors.EtcdUnavailable` where another
    try may work, :class:`~ha_monitor.errors.EtcdRefused` where somebody has to act.
    """

    def __init__(self, endpoints: Endpoints, access: Access, cluster: ClusterPin, connect: Connect = dial) -> None:
        self.endpoints = endpoints
        self._cluster = cluster
        self._access = access
        self._connect = connect
        self._connection: Connection | None = None
        self._leaving: list[Connection] = []
        """Those that take no more calls, and may still answer those that they have."""
        self._connecting = anyio.Lock()
        self._logging_in = anyio.Lock()
        self._pools: dict[Connection, StreamPool] = {}
        self._left: dict[str, int] = {}
        """Members of other clusters, and which, so that each is logged once."""

    @property
    def version(self) -> str:
        """The server's; empty where it is not known."""
        return "" if self._connection is None else self._connection.version

    async def connection(self) -> Connection:
        """Give the connection in use, or make one to the member whose turn it is."""
        if self._connection is not None and self._connection.is_usable:
            return self._connection
        async with self._connecting:
            if self._connection is None or not self._connection.is_usable:
                fresh = Connection(await self.endpoints.current(), self._access, self._connect)
                try:
                    await fresh.authenticate()
                    await self._ask_version(fresh)
                except BaseException:
                    self.endpoints.advance()
                    fresh.abandon("it does not serve us")
                    raise
                if self._connection is not None and self._connection.lost is None:
                    self._leaving = [left for left in self._leaving if not left.is_over] + [self._connection]
                self._connection = fresh
            return self._connection

    async def _ask_version(self, connection: Connection) -> None:
        """Learn the version of the one that is connected to, which may be another each time."""
        try:
            status = await connection.maintenance.Status(
                rpc.StatusRequest(), timeout=CALL_TIMEOUT, metadata=connection.metadata
            )
        except rpc.AioRpcError as error:
            fault = translate(error, f"connect to {connection.url}")
            if isinstance(fault, _OTHER_CONNECTION):
                raise fault from error
            return  # asking may be forbidden: the careful way is taken
        connection.version = status.version
        connection.progress_is_ordered = progress_is_ordered(status.version)
        await self._identify(connection, status.header.cluster_id)

    async def _identify(self, connection: Connection, cluster_id: int) -> None:
        """Note which cluster a member belongs to. Raises :class:`EtcdWrongCluster` for another than ours."""
        pin = self._cluster
        if cluster_id and not pin.accepts(cluster_id) and not await self._succeeds(connection, cluster_id):
            words = pin.refusal(connection.url, cluster_id)
            if self._left.get(connection.url) != cluster_id:
                self._left[connection.url] = cluster_id
                log.warning("etcd member left: %s", words)
            self.abandon(connection, words)
            raise EtcdWrongCluster(words)
        self._left.pop(connection.url, None)
        connection.cluster_id = cluster_id

    async def _succeeds(self, connection: Connection, cluster_id: int) -> bool:
        """Ask a member of another cluster whether its operator says that it succeeds ours; then it is ours."""
        before, request = self._cluster.id, rpc.RangeRequest(key=self._cluster.successor_key)
        try:
            reply = await connection.kv.Range(request, timeout=CALL_TIMEOUT, metadata=connection.metadata)
        except rpc.AioRpcError as error:
            if self._left.get(connection.url) != cluster_id:
                why = translate(error, f"read {request.key.decode()}")
                log.warning("whether cluster %x succeeds %x is not known: %s", cluster_id, before, why)
            return False
        if not reply.kvs or reply.kvs[0].value.strip() != YES:
            return False
        log.warning("cluster %x succeeds %x, as its key %s says", cluster_id, before, request.key.decode())
        self._cluster.id = cluster_id
        return True

    def abandon(self, connection: Connection, reason: str) -> None:
        """Leave a member that does not serve us, for the next one; every call on the connection ends at once."""
        if connection is self._connection and connection.lost is None:
            self.endpoints.advance()
        connection.abandon(reason)

    async def close(self) -> None:
        """End the connection; nobody may be in a call."""
        for left in self._leaving:
            left.abandon("closed")
        if self._connection is not None:
            await self._connection.close()

    async def call(self, doing: str, make: Callable[[Connection], Awaitable[_Reply]]) -> _Reply:
        """Make a unary call; once more where the server has done nothing for it, or the token was invalid.

        :param doing: what it does, for the words of an error.
        """
        for last in (False, True):
            connection = await self.connection()
            token = connection.metadata
            try:
                reply = await make(connection)
            except rpc.AioRpcError as error:
                if isinstance(error, NothingDone) and not last:
                    continue
                fault = translate(error, doing)
                if isinstance(fault, EtcdTokenInvalid) and self._access.user is not None and not last:
                    await self.login_again(connection, token)
                    continue
                if isinstance(fault, (*_OTHER_CONNECTION, EtcdTokenInvalid)):  # of a proxy, where we have no token
                    self.abandon(connection, str(fault))
                raise fault from error
            cluster_id = reply.header.cluster_id
            if cluster_id != connection.cluster_id:
                await self._identify(connection, cluster_id)
            return reply
        raise AssertionError("unreachable")

    async def login_again(self, connection: Connection, token: Metadata) -> None:
        """Get a fresh token, unless another call on the connection has got one: a login costs etcd a bcrypt round.

        Raises the classes of :mod:`ha_monitor.errors`.

        :param token: what was refused.
        """
        async with self._logging_in:
            if connection.metadata is not token:
                return
            try:
                await connection.authenticate()
            except _OTHER_CONNECTION as error:
                self.abandon(connection, str(error))
                raise

    def watch(self, connection: Connection, prefix: bytes) -> AbstractAsyncContextManager[Watch]:
        """Open a watch on ``prefix``, still to be created, and end it with the block."""
        pool = self._pools.get(connection)
        if pool is None:
            self._pools = {other: pool for other, pool in self._pools.items() if not other.is_over}
            pool = self._pools[connection] = StreamPool(connection)
        return pool.watch(prefix)

    async def range(self, request: rpc.RangeRequest, doing: str, timeout: float = CALL_TIMEOUT) -> rpc.RangeResponse:
        """Read keys, linearizably unless the request says otherwise."""
        return await self.call(doing, lambda c: c.kv.Range(request, timeout=timeout, metadata=c.metadata))

    async def txn(self, request: rpc.TxnRequest, doing: str) -> rpc.TxnResponse:
        """Run a transaction."""
        return await self.call(doing, lambda c: c.kv.Txn(request, timeout=CALL_TIMEOUT, metadata=c.metadata))

    async def put_many(self, items: Iterable[tuple[str, bytes | None]]) -> int:
        """Put keys, or delete those whose value is ``None``, up to 128 in a transaction; give how many."""
        batch: list[rpc.RequestOp] = []
        count = 0
        for key, value in items:
            if value is None:
                batch.append(rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key.encode())))
            else:
                batch.append(rpc.RequestOp(request_put=rpc.PutRequest(key=key.encode(), value=value)))
            count += 1
            if len(batch) == PUTS_IN_A_TRANSACTION:
                await self.txn(rpc.TxnRequest(success=batch), "put")
                batch = []
        if batch:
            await self.txn(rpc.TxnRequest(success=batch), "put")
        return count


def progress_is_ordered(version: str) -> bool:
    """Tell whether this etcd answers a progress request only once all earlier events are out.

    Fixed in 3.4.25 and 3.5.8 (etcd's changelogs, issue 15220).
    """
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if match is None:
        return False
    major, minor, patch = (int(part) for part in match.groups())
    fixed_in = {(3, 4): 25, (3, 5): 8}.get((major, minor))
    return patch >= fixed_in if fixed_in is not None else (major, minor) > (3, 5)


@contextlib.asynccontextmanager
async def open_client(settings: EtcdSettings, connect: Connect = dial) -> AsyncIterator[EtcdClient]:
    """Open a client; nothing is sent before the first call.

    :param connect: gives the stubs of a member, in place of a channel of our own.
    """
    client = EtcdClient(Endpoints.of(settings), settings.access, settings.cluster, connect)
    try:
        yield client
    finally:
        with anyio.CancelScope(shield=True):
            await client.close()
