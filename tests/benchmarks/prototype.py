"""The least that can go to work as the product does: a task for each side of each interface, and nothing else.

It has no template, no fault, no history, no page, no second type, and it yields to nobody: whatever a figure of this
takes is what asyncio, gRPC and protobuf take for the work itself. The product's own part is what comes on top.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

import grpc
import msgspec
from aetcd import rpc

from tests.benchmarks.fleet import CONFIGS, IN_A_TRANSACTION, IN_FLIGHT, LARGE, RECORDS, STATES
from tests.support.etcd import range_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_encode, _decode = msgspec.json.Encoder(order="sorted").encode, msgspec.json.Decoder().decode


class Read(dict[bytes, str]):
    """What the values of states say, each decoded once."""

    def __missing__(self, value: bytes) -> str:
        status = self[value] = _decode(value)["interface"]
        return str(status)


class Side:
    """A side of an interface, and the coroutine that is its task."""

    __slots__ = ("pair", "revision", "status", "wakeup")

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.revision = 0
        self.status = ""
        self.wakeup: asyncio.Future[None]

    async def run(self, changed: Callable[[Side], None]) -> None:
        """Say so at each change."""
        while True:
            self.wakeup = asyncio.get_running_loop().create_future()
            await self.wakeup
            changed(self)


class Pair:
    """An interface: its config's key and revision, its record's key, its sides."""

    __slots__ = ("config", "id", "record", "revision", "sides")

    def __init__(self, config: rpc.KeyValue, id_: str) -> None:
        self.id = id_
        self.config, self.revision = config.key, config.mod_revision
        self.record = f"{RECORDS}{id_}".encode()
        self.sides = (Side(self), Side(self))


async def _items(kv: rpc.KVStub, prefix: str) -> list[Any]:
    reply = await kv.Range(rpc.RangeRequest(key=prefix.encode(), range_end=range_end(prefix)))
    return list(reply.kvs)


async def watched(channel: grpc.aio.Channel, prefix: str) -> AsyncIterator[Any]:
    """Give the replies of a bare watch, the grant first."""
    call = rpc.WatchStub(channel).Watch()
    create = rpc.WatchCreateRequest(key=prefix.encode(), range_end=range_end(prefix))
    await call.write(rpc.WatchRequest(create_request=create))
    while True:
        yield await call.read()


class Prototype:
    """All interfaces, read once, and what is told of them since."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self.kv = rpc.KVStub(channel)
        self._sides: dict[bytes, Side] = {}
        self._read = Read()
        self._records: dict[bytes, bytes] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self, changed: Callable[[Side], None]) -> None:
        """Read all there is, and begin the tasks."""
        for config in await _items(self.kv, CONFIGS):
            body = _decode(_decode(config.value)["body"])
            pair = Pair(config, body["id"])
            for name, side in zip(("primary", "secondary"), pair.sides, strict=True):
                self._sides[f"{STATES}{body[f'{name}_interface_id']}".encode()] = side
        for state in await _items(self.kv, STATES):
            self._sides[state.key].status = self._read[state.value]
        for record in await _items(self.kv, RECORDS):
            self._records[record.key] = record.value
        self._tasks += [asyncio.ensure_future(side.run(changed)) for side in self._sides.values()]
        await asyncio.sleep(0)

    async def states(self, granted: Callable[[], None]) -> None:
        """Wake the side of each state that changes."""
        sides, read = self._sides, self._read
        async for reply in watched(self._channel, STATES):
            if reply.created:
                granted()
            for event in reply.events:
                item = event.kv
                side = sides[item.key]
                side.status, side.revision = read[item.value], item.mod_revision
                if not side.wakeup.done():
                    side.wakeup.set_result(None)

    async def records(self) -> None:
        """Note the records that stand in etcd."""
        async for reply in watched(self._channel, RECORDS):
            for event in reply.events:
                self._records[event.kv.key] = event.kv.value

    async def send(self, pending: deque[Pair], called: asyncio.Event) -> None:
        """Write records, each fenced by its config."""
        while True:
            while not pending:
                called.clear()
                await called.wait()
            batch = {pending.popleft(): None for _ in range(min(IN_A_TRANSACTION, len(pending)))}
            request = rpc.TxnRequest()
            for pair in batch:
                compare = request.compare.add()
                compare.target = rpc.Compare.CompareTarget.MOD
                compare.key = pair.config
                compare.mod_revision = pair.revision
                put = request.success.add().request_put
                put.key = pair.record
                primary, secondary = pair.sides
                put.value = _encode({"primary": primary.status, "secondary": secondary.status, "version": 1})
            await self.kv.Txn(request)


async def hear(url: str, say: Callable[..., None], last: str) -> None:
    """Hand each change to a subscriber, who says its revision, or only when that of the ``last`` interface came."""
    queue: deque[Side] = deque()
    ready = asyncio.Event()

    def changed(side: Side) -> None:
        queue.append(side)
        ready.set()

    async with grpc.aio.insecure_channel(url.partition("://")[2], options=LARGE) as channel:
        prototype = Prototype(channel)
        await prototype.begin(changed)
        watching = asyncio.ensure_future(prototype.states(lambda: say(ready=True)))
        try:
            while True:
                while queue:
                    side = queue.popleft()
                    if not last:
                        say(revision=side.revision)
                    elif side.pair.id == last:
                        say(last=True)
                ready.clear()
                await ready.wait()
        finally:
            watching.cancel()


async def publish(url: str, say: Callable[..., None]) -> None:
    """Write the record of each interface of which a side has changed."""
    pending: deque[Pair] = deque()
    called = asyncio.Event()

    def changed(side: Side) -> None:
        pending.append(side.pair)
        called.set()

    async with grpc.aio.insecure_channel(url.partition("://")[2], options=LARGE) as channel:
        prototype = Prototype(channel)
        await prototype.begin(changed)
        senders = [prototype.send(pending, called) for _ in range(IN_FLIGHT)]
        await asyncio.gather(prototype.records(), prototype.states(lambda: say(ready=True)), *senders)
