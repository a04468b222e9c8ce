"""The shards of one member on a real etcd, with the moments at which answers come chosen by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import pytest

from ha_monitor import Settings
from ha_monitor.errors import EtcdUnavailable
from ha_monitor.etcd.client import EtcdClient, open_client
from ha_monitor.etcd.lease import grant
from ha_monitor.group.election import Identity, join
from ha_monitor.group.holdings import Holdings
from ha_monitor.group.roster import Roster

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aetcd import rpc

    from tests.support.etcd import Etcd

pytestmark = pytest.mark.anyio

PREFIX = "/ha_monitor/edge/"


class Slow(EtcdClient):
    """A client whose transactions wait, or fail, when the test says so."""

    def __init__(self, client: EtcdClient) -> None:
        self._client = client
        self.go_on = anyio.Event()
        self.go_on.set()
        self.asked = anyio.Event()
        self.fails = False

    async def txn(self, request: rpc.TxnRequest, doing: str) -> rpc.TxnResponse:
        self.asked.set()
        await self.go_on.wait()
        if self.fails:
            raise EtcdUnavailable(doing)
        return await self._client.txn(request, doing)


class Ground:
    """Everything is proven once the test says so."""

    heard = True

    def __init__(self) -> None:
        self.proven = anyio.Event()
        self.taken_over: list[Callable[[str, str], bool]] = []

    async def ready(self) -> None:
        await anyio.lowlevel.checkpoint()

    async def prove(self, revision: int) -> None:
        await self.proven.wait()

    async def take_over(self, is_ours: Callable[[str, str], bool]) -> None:
        await anyio.lowlevel.checkpoint()
        self.taken_over.append(is_ours)


class Holder:
    """A member that has joined, and the roster that it goes by, brought up to date by hand."""

    def __init__(self, client: EtcdClient, etcd: Etcd, shards: int) -> None:
        self.client, self.ground, self.roster = Slow(client), Ground(), Roster(PREFIX)
        self.holdings = Holdings(self.client, self.roster, self.ground, shards)
        self.me = Identity("", 0, 0)
        self._etcd = etcd
        self._shards = shards

    async def join(self) -> None:
        lease = await grant(self.client._client, 60.0)
        id_ = f"me-{lease.id:x}"
        self.me = Identity(id_, await join(self.client, self.roster, id_, self._shards, lease.id), lease.id)
        self.look()

    async def meet_another(self) -> None:
        """Have another member join."""
        lease = await grant(self.client._client, 60.0)
        await join(self.client._client, self.roster, "other", self._shards, lease.id)
        self.look()

    def look(self) -> None:
        """Have the roster know what is in etcd."""
        answer = self._etcd.range(PREFIX)
        self.roster.list_begins()
        for _ in self.roster.put_items(answer.kvs):
            pass
        for _ in self.roster.list_ends(answer.header.revision):
            pass


@pytest.fixture
async def holder(etcd: Etcd) -> AsyncIterator[Holder]:
    async with open_client(Settings(etcd=[etcd.url])) as client:
        made = Holder(client, etcd, 2)
        await made.join()
        yield made


async def turns() -> None:
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_a_shard_that_is_being_given_up_is_not_opened_meanwhile(etcd: Etcd, holder: Holder) -> None:
    holdings = holder.holdings
    async with anyio.create_task_group() as tasks:
        await holdings.balance(holder.me)
        holdings.open_soon(0, tasks)  # both, once all is proven
        await holder.meet_another()
        holder.client.go_on, holder.client.asked = anyio.Event(), anyio.Event()
        tasks.start_soon(holdings.balance, holder.me)
        await holder.client.asked.wait()  # one of them is on its way to be given up
        holder.ground.proven.set()
        await turns()
        assert list(holdings.open) == [0]
        holder.client.go_on.set()
    assert list(holdings.open) == [0]
    assert etcd.get(f"{PREFIX}shards/1") is None


async def test_a_shard_that_could_not_be_given_up_is_given_up_at_the_next_try(etcd: Etcd, holder: Holder) -> None:
    holdings = holder.holdings
    holder.ground.proven.set()
    async with anyio.create_task_group() as tasks:
        await holdings.balance(holder.me)
        holdings.open_soon(0, tasks)
    assert sorted(holdings.open) == [0, 1]
    await holder.meet_another()
    holder.client.fails = True
    with pytest.raises(EtcdUnavailable):
        await holdings.balance(holder.me)
    assert list(holdings.open) == [0]
    assert etcd.get(f"{PREFIX}shards/1") is not None
    holder.client.fails = False
    await holdings.balance(holder.me)
    assert list(holdings.open) == [0]
    assert etcd.get(f"{PREFIX}shards/1") is None


async def test_a_shard_that_was_lost_and_taken_again_while_it_was_to_be_opened_is_opened(
    etcd: Etcd, holder: Holder
) -> None:
    holdings = holder.holdings
    async with anyio.create_task_group() as tasks:
        await holdings.balance(holder.me)
        holdings.open_soon(0, tasks)
        await turns()
        etcd.delete(f"{PREFIX}shards/1")
        holder.look()
        await holdings.balance(holder.me)
        holdings.open_soon(0, tasks)
        holder.look()
        await holdings.balance(holder.me)
        holdings.open_soon(0, tasks)
        holder.ground.proven.set()
    created = {kv.key.decode(): kv.create_revision for kv in etcd.range(f"{PREFIX}shards/").kvs}
    assert {fence.key.decode(): fence.revision for fence in holdings.open.values()} == created
    assert sorted(holdings.open) == [0, 1]
    assert holdings.taken == 2
