"""A fleet of n HA interfaces as it stands in etcd, and those who write there as fast as etcd takes it."""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from typing import TYPE_CHECKING

import anyio
import grpc
from aetcd import rpc

from tests.support import site
from tests.support.etcd import encode, range_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.support.etcd import Etcd

CONFIGS = "/config/v2.0/ha_interfaces/"
STATES = "/monitoring/v2.0/er_physical_interfaces/"
RECORDS = "/monitoring/v2.0/ha_interfaces/"
BARE_STATES, BARE_RECORDS = "/bare/states/", "/bare/records/"
IN_A_TRANSACTION = 128
IN_FLIGHT = 16
UP, DOWN = encode(site.UP), encode(site.DOWN)
LARGE = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

Item = tuple[bytes, bytes]


class Fleet:
    """n HA interfaces, each with two sides of its own, and what their states are now."""

    def __init__(self, n: int, seed: int = 1) -> None:
        self.n = n
        self.random = random.Random(seed)
        self.ids = [self._id() for _ in range(n)]
        self.sides = [(self._id(), self._id()) for _ in range(n)]
        self.up = [[True, True] for _ in range(n)]

    def _id(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def items(self) -> Iterator[Item]:
        """Give all there is: the template, the configs, the states."""
        yield from self.template()
        for number, id_ in enumerate(self.ids):
            yield f"{CONFIGS}{id_}".encode(), self._config(number)
            for side, up in zip(self.sides[number], self.up[number], strict=True):
                yield f"{STATES}{side}".encode(), UP if up else DOWN

    def template(self) -> Iterator[Item]:
        """Give the template alone."""
        for key, value in site.ha_template().items():
            yield key.encode(), encode(value)

    def _config(self, number: int) -> bytes:
        primary, secondary = self.sides[number]
        body = {
            "id": self.ids[number], "name": f"ha-interface-{number}", "description": "", "status": "ACTIVE",
            "orchestration_state": "CREATE_COMPLETE", "tenant_id": "9d30e5e2a02a4b1b8d0ab8c1d8a6f0a3",
            "primary_interface_id": primary, "secondary_interface_id": secondary,
        }  # fmt: skip
        return encode({"body": json.dumps(body), "version": 1, "marked_for_deletion": False})

    def flip(self, number: int, side: int | None = None) -> Item:
        """Turn a side of an interface around; gives what to put."""
        side = self.random.randrange(2) if side is None else side
        up = self.up[number][side] = not self.up[number][side]
        return f"{STATES}{self.sides[number][side]}".encode(), UP if up else DOWN

    def flips(self, count: int) -> list[Item]:
        """Turn sides of any interfaces but the last, which is left for the end of a series."""
        return [self.flip(self.random.randrange(self.n - 1)) for _ in range(count)]

    def records(self) -> Iterator[Item]:
        """Give the records as they stand while all is up."""
        for id_ in self.ids:
            yield f"{RECORDS}{id_}".encode(), encode(site.record())

    def verdicts(self, etcd: Etcd) -> dict[str, str]:
        """Give what every interface is by what stands in etcd."""
        self.learn(etcd)
        return {id_: ("DOWN", "DEGRADED", "UP")[sum(up)] for id_, up in zip(self.ids, self.up, strict=True)}

    def wanted(self, etcd: Etcd, count: int) -> dict[str, dict[str, object]]:
        """Give the first records as they have to be by what stands in etcd."""
        self.learn(etcd)
        words = {True: "UP", False: "DOWN"}
        return {
            f"{RECORDS}{id_}": site.record(words[primary], words[secondary])
            for id_, (primary, secondary) in zip(self.ids[:count], self.up, strict=False)
        }

    def learn(self, etcd: Etcd) -> None:
        """Go by what stands in etcd: of a key that was put twice in a storm, nobody else knows."""
        up = {key.rpartition("/")[2] for key, value in etcd.items(STATES).items() if value == UP}
        self.up = [[side in up for side in sides] for sides in self.sides]


class Writer:
    """A bare client of etcd; made and used inside one event loop."""

    def __init__(self, etcd: Etcd) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{etcd.port}", options=LARGE)
        self.kv = rpc.KVStub(self._channel)
        self.watch = rpc.WatchStub(self._channel)

    async def close(self) -> None:
        await self._channel.close(None)

    async def put(self, item: Item) -> int:
        """Put one key; gives the revision."""
        answer = await self.kv.Put(rpc.PutRequest(key=item[0], value=item[1]))
        return int(answer.header.revision)

    async def put_each(self, items: Iterable[Item]) -> None:
        """Put keys one by one, many under way."""
        left = iter(items)

        async def put() -> None:
            for item in left:
                await self.put(item)

        async with anyio.create_task_group() as puts:
            for _ in range(2 * IN_FLIGHT):
                puts.start_soon(put)

    async def delete(self, prefix: str) -> None:
        """Delete all under a prefix, at once."""
        await self.kv.DeleteRange(rpc.DeleteRangeRequest(key=prefix.encode(), range_end=range_end(prefix)))

    async def write(self, items: Iterable[Item]) -> int:
        """Put keys, many transactions in flight; gives the last revision.

        Transactions under way together may change places: what stands at a key that was put twice, only etcd knows.
        """
        free = asyncio.Semaphore(IN_FLIGHT)
        last = 0

        async def send(request: rpc.TxnRequest) -> None:
            nonlocal last
            try:
                last = max(last, (await self.kv.Txn(request)).header.revision)
            finally:
                free.release()

        async with anyio.create_task_group() as sends:
            for request in transactions(items):
                await free.acquire()
                sends.start_soon(send, request)
        return last


def transactions(items: Iterable[Item]) -> Iterator[rpc.TxnRequest]:
    """Give the transactions that put these keys."""
    batch: dict[bytes, bytes] = {}
    for key, value in items:
        if key in batch or len(batch) == IN_A_TRANSACTION:
            yield _puts(batch)
            batch = {}
        batch[key] = value
    if batch:
        yield _puts(batch)


def _puts(batch: dict[bytes, bytes]) -> rpc.TxnRequest:
    puts = [rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=value)) for key, value in batch.items()]
    return rpc.TxnRequest(success=puts)
