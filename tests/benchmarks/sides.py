"""What is measured, each in a process of its own: the product in an asyncio program, and the bare floors.

``python -m tests.benchmarks.sides ROLE URL [n]`` says a line of JSON on its output for each thing that happened; times
are of the system's monotonic clock, which all processes share. It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import aetcd
import grpc
import msgspec
from aetcd import rpc

from ha_monitor import HaMonitor, Resync, Settings
from ha_monitor.cli.collector import collect_rarely, keep_out_of_it
from tests.benchmarks.fleet import BARE_RECORDS, BARE_STATES, CONFIGS, LARGE, RECORDS, STATES
from tests.benchmarks.prototype import hear, publish, watched
from tests.support.etcd import range_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PAGE = 10_000
EVERYTHING = 100_000_000
POLLED_EVERY = 10.0
BEAT = 0.002  # seconds between two looks at how long a turn takes
LOOK = 1.0  # seconds between two looks at whether a backlog is over
_decode = msgspec.json.Decoder().decode


def say(**figures: Any) -> None:
    """Say what happened, and when."""
    print(json.dumps({"at": time.monotonic(), **figures}), flush=True)


# -- the product, with a subscriber of its own


async def subscriber(url: str) -> None:
    """Say each change by its revision, as one who has subscribed to them meets it."""
    async with HaMonitor(Settings(etcd=[url], publish="none")) as monitor:
        await monitor.synced()
        async with monitor.changes() as changes:
            say(ready=True)
            async for change in changes:
                if not isinstance(change, Resync):
                    say(revision=change.revision)


async def verdicts(url: str) -> None:
    """Say when the last change of a backlog was told, and what has become of all by then.

    It is over when nobody has written for a while, all is known to be right up to there, and no change was told since.
    """
    at = 0.0
    bare = grpc.aio.insecure_channel(url.partition("://")[2], options=LARGE)
    async with bare, HaMonitor(Settings(etcd=[url], publish="none")) as monitor:
        kv = rpc.KVStub(bare)

        async def newest() -> int:
            return int((await kv.Range(rpc.RangeRequest(key=b"/", keys_only=True))).header.revision)

        await monitor.synced()
        async with monitor.changes(queued=EVERYTHING) as changes:

            async def read() -> None:
                nonlocal at
                async for _ in changes:
                    at = time.monotonic()

            reading = asyncio.ensure_future(read())
            say(ready=True)
            over = False
            while not over:
                before = await newest()
                await asyncio.sleep(LOOK)
                over = 0.0 < at < time.monotonic() - LOOK and monitor.revision >= before == await newest()
            reading.cancel()
            say(last=True, at=at)
            say(verdicts={resource.id: str(resource.status) for resource in monitor.resources()})


async def start(url: str) -> None:
    """Say how long it took from nothing to every resource evaluated, and the longest turn of the loop meanwhile."""
    began, longest = time.monotonic(), 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            asked = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - asked)
            await asyncio.sleep(BEAT)

    async with HaMonitor(Settings(etcd=[url])) as monitor:
        beating = asyncio.ensure_future(beat())
        resting = asyncio.ensure_future(keep_out_of_it(monitor))  # as the service does
        await monitor.synced()
        say(seconds=time.monotonic() - began, longest=longest)
        beating.cancel()
        await resting


# -- the floors


async def _events(url: str, prefix: str) -> AsyncIterator[Any]:
    """Give the replies of a bare watch, the grant first."""
    async with grpc.aio.insecure_channel(url.partition("://")[2], options=LARGE) as channel:
        async for reply in watched(channel, prefix):
            yield reply


async def stub(url: str) -> None:
    """A watch on the bare stub that says each event's revision."""
    async for reply in _events(url, BARE_STATES):
        if reply.created:
            say(ready=True)
        for event in reply.events:
            say(revision=event.kv.mod_revision)


async def decoding(url: str, last: str) -> None:
    """A watch on the bare stub that decodes each value, and says when the last key's comes."""
    async for reply in _events(url, STATES):
        if reply.created:
            say(ready=True)
        for event in reply.events:
            _decode(event.kv.value)
            if event.kv.key.endswith(last.encode()):
                say(last=True)


async def nothing(url: str, last: str) -> None:
    """aetcd's own watcher, which does nothing with the events, and says when the last key's comes."""
    host, _, port = url.partition("://")[2].rpartition(":")
    key = f"{STATES}{last}".encode()
    async with aetcd.Client(host=host, port=int(port), options=dict(LARGE)) as client:
        watch = await client.watch_prefix(STATES.encode())
        say(ready=True)
        async for event in watch:
            if event.kv.key == key:
                say(last=True)


async def chain(url: str) -> None:
    """Watch states, and put a record for each event: what no publisher can do without."""
    async with grpc.aio.insecure_channel(url.partition("://")[2], options=LARGE) as channel:
        kv = rpc.KVStub(channel)
        async for reply in watched(channel, BARE_STATES):
            if reply.created:
                say(ready=True)
            for event in reply.events:
                key = BARE_RECORDS.encode() + event.kv.key[len(BARE_STATES) :]
                await kv.Put(rpc.PutRequest(key=key, value=event.kv.value))


async def paged(url: str) -> None:
    """Read all keys that a start reads, page by page, and decode them."""
    began = time.monotonic()
    async with grpc.aio.insecure_channel(url.partition("://")[2], options=LARGE) as channel:
        kv = rpc.KVStub(channel)
        for prefix in (CONFIGS, STATES, RECORDS):
            key, revision, more = prefix.encode(), 0, True
            while more:
                request = rpc.RangeRequest(key=key, range_end=range_end(prefix), limit=PAGE, revision=revision)
                reply = await kv.Range(request)
                for item in reply.kvs:
                    _decode(item.value)
                revision, more = reply.header.revision, reply.more
                key = reply.kvs[-1].key + b"\0" if reply.kvs else key
    say(seconds=time.monotonic() - began)


async def poller(url: str) -> None:
    """What is to be replaced: reads each pair every 10 s, one after the other, and writes what has changed."""
    async with grpc.aio.insecure_channel(url.partition("://")[2], options=LARGE) as channel:
        kv = rpc.KVStub(channel)
        configs = await kv.Range(rpc.RangeRequest(key=CONFIGS.encode(), range_end=range_end(CONFIGS)))
        bodies = [json.loads(json.loads(item.value)["body"]) for item in configs.kvs]
        known: dict[str, bytes] = {}
        while True:
            began = time.monotonic()
            for number, body in enumerate(bodies, 1):
                states = []
                for side in ("primary", "secondary"):
                    key = f"{STATES}{body[f'{side}_interface_id']}".encode()
                    states.append((await kv.Range(rpc.RangeRequest(key=key))).kvs[0].value)
                record = b"|".join(states)
                if known.setdefault(body["id"], record) != record:
                    known[body["id"]] = record
                    await kv.Put(rpc.PutRequest(key=f"{RECORDS}{body['id']}".encode(), value=record))
                await asyncio.sleep(max(0.0, began + POLLED_EVERY * number / len(bodies) - time.monotonic()))
            say(ready=True)  # it knows all of them, from the first round on


async def prototype(url: str, last: str = "") -> None:
    """The least that tells a subscriber: each revision, or when the ``last`` interface has changed."""
    await hear(url, say, last)


async def publishing(url: str) -> None:
    """The least that publishes."""
    await publish(url, say)


_ALL = (subscriber, verdicts, start, stub, decoding, nothing, chain, paged, poller, prototype, publishing)
ROLES: dict[str, Callable[..., Awaitable[None]]] = {role.__name__: role for role in _ALL}


async def _until_told(role: str, arguments: list[str]) -> None:
    """Play a role until the input ends."""
    playing = asyncio.ensure_future(ROLES[role](*arguments))
    told = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait([playing, told], return_when=asyncio.FIRST_COMPLETED)
    if playing.done():
        playing.result()
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)


if __name__ == "__main__":
    collect_rarely()  # as the service does
    import uvloop

    uvloop.run(_until_told(sys.argv[1], sys.argv[2:]))
