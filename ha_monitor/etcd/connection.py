"""One channel to one member: its options, TLS, stubs and token; and the way to end every call on it at once."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import anyio.lowlevel
import grpc
from aetcd import rpc

from ha_monitor.errors import EtcdRefused, EtcdUnavailable
from ha_monitor.etcd.faults import translate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from types import TracebackType

_Reply = TypeVar("_Reply")

CALL_TIMEOUT = 5.0
"""Deadline of a unary call, in seconds. aetcd's own default is none: a frozen member would hold the caller for good."""

# Measured on grpcio 1.85: keepalive_timeout_ms has no effect, http2.ping_timeout_ms is the one that counts; with
# max_pings_without_data at its default an idle watch is never pinged; under 5 s etcd answers GOAWAY too_many_pings.
# min_reconnect_backoff_ms is also how long a connection attempt may take; the pause between tries is ours
# (backoff.py), so gRPC's own is kept short. The own subchannel pool keeps
# a new channel from inheriting the backoff of the one it replaces.
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    ("grpc.max_receive_message_length", 512 * 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
)


@dataclass(frozen=True, slots=True)
class Access:
    """Who we are to etcd: files are read anew for each channel, so that a rotated certificate or password counts."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    user: str | None = None
    password_file: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """TLS credentials; without a CA file the system's roots count. Raises :class:`EtcdRefused` for a bad file.

        A file that is empty, as one is for a moment while it is copied over, would have gRPC abort the process.
        """
        return grpc.ssl_channel_credentials(*(_read(path, empty=False) for path in (self.ca, self.key, self.cert)))

    def password(self) -> str:
        """The password, without the line end that editors add. Raises :class:`EtcdRefused` for a bad file."""
        text = _read(self.password_file) or b""
        return text.decode().rstrip("\r\n")


def _read(path: Path | None, *, empty: bool = True) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EtcdRefused(f"{path}: {error.strerror}") from error
    if not content and not empty:
        raise EtcdRefused(f"{path}: empty file")
    return content


class Stubs(Protocol):
    """The calls of one member, by service, with the faces of aetcd's stubs: awaited, or written to and read from."""

    kv: Any
    watch: Any
    lease: Any
    maintenance: Any
    auth: Any

    async def close(self) -> None:
        """End the connection under the calls; nobody is in one."""


Connect: TypeAlias = "Callable[[str, Access], Stubs]"
"""Gives the stubs of the member at a URL, for who we are. Raises :class:`EtcdRefused` for bad files."""


class ChannelStubs:
    """The stubs of a channel of gRPC, which is theirs to close."""

    def __init__(self, channel: rpc.Channel) -> None:
        self._channel = channel
        self.kv = rpc.KVStub(channel)
        self.watch = rpc.WatchStub(channel)
        self.lease = rpc.LeaseStub(channel)
        self.maintenance = rpc.MaintenanceStub(channel)
        self.auth = rpc.AuthStub(channel)

    async def close(self) -> None:
        """End the channel."""
        await self._channel.close()


def dial(url: str, access: Access) -> Stubs:
    """Give the stubs of a new channel, which connects at the first call. Raises :class:`EtcdRefused` for bad files."""
    scheme, _, target = url.partition("://")
    if scheme == "https":
        return ChannelStubs(rpc.secure_channel(target, access.credentials(), options=_OPTIONS))
    return ChannelStubs(rpc.insecure_channel(target, options=_OPTIONS))


class Guard:
    """An async context manager around a stream: a scope that ends whatever is awaited inside, but not what is shielded.

    gRPC answers a cancellation of the waiting task with a bare ``CancelledError`` of its own making, which anyio does
    not take for one of its own: it would pass the scope that it is meant for, and end the task without a word. So it is
    told apart here. For the same reason no call is ever cancelled from another task: whoever waits for it is, and a
    channel is closed when nobody is in a call (:attr:`Connection.idle`).
    """

    __slots__ = ("_connection", "_scope")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        """Begin; raises :class:`EtcdUnavailable` where the connection was abandoned."""
        connection = self._connection
        if connection.lost is not None:
            raise EtcdUnavailable(connection.lost)
        self._scope = anyio.CancelScope()
        self._scope.__enter__()
        connection.scopes.add(self._scope)

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End; raises :class:`EtcdUnavailable` where the connection was abandoned meanwhile."""
        connection, scope = self._connection, self._scope
        connection.scopes.discard(scope)
        swallowed = scope.__exit__(exc_type, exc, traceback)
        if swallowed:
            raise EtcdUnavailable(connection.lost or "connection abandoned") from None
        if isinstance(exc, asyncio.CancelledError):
            await anyio.lowlevel.checkpoint_if_cancelled()  # raises anyio's own, where a scope around us is meant
            if connection.lost is not None:
                raise EtcdUnavailable(connection.lost) from None


class Connection:
    """The stubs of one member, and what goes with each call: made by :meth:`ask`, or for a stream in :meth:`guard`."""

    def __init__(self, url: str, access: Access, connect: Connect = dial) -> None:
        self._stubs = connect(url, access)
        self.url = url
        self.access = access
        self.kv = self._stubs.kv
        self.watch = self._stubs.watch
        self.lease = self._stubs.lease
        self.maintenance = self._stubs.maintenance
        # Without hasleader a member cut off from its quorum keeps a watch open, silent for good.
        self.metadata = grpc.aio.Metadata(("hasleader", "true"))  # made once: gRPC makes one of a tuple for each call
        self.lost: str | None = None
        self.scopes: set[anyio.CancelScope] = set()
        self._asking: set[asyncio.Task[Any]] = set()

    def guard(self) -> Guard:
        """Run a stream on this connection; raises :class:`EtcdUnavailable` in it once :meth:`abandon` was called."""
        return Guard(self)

    async def ask(self, make: Callable[[Connection], Awaitable[_Reply]]) -> _Reply:
        """Make a unary call. Raises what it raises, and :class:`EtcdUnavailable` once :meth:`abandon` was called.

        There is one await, so it does without a scope, which takes as long as a tenth of our way from an event to the
        call that writes its record (measured).
        """
        if self.lost is not None:
            raise EtcdUnavailable(self.lost)
        task = _current_task()
        before = _cancellations(task)
        self._asking.add(task)
        try:
            return await make(self)
        except asyncio.CancelledError:
            self._asking.discard(task)  # abandon() cancels it no more
            if self.lost is not None and sys.version_info >= (3, 11):
                task.uncancel()  # abandon() did
            await anyio.lowlevel.checkpoint_if_cancelled()  # raises anyio's own, where a scope around us is meant
            if self.lost is None or _cancellations(task) > before:
                raise
            raise EtcdUnavailable(self.lost) from None
        finally:
            self._asking.discard(task)

    @property
    def idle(self) -> bool:
        """Whether nobody is in a call."""
        return not (self.scopes or self._asking)

    def abandon(self, reason: str) -> None:
        """End every call on this connection with :class:`EtcdUnavailable`; new ones are refused."""
        if self.lost is None:
            self.lost = reason
            for scope in tuple(self.scopes):
                scope.cancel()
            for task in self._asking:
                task.cancel()

    async def authenticate(self) -> None:
        """Get a token for the user, where there is one. Raises :class:`EtcdRefused` for wrong credentials."""
        if self.access.user is None:
            return
        request = rpc.AuthenticateRequest(name=self.access.user, password=self.access.password())
        try:
            answer = await self.ask(lambda _: self._stubs.auth.Authenticate(request, timeout=CALL_TIMEOUT))
        except rpc.AioRpcError as error:
            raise translate(error, f"log in to {self.url} as {self.access.user}") from error
        self.metadata = grpc.aio.Metadata(("hasleader", "true"), ("token", answer.token))

    async def close(self) -> None:
        """End the channel; nobody may be in a call on it."""
        self.lost = self.lost or "closed"
        await self._stubs.close()


def _current_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine is run by a task
    return task


def _cancellations(task: asyncio.Task[Any]) -> int:
    """Give how many have asked a task to end; Python 3.10 does not count them."""
    return task.cancelling() if sys.version_info >= (3, 11) else 0
