"""One connection to one member: who we are to it, its stubs, the token; and the way to leave it at once."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aetcd import rpc

from ha_monitor.endpoint import is_secure
from ha_monitor.errors import EtcdRefused, EtcdTlsRefused
from ha_monitor.etcd.faults import AUTH_NOT_ENABLED, translate
from ha_monitor.wire.channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALL_TIMEOUT = 5.0
"""Deadline of a unary call, in seconds. aetcd's own default is none: a frozen member would hold the caller for good."""

Metadata: TypeAlias = "tuple[tuple[str, str], ...]"
"""What goes with each call: pairs of a header's name and its value."""

# Without hasleader a member cut off from its quorum keeps a watch open, silent for good.
_NO_TOKEN: Metadata = (("hasleader", "true"),)


@dataclass(frozen=True, slots=True)
class Access:
    """Who we are to etcd: files are read anew for each channel, so that a rotated certificate or password counts."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    user: str | None = None
    password_file: Path | None = None

    def tls(self) -> ssl.SSLContext:
        """Who is trusted, the system's authorities without a CA file, and who we are.

        Raises :class:`EtcdRefused` for a file that is not there, :class:`EtcdTlsRefused` for one that says nothing.
        """
        ca, *_ = [_read(path, empty=False) for path in (self.ca, self.key, self.cert)]
        try:
            context = ssl.create_default_context(cadata=None if ca is None else ca.decode("ascii", "ignore"))
        except (ssl.SSLError, ValueError) as error:
            raise EtcdTlsRefused(f"TLS: {self.ca}: no certificates as PEM ({error})") from error
        if self.cert is not None:
            try:  # without a password here, one would be asked for on the terminal
                context.load_cert_chain(self.cert, self.key, password="")
            except (OSError, ValueError) as error:
                files = f"{self.cert} and {self.key}"
                raise EtcdTlsRefused(f"TLS: {files}: not a certificate and its key, as PEM ({error})") from error
        context.set_alpn_protocols(["h2"])
        # As other clients of etcd have it: any certificate of the CA file will do, home-made ones as well.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
        return context

    def password(self) -> str:
        """The password, without the line end that editors add. Raises :class:`EtcdRefused` for a bad file."""
        content = _read(self.password_file) or b""
        try:
            return content.decode().rstrip("\r\n")
        except UnicodeDecodeError:  # whose words tell a byte of it
            raise EtcdRefused(f"{self.password_file}: it is not UTF-8, as etcd's passwords are") from None


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
    """The calls of one member, by service, with the faces of aetcd's stubs.

    ``await kv.Txn(request, timeout=…, metadata=…)`` gives an answer; ``watch.Watch(metadata=…)`` a call with ``write``,
    ``read`` and ``cancel``, whose good end is :data:`ha_monitor.wire.calls.END_OF_STREAM`. Both raise
    :class:`grpc.aio.AioRpcError`. Where they have a ``fault``, which says why no more calls can be made on them and is
    ``None`` as long as they can, others take their place then; until they are ``over``, calls may still be answered.
    """

    kv: Any
    lease: Any
    maintenance: Any
    auth: Any

    @property
    def watch(self) -> Any:
        """The stub for watches."""

    def abort(self, words: str) -> None:
        """End every call at once with ``UNAVAILABLE`` and these words, and every one that is made from now on."""

    async def close(self) -> None:
        """End the connection in good order; nobody is in a call."""


Connect: TypeAlias = "Callable[[str, Access], Stubs]"
"""Gives the stubs of the member at a URL, for who we are. Raises :class:`EtcdRefused` for bad files."""


STREAMS_FOR_BOTH = 4
"""Streams that a server has to allow, at the least, for watches and unary calls to share a connection. Chosen: a probe,
a refresh of a lease and a transaction are under way at once, and watch streams are never over."""


class ChannelStubs:
    """aetcd's stubs on a channel of ours, and another one where a connection is not enough; theirs to close."""

    def __init__(self, channel: Channel) -> None:
        self.kv = rpc.KVStub(channel)
        self.lease = rpc.LeaseStub(channel)
        self.auth = rpc.AuthStub(channel)
        self._channel = channel
        self._watch_channel: Channel | None = None
        # aetcd's stub of this service wants a kind of call that nobody here makes.
        self.maintenance = SimpleNamespace(
            Status=channel.unary_unary(
                "/etcdserverpb.Maintenance/Status", rpc.StatusRequest.SerializeToString, rpc.StatusResponse.FromString
            )
        )

    @property
    def watch(self) -> rpc.WatchStub:
        """The stub for watches: on a connection of its own where the server allows too few streams on one."""
        allowed = self.allowed_streams
        if self._watch_channel is None:
            few = allowed is not None and allowed < STREAMS_FOR_BOTH
            self._watch_channel = self._channel.another() if few else self._channel
        return rpc.WatchStub(self._watch_channel)

    @property
    def allowed_streams(self) -> int | None:
        """How many streams the server allows on a connection; ``None``: it sets no limit, or is not connected to."""
        connection = self._channel.connection
        return None if connection is None else connection.allowed_streams

    @property
    def _channels(self) -> tuple[Channel, ...]:
        own = self._watch_channel
        return (self._channel,) if own is None or own is self._channel else (self._channel, own)

    @property
    def fault(self) -> str | None:
        """Why no more calls can be made: a connection is lost, or its server has said goodbye."""
        made = (channel.connection for channel in self._channels)
        return next((connection.fault for connection in made if connection is not None and connection.fault), None)

    @property
    def over(self) -> bool:
        """Whether the connections are not there any more."""
        made = (channel.connection for channel in self._channels)
        return all(connection is None or connection.closed.done() for connection in made)

    def abort(self, words: str) -> None:
        """End every call at once with ``UNAVAILABLE`` and these words, and every one that is made from now on."""
        for channel in self._channels:
            channel.abort(words)

    async def close(self) -> None:
        """End the connections in good order."""
        for channel in reversed(self._channels):
            await channel.close()


def dial(url: str, access: Access) -> ChannelStubs:
    """Give the stubs of a new channel, which connects at the first call. Raises :class:`EtcdRefused` for bad files."""
    return ChannelStubs(Channel(url, access.tls() if is_secure(url) else None))


class Connection:
    """The stubs of one member, what goes with each call on them, and the way to leave that member."""

    def __init__(self, url: str, access: Access, connect: Connect = dial) -> None:
        self._stubs = connect(url, access)
        self.url = url
        self.access = access
        self.kv = self._stubs.kv
        self.lease = self._stubs.lease
        self.maintenance = self._stubs.maintenance
        self.metadata = _NO_TOKEN
        self.lost: str | None = None
        self.cluster_id = 0
        """The id of the member's cluster; 0 before its first reply."""
        self.version = ""
        """The server's; empty where we may not ask for it."""
        self.progress_is_ordered = False
        """Whether an answer to a progress request is in line with the events (etcd#15220)."""

    @property
    def watch(self) -> Any:
        """The stub for watches."""
        return self._stubs.watch

    @property
    def allowed_streams(self) -> int | None:
        """How many streams the server allows on a connection; ``None``: it sets no limit."""
        return getattr(self._stubs, "allowed_streams", None)

    @property
    def is_usable(self) -> bool:
        """Whether more calls can be made on it."""
        return self.lost is None and getattr(self._stubs, "fault", None) is None

    @property
    def is_over(self) -> bool:
        """Whether nothing comes on it any more."""
        return self.lost is not None or getattr(self._stubs, "over", True)

    def abandon(self, reason: str) -> None:
        """End every call on this connection; who is in one, or makes one, gets ``UNAVAILABLE`` with this reason."""
        if self.lost is None:
            self.lost = reason
            self._stubs.abort(reason)

    async def authenticate(self) -> None:
        """Get a token for the user, where there is one. Raises :class:`EtcdRefused` for wrong credentials.

        Where authentication is not enabled, or not any more, no token is needed: so has it etcd's own client
        (``client/v3/client.go``, ``getToken``).
        """
        if self.access.user is None:
            return
        request = rpc.AuthenticateRequest(name=self.access.user, password=self.access.password())
        try:
            answer = await self._stubs.auth.Authenticate(request, timeout=CALL_TIMEOUT)
        except rpc.AioRpcError as error:
            if AUTH_NOT_ENABLED in (error.details() or "").lower():
                self.metadata = _NO_TOKEN
                return
            raise translate(error, f"log in to {self.url} as {self.access.user}") from error
        if not answer.token.isascii():
            raise EtcdRefused(f"log in to {self.url} as {self.access.user}: a token that no header can carry")
        self.metadata = (*_NO_TOKEN, ("token", answer.token))

    async def close(self) -> None:
        """End the connection in good order."""
        self.lost = self.lost or "closed"
        await self._stubs.close()
