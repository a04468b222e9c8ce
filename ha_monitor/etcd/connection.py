"""One connection to one member: who we are to it, its stubs, the token; and the way to leave it at once."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from aetcd import rpc

from ha_monitor.endpoint import is_secure
from ha_monitor.errors import EtcdRefused, EtcdTlsRefused
from ha_monitor.etcd.faults import translate
from ha_monitor.wire.channel import Channel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALL_TIMEOUT = 5.0
"""Deadline of a unary call, in seconds. aetcd's own default is none: a frozen member would hold the caller for good."""


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
    watch: Any
    lease: Any
    maintenance: Any
    auth: Any

    def abort(self, words: str) -> None:
        """End every call at once with ``UNAVAILABLE`` and these words, and every one that is made from now on."""

    async def close(self) -> None:
        """End the connection in good order; nobody is in a call."""


Connect: TypeAlias = "Callable[[str, Access], Stubs]"
"""Gives the stubs of the member at a URL, for who we are. Raises :class:`EtcdRefused` for bad files."""


class ChannelStubs:
    """aetcd's stubs on a channel of ours, which is theirs to close."""

    def __init__(self, channel: Channel) -> None:
        self.kv = rpc.KVStub(channel)
        self.watch = rpc.WatchStub(channel)
        self.lease = rpc.LeaseStub(channel)
        self.auth = rpc.AuthStub(channel)
        self.abort = channel.abort
        self.close = channel.close
        self._channel = channel
        # aetcd's stub of this service wants a kind of call that nobody here makes.
        self.maintenance = SimpleNamespace(
            Status=channel.unary_unary(
                "/etcdserverpb.Maintenance/Status", rpc.StatusRequest.SerializeToString, rpc.StatusResponse.FromString
            )
        )

    @property
    def fault(self) -> str | None:
        """Why no more calls can be made: the connection is lost, or its server has said goodbye."""
        connection = self._channel.connection
        return None if connection is None else connection.fault

    @property
    def over(self) -> bool:
        """Whether the connection is not there any more."""
        connection = self._channel.connection
        return connection is None or connection.closed.done()


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
        self.watch = self._stubs.watch
        self.lease = self._stubs.lease
        self.maintenance = self._stubs.maintenance
        # Without hasleader a member cut off from its quorum keeps a watch open, silent for good.
        self.metadata: tuple[tuple[str, str], ...] = (("hasleader", "true"),)
        self.lost: str | None = None
        self.version = ""
        """The server's; empty where we may not ask for it."""
        self.progress_is_ordered = False
        """Whether an answer to a progress request is in line with the events (etcd#15220)."""

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
        """Get a token for the user, where there is one. Raises :class:`EtcdRefused` for wrong credentials."""
        if self.access.user is None:
            return
        request = rpc.AuthenticateRequest(name=self.access.user, password=self.access.password())
        try:
            answer = await self._stubs.auth.Authenticate(request, timeout=CALL_TIMEOUT)
        except rpc.AioRpcError as error:
            raise translate(error, f"log in to {self.url} as {self.access.user}") from error
        if not answer.token.isascii():
            raise EtcdRefused(f"log in to {self.url} as {self.access.user}: a token that no header can carry")
        self.metadata = (("hasleader", "true"), ("token", answer.token))

    async def close(self) -> None:
        """End the connection in good order."""
        self.lost = self.lost or "closed"
        await self._stubs.close()
