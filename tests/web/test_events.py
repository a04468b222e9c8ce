"""Server-sent events: the snapshot, each change, the heartbeat; and clients that are slow, many, or gone."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import psutil
import pytest
from httpx_sse import ServerSentEvent, aconnect_sse, connect_sse

from ha_monitor.testing import MemoryEtcd
from ha_monitor.web.app import create_app
from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

MANY = 200
"""Clients at once, that the service has to bear."""


@contextmanager
def events(client: httpx.Client, path: str = "/api/v1/events") -> Iterator[Iterator[ServerSentEvent]]:
    with connect_sse(client, "GET", path) as source:
        assert source.response.status_code == 200
        yield source.iter_sse()


def the_next(stream: Iterator[ServerSentEvent], kind: str) -> Any:
    """Give what the next event of a kind says."""
    return next(json.loads(event.data) for event in stream if event.event == kind)


def test_first_a_snapshot_then_every_change(client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd) -> None:
    pair = pairs[0]
    with events(client) as stream:
        first = next(stream)
        assert first.event == "snapshot"
        snapshot = json.loads(first.data)
        as_asked = client.get("/api/v1/resources").json()["resources"]
        moving = {"revision", "proven_at"}
        assert [{name: value for name, value in resource.items() if name not in moving}
                for resource in sorted(snapshot["resources"], key=lambda resource: resource["id"])] == [
                    {name: value for name, value in resource.items() if name not in moving} for resource in as_asked
                ]  # fmt: skip
        revision = etcd.put(pair.primary_state, site.DOWN)
        change = the_next(stream, "change")
        assert change.pop("at")
        assert change == {
            "type": "ha_interface", "id": pair.id, "entry": "primary", "old": "UP", "new": "DOWN",
            "status": "DEGRADED", "active": "secondary", "revision": revision, "reason": 'interface is "DOWN"',
        }  # fmt: skip


def test_a_stream_of_one_type_without_a_snapshot_of_all(client: httpx.Client, etcd: Etcd) -> None:
    etcd.txn(site.gateway_template())
    gateway = site.new_id()
    pair = site.HaInterface()
    with events(client, "/api/v1/events?type=vpn_gateway&snapshot=none") as stream:
        assert the_next(stream, "snapshot")["resources"] == []
        etcd.txn(pair.keys())
        etcd.put(site.config_key("vpn_gateways", gateway), site.envelope({"downlink_interface_id": pair.id}))
        assert the_next(stream, "change")["id"] == gateway


def test_a_heartbeat_tells_when_etcd_is_lost_and_when_it_is_back(own_etcd: Etcd, service: StartService) -> None:
    own_etcd.txn(site.ha_template() | site.HaInterface().keys())
    running = service(etcd=own_etcd)
    with httpx.Client(base_url=running.url, timeout=30.0) as client, events(client) as stream:
        beat = the_next(stream, "heartbeat")
        assert (beat["ready"], beat["reason"]) == (True, "")
        assert beat["revision"] > 0
        assert beat["proven_at"]
        own_etcd.kill()
        while beat["ready"]:
            beat = the_next(stream, "heartbeat")
        assert beat["reason"]
        own_etcd.start()
        while not beat["ready"]:
            beat = the_next(stream, "heartbeat")


def test_the_end_of_the_service_is_the_end_of_the_stream(pairs: list[site.HaInterface], service: StartService) -> None:
    running = service()
    with httpx.Client(base_url=running.url, timeout=10.0) as client, events(client) as stream:
        the_next(stream, "heartbeat")
        running.stop()
        assert not [event for event in stream if event.event == "change"], "and it ends by itself, without an error"


def open_and_read_nothing(port: int) -> socket.socket:
    """Give a connection that has asked for the events, and takes as little of them as there can be."""
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    stuck.connect(("127.0.0.1", port))
    stuck.sendall(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
    return stuck


@pytest.mark.thorough
def test_a_client_that_reads_nothing_holds_up_nobody_and_takes_no_memory(
    pairs: list[site.HaInterface], etcd: Etcd, service: StartService
) -> None:
    running = service()
    process = psutil.Process(running.pid)
    with ExitStack() as stack, httpx.Client(base_url=running.url, timeout=10.0) as client:
        for _ in range(20):
            stack.enter_context(open_and_read_nothing(running.port))
        stream = stack.enter_context(events(client))
        the_next(stream, "heartbeat")
        flips = 1_000
        state = pairs[0].primary_state
        for number in range(flips // 2):  # warm: queues and buffers have their size
            etcd.put(state, site.DOWN if number % 2 == 0 else site.UP)
            the_next(stream, "change")
        before = process.memory_info().rss
        for number in range(flips // 2):
            etcd.put(state, site.DOWN if number % 2 == 0 else site.UP)
            the_next(stream, "change")
        grown = process.memory_info().rss - before
    assert grown < 4 << 20, f"{grown >> 10} KiB more for {flips // 2} changes that {20} clients did not read"


@pytest.mark.anyio
async def test_snapshots_are_written_a_piece_in_a_turn_however_many_ask_at_once(anyio_backend: object) -> None:
    """To write never waits while a client keeps up, so that the stream itself has to."""
    etcd, turn, beats, pieces = MemoryEtcd(), 0, 0, Counter[int]()
    etcd.txn(site.ha_template())
    for _ in range(300):
        etcd.txn(site.HaInterface().keys())

    async def send(message: Any) -> None:
        nonlocal beats
        body = message.get("body", b"")
        pieces[turn] += body.startswith((b"data: {", b"data: ,{"))
        beats += body.startswith(b"event: heartbeat")

    async def follow(app: Any) -> None:
        scope = {"type": "http", "method": "GET", "path": "/api/v1/events", "query_string": b"", "headers": []}
        await app(scope, anyio.sleep_forever, send)

    async with etcd.monitor() as monitor, anyio.create_task_group() as tasks:
        await monitor.synced()
        app = create_app(monitor)
        for _ in range(3):
            tasks.start_soon(follow, app)
        with anyio.fail_after(20):
            while beats < 3:
                turn += 1
                await asyncio.sleep(0)
        tasks.cancel_scope.cancel()
    assert pieces.total() > 3
    assert max(pieces.values()) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_many_clients_at_once_each_get_every_change(
    pairs: list[site.HaInterface], etcd: Etcd, service: StartService
) -> None:
    running = await anyio.to_thread.run_sync(service)
    there = 0
    all_there, done = anyio.Event(), 0
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=running.url, timeout=60.0, limits=limits) as client:

        async def follow() -> None:
            nonlocal there, done
            async with aconnect_sse(client, "GET", "/api/v1/events") as source:
                seen: list[str] = []
                async for event in source.aiter_sse():
                    if event.event == "heartbeat" and not seen:
                        there += 1
                        if there == MANY:
                            all_there.set()
                        seen.append("there")
                    elif event.event == "change":
                        seen.append(json.loads(event.data)["new"])
                        if len(seen) == 5:
                            assert seen == ["there", "DOWN", "UP", "DOWN", "UP"]
                            done += 1
                            return

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for _ in range(MANY):
                    tasks.start_soon(follow)
                await all_there.wait()
                for state in (site.DOWN, site.UP, site.DOWN, site.UP):
                    await anyio.to_thread.run_sync(etcd.put, pairs[0].primary_state, state)
                    await anyio.sleep(0.05)  # so that each is a change of its own: two at once may come to none
    assert done == MANY
