"""Leases: a time to live that etcd counts, and that ends every key put with it. Calls, no policy.

One refresh is one stream of one message: a stream that stays open would be one more thing that dies without a word.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.errors import EtcdUnavailable
from ha_monitor.etcd.connection import CALL_TIMEOUT

if TYPE_CHECKING:
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.etcd.connection import Connection


class Lease(NamedTuple):
    """A lease as etcd has just told of it: seconds to live, 0 where there is none any more, and etcd's revision."""

    id: int
    ttl: float
    revision: int


async def grant(client: EtcdClient, ttl: float) -> Lease:
    """Get a lease of ``ttl`` seconds, in whole ones; etcd may give a longer one (its least is 2 s)."""
    request = rpc.LeaseGrantRequest(TTL=math.ceil(ttl))
    reply = await client.call(
        "get a lease", lambda c: c.lease.LeaseGrant(request, timeout=CALL_TIMEOUT, metadata=c.metadata)
    )
    return Lease(reply.ID, float(reply.TTL), reply.header.revision)


async def refresh(client: EtcdClient, lease_id: int, timeout: float) -> Lease:
    """Have a lease live for its whole time again; one that has ended is told by a ``ttl`` of 0, not by an error."""
    doing = "keep the lease"

    async def ask(connection: Connection) -> rpc.LeaseKeepAliveResponse:
        call = connection.lease.LeaseKeepAlive(timeout=timeout, metadata=connection.metadata)
        try:
            await call.write(rpc.LeaseKeepAliveRequest(ID=lease_id))
            reply = await call.read()
        finally:
            call.cancel()
        if not isinstance(reply, rpc.LeaseKeepAliveResponse):
            raise EtcdUnavailable(f"{doing}: the server ended the stream")
        return reply

    reply = await client.call(doing, ask)
    return Lease(lease_id, float(reply.TTL), reply.header.revision)


async def revoke(client: EtcdClient, lease_id: int) -> None:
    """End a lease, and every key that was put with it, in one revision."""
    request = rpc.LeaseRevokeRequest(ID=lease_id)
    await client.call(
        "give the lease back", lambda c: c.lease.LeaseRevoke(request, timeout=CALL_TIMEOUT, metadata=c.metadata)
    )
