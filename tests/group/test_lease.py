"""Leases on a real etcd: kept, ended, and asked for at the very moment at which the call's time is up."""

from __future__ import annotations

import contextlib
from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest

from ha_monitor import Settings
from ha_monitor.errors import EtcdError, EtcdUnavailable
from ha_monitor.etcd.client import open_client
from ha_monitor.etcd.lease import grant, refresh, revoke
from tests.support.relay import Relay

if TYPE_CHECKING:
    from tests.support.etcd import Etcd

pytestmark = pytest.mark.anyio


async def test_a_lease_is_kept_until_it_is_given_back(etcd: Etcd) -> None:
    async with open_client(Settings(etcd=[etcd.url])) as client:
        lease = await grant(client, 30.0)
        kept = await refresh(client, lease.id, 5.0)
        assert (kept.id, kept.ttl) == (lease.id, 30.0)
        assert kept.revision >= lease.revision
        await revoke(client, lease.id)
        assert (await refresh(client, lease.id, 5.0)).ttl == 0
        with pytest.raises(EtcdError, match="give the lease back: etcdserver: requested lease not found"):
            await revoke(client, lease.id)


async def test_a_call_that_ends_at_any_moment_is_told_as_one_of_our_errors(etcd: Etcd) -> None:
    random = Random(5)
    async with open_client(Settings(etcd=[etcd.url])) as client:
        lease = await grant(client, 30.0)
        told = 0
        for _ in range(400):
            try:
                await refresh(client, lease.id, random.choice((0.0, random.uniform(0.0, 0.003))))
            except EtcdUnavailable:
                told += 1
        assert told
        assert (await refresh(client, lease.id, 5.0)).ttl == 30.0


async def test_a_connection_that_ends_at_any_moment_is_told_as_one_of_our_errors(etcd: Etcd) -> None:
    random = Random(6)
    with Relay(etcd.port) as relay:
        async with open_client(Settings(etcd=[relay.url])) as client:
            lease = await grant(client, 30.0)
            told = 0

            async def cut() -> None:
                while True:
                    await anyio.sleep(random.uniform(0.0, 0.02))
                    relay.cut()
                    relay.flow()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cut)
                for _ in range(200):
                    try:
                        await refresh(client, lease.id, 1.0)
                    except EtcdUnavailable:
                        told += 1
                tasks.cancel_scope.cancel()
            assert told
            with contextlib.suppress(EtcdUnavailable):  # the last cut may not have been noticed by anybody yet
                await refresh(client, lease.id, 5.0)
            assert (await refresh(client, lease.id, 5.0)).ttl == 30.0
