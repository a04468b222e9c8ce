"""A channel on a socket: made, lost, left, and another made; deadlines, cancellations, and who is on the other side."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import struct
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import trustme
from aetcd import rpc
from aiohappyeyeballs import start_connection
from grpc import StatusCode
from grpc.aio import AioRpcError

from ha_monitor.errors import EtcdUnavailable
from ha_monitor.etcd.client import open_client
from ha_monitor.etcd.cluster import ClusterPin
from ha_monitor.etcd.connection import Access
from ha_monitor.wire import channel as channels
from ha_monitor.wire import connection as connections
from ha_monitor.wire import frames
from ha_monitor.wire.calls import END_OF_STREAM, NothingDone
from ha_monitor.wire.channel import Channel
from tests.wire.peer import FINE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from ha_monitor.wire.calls import StreamCall, Unary
    from tests.wire.conftest import Scripted
    from tests.wire.peer import Peer

    Connected = Callable[[Callable[[Peer, int, bytes], None]], Awaitable[tuple[Scripted, "Client"]]]

pytestmark = pytest.mark.anyio
LONG = 20.0  # seconds that anything may take on a busy machine


def echo(peer: Peer, stream: int, content: bytes) -> None:
    peer.answer(stream, content, last=FINE)


def repeat(peer: Peer, stream: int, content: bytes) -> None:
    peer.answer(stream, content)


def silent(_peer: Peer, _stream: int, _content: bytes) -> None:
    pass


@pytest.fixture(autouse=True)
async def bounded(anyio_backend: object) -> AsyncIterator[None]:
    with anyio.fail_after(LONG):
        yield


class Client:
    """A channel and its calls; messages are bare bytes."""

    def __init__(self, port: int, scheme: str = "http", tls: ssl.SSLContext | None = None) -> None:
        self.channel = Channel(f"{scheme}://127.0.0.1:{port}", tls)
        self.ask: Unary = self.channel.unary_unary("/test/Ask", bytes, bytes)
        self._talk = self.channel.stream_stream("/test/Talk", bytes, bytes)

    def talk(self, **options: Any) -> StreamCall:
        return self._talk(**options)


@pytest.fixture
async def connected(serve: Callable[..., Scripted]) -> AsyncIterator[Connected]:
    """Give servers that have started, each with a client, whose channel is closed in the end."""
    clients: list[Client] = []

    async def make(on_message: Callable[[Peer, int, bytes], None]) -> tuple[Scripted, Client]:
        server = serve(on_message)
        await server.start()
        clients.append(Client(server.port))
        return server, clients[-1]

    yield make
    for client in clients:
        await client.channel.close()


async def refused(call: Awaitable[Any]) -> tuple[StatusCode, str]:
    with pytest.raises(AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


async def test_many_calls_at_once_share_one_connection(connected: Connected) -> None:
    server, client = await connected(echo)
    answers = await asyncio.gather(*(client.ask(b"%d" % number) for number in range(50)))
    assert answers == [b"%d" % number for number in range(50)]
    assert len(server.peers) == 1
    await client.channel.close()
    assert await refused(client.ask(b"")) == (StatusCode.UNAVAILABLE, "channel closed")


async def test_a_deadline_ends_a_call_on_both_sides(connected: Connected) -> None:
    server, client = await connected(lambda peer, stream, content: echo(peer, stream, content) if content else None)
    assert await client.ask(b"a") == b"a"  # to connect may take longer
    assert await refused(client.ask(b"", timeout=0.01)) == (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    await server.until(lambda: server.peers[0].reset == {3: frames.CANCEL})
    call = client.talk(timeout=0.01)
    await call.write(b"")
    assert await refused(call.read()) == (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    await server.until(lambda: server.peers[0].reset == {3: frames.CANCEL, 5: frames.CANCEL})
    assert server.peers[0].headers[5]["grpc-timeout"] == "10m"


async def test_a_call_that_fails_leaves_nothing_to_the_collector(connected: Connected) -> None:
    class Request(bytearray):
        """Can be told when it is gone."""

    _server, client = await connected(lambda peer, stream, _: peer.answer(stream, last=[("grpc-status", "14")]))
    request = Request(b"of megabytes, it may be")
    there = weakref.ref(request)
    gc.disable()
    try:
        with contextlib.suppress(AioRpcError):
            await client.ask(request)
        del request
        await asyncio.sleep(0)  # the step of the loop that brought the error knows of it
        assert there() is None
    finally:
        gc.enable()


async def test_a_call_whose_caller_is_cancelled_ends_there_too(connected: Connected) -> None:
    server, client = await connected(silent)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.ask, b"")
        await server.until(lambda: bool(server.peers and server.peers[0].headers))
        tasks.cancel_scope.cancel()
    await server.until(lambda: server.peers[0].reset == {1: frames.CANCEL})
    assert await refused(client.ask(b"", timeout=0.01)) == (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")


async def test_a_stream_is_read_to_its_good_end(connected: Connected) -> None:
    server, client = await connected(repeat)
    call = client.talk()
    await call.write(b"a")
    assert await call.read() == b"a"
    await call.write(b"b")
    await server.until(lambda: bool(server.peers))
    assert await call.read() == b"b"
    server.peers[0].answer(1, b"c", last=FINE)
    server.say()
    assert [await call.read(), await call.read(), await call.read()] == [b"c", END_OF_STREAM, END_OF_STREAM]
    assert await refused(call.write(b"d")) == (StatusCode.UNAVAILABLE, "the server has ended the call")
    assert not call.cancel()


async def test_a_stream_that_is_left_ends_for_its_reader_and_for_the_server(connected: Connected) -> None:
    server, client = await connected(silent)
    call = client.talk()
    await call.write(b"")
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            assert await refused(call.read()) == (StatusCode.CANCELLED, "canceled here")

        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        assert call.cancel()
    assert await refused(call.write(b"")) == (StatusCode.CANCELLED, "canceled here")
    await server.until(lambda: server.peers[0].reset == {1: frames.CANCEL})


async def test_who_reads_what_has_come_already_lets_others_have_a_turn(connected: Connected) -> None:
    _server, client = await connected(lambda peer, stream, _: peer.answer(stream, *[b"."] * 100))
    call = client.talk()
    await call.write(b"")
    turns = 0
    async with anyio.create_task_group() as tasks:

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        await call.read()
        tasks.start_soon(count)
        for _ in range(99):
            await call.read()
        assert turns >= 90
        tasks.cancel_scope.cancel()


async def test_a_stream_that_nothing_was_asked_on_is_not_read_for_ever(connected: Connected) -> None:
    _server, client = await connected(silent)
    with pytest.raises(asyncio.InvalidStateError, match="nothing is asked yet"):
        await client.talk().read()


async def test_nobody_there_and_then_somebody(serve: Callable[..., Scripted]) -> None:
    server = serve(echo)
    await server.start()
    client = Client(port := server.port)
    await server.stop()
    nobody = StatusCode.UNAVAILABLE, "failed to connect: Connection refused"
    assert await refused(client.ask(b"")) == nobody
    call = client.talk()
    assert await refused(call.write(b"")) == nobody
    assert await refused(call.read()) == nobody
    again = serve(echo)
    await again.start(port)
    assert await client.ask(b"a") == b"a"
    await client.channel.close()


async def test_a_name_has_several_addresses_and_the_one_that_answers_is_taken(serve: Callable[..., Scripted]) -> None:
    server = serve(echo)
    await server.start()
    channel = Channel(f"http://localhost:{server.port}")  # ::1 is among them, where there is IPv6
    assert await channel.unary_unary("/test/Ask", bytes, bytes)(b"a") == b"a"
    assert server.peers[0].headers[1][":authority"] == f"localhost:{server.port}"
    await channel.close()


async def test_a_name_that_can_be_none() -> None:
    channel = Channel(f"http://{'x' * 64}:2379")
    code, words = await refused(channel.unary_unary("/test/Ask", bytes, bytes)(b""))
    assert code is StatusCode.UNAVAILABLE
    assert words.startswith("failed to connect: ")


async def test_a_connection_that_is_lost_ends_its_calls_and_is_not_made_anew_unknown_to_the_caller(
    connected: Connected,
) -> None:
    server, client = await connected(lambda peer, stream, content: echo(peer, stream, content) if content else None)
    async with anyio.create_task_group() as tasks:

        async def wait() -> None:
            code, words = await refused(client.ask(b""))
            assert (code, words[:11]) == (StatusCode.UNAVAILABLE, "connection ")

        tasks.start_soon(wait)
        tasks.start_soon(wait)
        await server.until(lambda: bool(server.peers) and len(server.peers[0].headers) == 2)
        server.writers[0].transport.abort()
    for call in (client.ask(b"a"), client.talk().write(b"a")):
        with pytest.raises(NothingDone, match="connection "):
            await call
    assert len(server.peers) == 1


async def left(client: Client) -> None:
    """Wait until the client knows that its connection takes no more calls."""
    connection = client.channel.connection
    assert connection is not None
    while connection.fault is None:  # noqa: ASYNC110 - there is nothing to wait for but that
        await asyncio.sleep(0)


async def test_a_server_that_says_goodbye_finishes_what_it_has_taken(connected: Connected) -> None:
    server, client = await connected(
        lambda peer, stream, content: peer.answer(stream, content) if content != b"slow" else None
    )
    watch = client.talk()
    await watch.write(b"a")
    assert await watch.read() == b"a"
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            assert await client.ask(b"slow", timeout=LONG) == b"late"

        tasks.start_soon(ask)
        await server.until(lambda: len(server.peers[0].headers) == 2)
        server.peers[0].goodbye(last=3)
        server.say()
        await left(client)
        with pytest.raises(NothingDone):
            await client.ask(b"b")
        server.peers[0].answer(3, b"late", last=FINE)
        server.peers[0].answer(1, b"event", last=FINE)
        server.say()
    assert [await watch.read(), await watch.read()] == [b"event", END_OF_STREAM]
    while not server.writers[0].is_closing():  # noqa: ASYNC110 - nobody has a call on it any more
        await asyncio.sleep(0)


async def test_a_connection_that_is_being_left_ends_with_the_channel(connected: Connected) -> None:
    server, client = await connected(repeat)
    watch = client.talk()
    await watch.write(b"a")
    assert await watch.read() == b"a"
    server.peers[0].goodbye()
    server.say()
    await left(client)
    client.channel.abort("left")
    assert (await refused(watch.read()))[0] is StatusCode.UNAVAILABLE
    assert await refused(client.ask(b"a")) == (StatusCode.UNAVAILABLE, "left")


@pytest.mark.parametrize("how", ["goodbye", "refused"])
async def test_a_call_that_nothing_was_done_for_is_told_as_such(connected: Connected, how: str) -> None:
    def refuse(peer: Peer, stream: int, content: bytes) -> None:
        if how == "goodbye":
            peer.goodbye(last=0)
        else:
            peer.h2.reset_stream(stream, frames.REFUSED_STREAM)

    server, client = await connected(refuse)
    with pytest.raises(NothingDone):
        await client.ask(b"a", timeout=LONG)
    assert len(server.peers[0].headers) == 1


class Asked:
    """What the settings say of one etcd."""

    def __init__(self, port: int) -> None:
        self.etcd = [f"http://127.0.0.1:{port}"]
        self.discovery = None
        self.access = Access()
        self.cluster = ClusterPin(0, "/ha_monitor/successor-of/")


@pytest.mark.parametrize("how", ["goodbye", "refused"])
async def test_the_client_makes_it_again_once_on_another_connection_where_that_one_is_left(
    connected: Connected, how: str
) -> None:
    asked: list[str] = []
    fine = rpc.RangeResponse(count=7).SerializeToString()

    def once(peer: Peer, stream: int, content: bytes) -> None:
        path = peer.headers[stream][":path"]
        asked.append(path)
        if path.endswith("/Status"):
            peer.answer(stream, rpc.StatusResponse(version="3.5.9").SerializeToString(), last=FINE)
        elif asked.count(path) > 1:
            peer.answer(stream, fine, last=FINE)
        elif how == "goodbye":
            peer.goodbye(last=stream - 2)
        else:
            peer.h2.reset_stream(stream, frames.REFUSED_STREAM)

    server, _ = await connected(once)
    async with open_client(Asked(server.port)) as client:
        assert (await client.range(rpc.RangeRequest(key=b"a"), "read")).count == 7
        assert (await client.connection()).progress_is_ordered
    ranges = [path for path in asked if path.endswith("/Range")]
    assert len(ranges) == 2
    assert len(server.peers) == len(asked) - len(ranges) == (2 if how == "goodbye" else 1), "each is asked its version"


async def test_a_call_is_not_made_again_and_again(connected: Connected) -> None:
    def refuse(peer: Peer, stream: int, content: bytes) -> None:
        if peer.headers[stream][":path"].endswith("/Status"):
            peer.answer(stream, rpc.StatusResponse().SerializeToString(), last=FINE)
        else:
            peer.h2.reset_stream(stream, frames.REFUSED_STREAM)

    server, _ = await connected(refuse)
    async with open_client(Asked(server.port)) as client:
        with pytest.raises(EtcdUnavailable, match="the stream was reset with code 7"):
            await client.range(rpc.RangeRequest(key=b"a"), "read")
    assert len(server.peers[0].headers) == 3


async def test_an_answer_that_is_none(connected: Connected) -> None:
    _server, client = await connected(echo)
    ask = client.channel.unary_unary("/test/Ask", bytes, rpc.RangeResponse.FromString)
    code, words = await refused(ask(b"\xff\xff"))
    assert code is StatusCode.INTERNAL
    assert words.startswith("an answer that can't be read: ")


async def test_whoever_waits_for_a_connection_shares_what_comes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def nobody(*_: object, **__: object) -> None:
        nonlocal tries
        tries += 1
        await asyncio.sleep(0)
        raise ConnectionRefusedError

    monkeypatch.setattr(channels, "start_connection", nobody)
    client = Client(1)
    told = await asyncio.gather(*(refused(client.ask(b"")) for _ in range(10)))
    assert told == [(StatusCode.UNAVAILABLE, "failed to connect: Connection refused")] * 10
    assert tries == 1
    await refused(client.ask(b""))
    assert tries == 2


async def test_a_connection_takes_as_long_as_the_deadline_at_most(connected: Connected) -> None:
    server, client = await connected(silent)
    server.reads = False  # it takes connections, and says nothing
    for call in (client.ask(b"", timeout=0.05), client.talk(timeout=0.05).write(b"")):
        code, words = await refused(call)
        assert (code, words) in (
            (StatusCode.UNAVAILABLE, f"no connection in {float(words.split()[3]):g} s"),
            (StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"),
        )


async def test_who_waits_behind_a_try_that_was_given_up_tries_anew(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    _server, client = await connected(echo)
    begun = asyncio.Event()

    async def nobody(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    async def hang(*_: object, **__: object) -> None:
        begun.set()
        await anyio.sleep_forever()

    monkeypatch.setattr(channels, "start_connection", nobody)
    await refused(client.ask(b""))
    monkeypatch.setattr(channels, "start_connection", hang)
    async with anyio.create_task_group() as tasks:
        first = asyncio.ensure_future(client.ask(b""))
        await begun.wait()

        async def second() -> None:
            assert await client.ask(b"a") == b"a"

        tasks.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        monkeypatch.setattr(channels, "start_connection", start_connection)
        first.cancel()


async def test_an_abort_ends_all_at_once_even_where_the_server_is_frozen(connected: Connected) -> None:
    server, client = await connected(repeat)
    call = client.talk()
    await call.write(b"a")
    assert await call.read() == b"a"
    server.reads = False
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            assert await refused(client.ask(bytes(10_000_000))) == (StatusCode.UNAVAILABLE, "left")

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        client.channel.abort("left")
    assert await refused(call.read()) == (StatusCode.UNAVAILABLE, "left")
    assert await refused(client.ask(b"")) == (StatusCode.UNAVAILABLE, "left")
    assert await refused(client.talk().write(b"")) == (StatusCode.UNAVAILABLE, "left")


async def test_an_abort_in_the_turn_in_which_the_connection_is_made(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, client = await connected(echo)
    make = client.channel._new

    async def made_and_aborted() -> Any:
        made = await make()
        client.channel.abort("left")
        return made

    monkeypatch.setattr(client.channel, "_new", made_and_aborted)
    code, words = await refused(client.ask(b""))
    assert code is StatusCode.UNAVAILABLE
    assert "left" in words
    assert client.channel.connection is None
    assert len(server.peers[0].headers) == 0


async def test_an_abort_while_the_connection_is_made(connected: Connected) -> None:
    server, client = await connected(echo)
    server.reads = False
    async with anyio.create_task_group() as tasks:

        async def ask() -> None:
            assert await refused(client.ask(b"")) == (StatusCode.UNAVAILABLE, "left")

        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        client.channel.abort("left")


async def test_only_a_connection_with_calls_is_asked_for_signs_of_life(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE_AFTER", 0.05)
    server, client = await connected(lambda peer, stream, content: echo(peer, stream, content) if content else None)
    assert await client.ask(b"a", timeout=LONG) == b"a"
    monkeypatch.setattr(connections, "KEEPALIVE_TIMEOUT", 0.05)
    await asyncio.sleep(0.1)  # it may have been asked while the first call was under way
    before = server.peers[0].pings
    await asyncio.sleep(0.3)
    assert server.peers[0].pings == before
    await client.talk().write(b"")
    await server.until(lambda: server.peers[0].pings > before)


async def test_silence_is_asked_for_a_sign_of_life_and_given_up(
    connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEEPALIVE_AFTER", 0.05)
    monkeypatch.setattr(connections, "KEEPALIVE_TIMEOUT", 1.5)
    server, client = await connected(silent)
    call = client.talk()
    await call.write(b"")
    with anyio.move_on_after(1.8):  # longer than it would take, had its pings no answer
        await call.read()
    assert client.channel.connection is not None
    assert client.channel.connection.fault is None
    server.reads = False
    assert await refused(call.read()) == (StatusCode.UNAVAILABLE, "keepalive: no answer for 1.55 s")


@pytest.mark.parametrize("greets", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail ESMTP\r\n"])
async def test_who_speaks_something_else_is_told(serve: Callable[..., Scripted], greets: bytes) -> None:
    server = serve(silent, greets)
    await server.start()
    code, words = await refused(Client(server.port).ask(b""))
    assert code is StatusCode.UNAVAILABLE
    assert words.startswith("failed to connect: no HTTP/2 is spoken there, but b'")


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def theirs(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        context.set_alpn_protocols(["h2"])
        return context

    @pytest.fixture
    def ours(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        context.set_alpn_protocols(["h2"])
        return context

    async def test_calls_go_through_it(
        self, serve: Callable[..., Scripted], ours: ssl.SSLContext, theirs: ssl.SSLContext
    ) -> None:
        server = serve(echo)
        await server.start(tls=theirs)
        client = Client(server.port, "https", ours)
        assert await client.ask(bytes(1_000_000)) == bytes(1_000_000)
        assert server.peers[0].headers[1][":scheme"] == "https"
        await client.channel.close()

    async def test_an_authority_that_nobody_knows(self, serve: Callable[..., Scripted], theirs: ssl.SSLContext) -> None:
        server = serve(echo)
        await server.start(tls=theirs)
        code, words = await refused(Client(server.port, "https", ssl.create_default_context()).ask(b""))
        assert code is StatusCode.UNAVAILABLE
        assert "CERTIFICATE_VERIFY_FAILED" in words

    async def test_a_server_without_it(self, serve: Callable[..., Scripted], ours: ssl.SSLContext) -> None:
        server = serve(silent, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await server.start()
        code, words = await refused(Client(server.port, "https", ours).ask(b""))
        assert code is StatusCode.UNAVAILABLE
        assert "[SSL" in words

    async def test_a_ca_file_may_hold_any_certificate_of_the_chain_and_words_of_all_kinds(
        self, serve: Callable[..., Scripted], authority: trustme.CA, tmp_path: Path
    ) -> None:
        child = authority.create_child_ca()
        theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        child.issue_cert("127.0.0.1").configure_cert(theirs)
        theirs.set_alpn_protocols(["h2"])
        ca = tmp_path / "ca.pem"
        ca.write_bytes("# Főtanúsítvány\n".encode() + child.cert_pem.bytes())
        server = serve(echo)
        await server.start(tls=theirs)
        client = Client(server.port, "https", Access(ca=ca).tls())
        assert await client.ask(b"a") == b"a"
        await client.channel.close()

    def test_home_made_authorities_are_not_held_to_the_letter_of_the_standard(self) -> None:
        assert not Access().tls().verify_flags & ssl.VerifyFlags.VERIFY_X509_STRICT


@pytest.fixture
def sockets(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """Give the sockets that channels connect. One that keeps its descriptor closes whatever has that number later."""
    made: list[socket.socket] = []

    async def noted(*args: Any, **options: Any) -> socket.socket:
        made.append(await start_connection(*args, **options))
        return made[-1]

    monkeypatch.setattr(channels, "start_connection", noted)
    return made


async def all_closed(sockets: list[socket.socket]) -> None:
    while any(each.fileno() >= 0 for each in sockets):  # noqa: ASYNC110 - a transport tells nobody
        await anyio.sleep(0.01)


async def test_connecting_that_is_cancelled_at_any_turn_leaves_no_socket(
    connected: Connected, sockets: list[socket.socket]
) -> None:
    server, _ = await connected(echo)
    for turns in range(40):
        client = Client(server.port)
        connecting = asyncio.ensure_future(client.channel.connect())
        for _ in range(turns):
            await asyncio.sleep(0)
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connecting
        await client.channel.close()
    assert sockets
    await all_closed(sockets)


async def test_a_server_that_resets_what_it_accepts_leaves_no_socket(
    sockets: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_connected, was_reset = threading.Event(), threading.Event()

    async def reset_meanwhile(*args: Any, **options: Any) -> socket.socket:
        was_reset.clear()
        sockets.append(await start_connection(*args, **options))
        is_connected.set()
        was_reset.wait(LONG)  # in this very turn, so that the transport's first write meets it
        return sockets[-1]

    monkeypatch.setattr(channels, "start_connection", reset_meanwhile)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stop = threading.Event()

        def reset() -> None:
            while not stop.is_set():
                accepted, _ = listening.accept()
                is_connected.wait(LONG)
                is_connected.clear()
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                accepted.close()
                was_reset.set()

        thread = threading.Thread(target=reset)
        thread.start()
        try:
            for _ in range(100):
                client = Client(listening.getsockname()[1])
                with pytest.raises(AioRpcError):
                    await client.channel.connect()
                await client.channel.close()
        finally:
            stop.set()
            is_connected.set()
            socket.create_connection(listening.getsockname()).close()
            thread.join()
    await all_closed(sockets)


async def test_a_deadline_does_not_count_what_the_event_loop_was_held_up_for(connected: Connected) -> None:
    _, client = await connected(echo)
    await client.ask(b"1", timeout=LONG)
    for turns in range(4):
        asking = asyncio.ensure_future(client.ask(b"2", timeout=0.3))
        for _ in range(turns):
            await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - what holds it up
        assert await asking == b"2"
    call = client.talk(timeout=0.3)
    await call.write(b"3")
    time.sleep(0.5)  # noqa: ASYNC251
    assert await call.read() == b"3"
