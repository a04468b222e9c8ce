"""The server itself: connections that ask for nothing are closed, and so many of them keep nobody out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from functools import partial
from typing import TYPE_CHECKING

import anyio
import httpx
import psutil
import pytest
from httpx_sse import aconnect_sse
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from ha_monitor.testing import MemoryEtcd
from ha_monitor.web.app import create_app
from ha_monitor.web.server import bind, serve
from tests.support import site
from tests.support.service import Service

if TYPE_CHECKING:
    from tests.support.etcd import Etcd

FILES = 100  # that a service may have open at first; it has two dozen
MANY = 200  # clients that send half a head


@pytest.mark.anyio
async def test_half_a_head_is_not_waited_for_while_events_go_on(anyio_backend: object) -> None:
    """The first head as well as one after an answer, and bytes that go on trickling in."""
    pair, etcd = site.HaInterface(), MemoryEtcd()
    etcd.txn(site.ha_template() | pair.keys())
    listener = bind("127.0.0.1:0")
    port = listener.getsockname()[1]
    whole = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"

    async def is_left(sent: bytes, trickle: bytes = b"") -> None:
        """Wait until it is closed from the other side."""
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(sent)
            with contextlib.suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                while True:
                    with anyio.move_on_after(0.05 if trickle else None):
                        await stream.receive()
                    await stream.send(trickle)

    with anyio.fail_after(30):
        async with etcd.monitor() as monitor, anyio.create_task_group() as tasks:
            await monitor.synced()
            tasks.start_soon(partial(serve, create_app(monitor), listener, head_within=0.5))
            async with (
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
                aconnect_sse(client, "GET", "/api/v1/events") as source,
            ):
                events = source.aiter_sse()
                assert (await anext(events)).event == "snapshot"
                async with anyio.create_task_group() as clients:
                    clients.start_soon(is_left, b"")
                    clients.start_soon(is_left, b"GET /hea")
                    clients.start_soon(is_left, whole + whole[:-2])
                    clients.start_soon(is_left, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ", b"x")
                    clients.start_soon(is_left, whole + whole[:-4], b"x")
                etcd.put(pair.primary_state, site.DOWN)
                while (await anext(events)).event != "change":
                    pass
            tasks.cancel_scope.cancel()


def is_connected(listener: socket.socket) -> bool:
    """Tell whether we have a socket that came of this one. Its client is told of no end that it does not read up to."""
    here = listener.getsockname()
    return any(one.raddr and one.laddr == here for one in psutil.Process().net_connections("tcp"))


@pytest.mark.anyio
@pytest.mark.parametrize("closes", [False, True], ids=["keeps alive", "closes"])
@pytest.mark.parametrize(
    "path",
    ["/api/v1/events", "/api/v1/resources?limit=1000", "/api/v1/resources?limit=60"],
    ids=["stream", "large answer", "answer that fits into the buffer"],
)
async def test_a_client_that_takes_nothing_is_left_with_its_connection(
    path: str, closes: bool, anyio_backend: object, caplog: pytest.LogCaptureFixture
) -> None:
    etcd = MemoryEtcd()
    etcd.txn(site.ha_template())
    for _ in range(400):
        etcd.txn(site.HaInterface().keys())
    listener = bind("127.0.0.1:0")
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    asked = f"GET {path} HTTP/1.1\r\nhost: localhost\r\n{'connection: close' if closes else 'x: x'}\r\n\r\n"
    with socket.socket() as client, anyio.fail_after(30):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        async with etcd.monitor() as monitor, anyio.create_task_group() as tasks:
            await monitor.synced()
            tasks.start_soon(partial(serve, create_app(monitor), listener, head_within=0.5, taken_within=0.2))
            await anyio.to_thread.run_sync(client.connect, listener.getsockname())
            client.sendall(asked.encode())
            while not is_connected(listener):  # noqa: ASYNC110
                await anyio.sleep(0.01)
            while is_connected(listener):  # noqa: ASYNC110
                await anyio.sleep(0.05)
            tasks.cancel_scope.cancel()
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


@pytest.mark.anyio
async def test_a_client_that_is_slow_gets_all_of_its_answer(anyio_backend: object) -> None:
    """The kernel takes a megabyte at a time, which this one takes a second for."""
    size, loop = 5 << 20, asyncio.get_running_loop()
    app = Starlette(routes=[Route("/", lambda request: Response(b"x" * size))])
    app.state.closing = anyio.Event()
    listener = bind("127.0.0.1:0")
    got = 0
    with socket.socket() as client, anyio.fail_after(40):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.setblocking(False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(serve, app, listener, head_within=0.5, taken_within=0.4))
            await loop.sock_connect(client, listener.getsockname())
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            while data := await loop.sock_recv(client, 1 << 16):
                got += len(data)
                await anyio.sleep(0.04)
            tasks.cancel_scope.cancel()
    assert got > size


def test_clients_that_send_half_a_head_take_no_probe_its_answer(etcd: Etcd) -> None:
    running = Service(etcd.url, before=("sh", "-c", f'ulimit -Sn {FILES} && exec "$@"', "sh"))
    try:
        running.wait_ready(30)
        with contextlib.ExitStack() as stack:
            for _ in range(MANY):
                half = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
                half.sendall(b"GET /hea")
            assert running.get("/healthz", timeout=3)[0] == 200, "and not once half of them were closed"
        running.stop()
    finally:
        running.kill()
