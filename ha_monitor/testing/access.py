"""Users, passwords, tokens, and who may read and write what, as etcd's ``auth`` has it. Pure: told the time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from aetcd import rpc

from ha_monitor.testing.checks import operations
from ha_monitor.testing.refusals import (
    DENIED,
    INVALID_TOKEN,
    INVALID_TOKEN_UNKNOWN,
    NO_AUTH,
    NO_USER,
    OLD_TOKEN,
    OLD_TOKEN_UNKNOWN,
    USER_NOT_FOUND,
    WRONG_PASSWORD,
    Refused,
)
from ha_monitor.testing.versions import MayAsk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ha_monitor.testing.versions import Behaviour

TokenKind = Literal["simple", "jwt"]
"""etcd's ``--auth-token``."""

TOKEN_TTL = 300.0
"""Seconds that a token lives: a simple one without use (``--auth-token-ttl``), a JWT in all; etcd's defaults."""

_LEASES = (rpc.LeaseGrantRequest, rpc.LeaseRevokeRequest, rpc.LeaseTimeToLiveRequest, rpc.LeaseKeepAliveRequest)


@dataclass(slots=True)
class User:
    """A user: prefixes that may be read, and written."""

    password: str
    read: Sequence[bytes]
    write: Sequence[bytes]


class Caller(NamedTuple):
    """Who makes a request, and the revision of the auth store that the token is of."""

    name: str
    revision: int


class _Token(NamedTuple):
    caller: Caller
    due: float


class Access:
    """The auth store. Its revision grows with every change of users and roles, which makes JWTs old."""

    def __init__(self, behaviour: Behaviour, kind: TokenKind) -> None:
        self.users: dict[str, User] = {}
        self.behaviour = behaviour
        self._kind = kind
        self._revision = 1
        self._enabled: bool | None = None
        self._tokens: dict[str, _Token] = {}
        self._numbers = itertools.count(1)

    @property
    def enabled(self) -> bool:
        """Whether requests are checked; where nobody has said, from the first user on."""
        return bool(self.users) if self._enabled is None else self._enabled

    def enable(self) -> None:
        """Check requests from now on."""
        self._enabled = True

    def disable(self) -> None:
        """Check requests no more; simple tokens end, and JWTs are old."""
        if self.enabled:
            self._revision += 1
            self.end_simple_tokens()
        self._enabled = False

    def set_user(self, name: str, user: User) -> None:
        """Add a user, or change one; another password ends the simple tokens of the user."""
        before = self.users.get(name)
        self.users[name] = user
        self._revision += 1
        if before is not None and before.password != user.password:
            self.end_simple_tokens(name)

    def remove_user(self, name: str) -> None:
        """Remove a user; that ends the simple tokens of the user."""
        self._enabled = self.enabled  # the last one gone, it stays enabled
        del self.users[name]
        self._revision += 1
        self.end_simple_tokens(name)

    # -- tokens

    def login(self, name: str, password: str, now: float) -> str:
        """Give a token."""
        if not self.enabled:
            raise Refused(NO_AUTH)
        user = self.users.get(name)
        if user is None or user.password != password:
            raise Refused(WRONG_PASSWORD)
        token = f"memory.{next(self._numbers)}"
        self._tokens[token] = _Token(Caller(name, self._revision), now + TOKEN_TTL)
        return token

    def end_simple_tokens(self, name: str | None = None) -> None:
        """End the tokens that the server keeps, or those of one user. A JWT is kept by the client alone."""
        if self._kind == "simple":
            self._tokens = {
                token: held for token, held in self._tokens.items() if name is not None and held.caller.name != name
            }

    def expire_tokens(self) -> None:
        """End all tokens, as if their time were over."""
        self._tokens.clear()

    def caller(self, token: str | None, now: float) -> Caller | None:
        """Tell whose a token is, and have a simple one live on; ``None`` without a token, or where none is asked for.

        Raises what etcd says to an invalid one.
        """
        if token is None or not (self.enabled or self.behaviour.token_is_checked_without_auth):
            return None
        held = self._tokens.get(token)
        if held is None or held.due <= now:
            raise Refused(INVALID_TOKEN)
        if self._kind == "jwt":
            return held.caller
        caller = Caller(held.caller.name, self._revision)
        self._tokens[token] = _Token(caller, now + TOKEN_TTL)
        return caller

    # -- requests

    def check(self, token: str | None, request: Any, keys: Iterable[bytes], now: float) -> None:
        """Raise what etcd says to a request that its sender may not make.

        :param keys: those of the lease that the request is about.
        """
        if self._is_open(request):
            return
        try:
            caller = self.caller(token, now)
        except Refused:
            if isinstance(request, rpc.AlarmRequest) and self.behaviour.alarm_hides_codes:
                raise Refused(INVALID_TOKEN_UNKNOWN) from None
            raise
        if self.enabled:
            self._check(caller, request, keys)
        elif caller is not None and _only_reads(request) and caller.revision != self._revision:
            raise Refused(self._old)  # a read looks at the revision once more when it is done

    def _is_open(self, request: Any) -> bool:
        """Tell whether etcd does not even look at the token."""
        if isinstance(request, (rpc.LeaseKeepAliveRequest, rpc.LeaseTimeToLiveRequest)):
            return not self.behaviour.leases_need_a_token
        if isinstance(request, rpc.StatusRequest):
            return self.behaviour.status is MayAsk.ANYONE
        return isinstance(request, rpc.AuthenticateRequest)

    def _who_may_ask(self, request: Any) -> MayAsk | None:
        """Tell it of a request to the Maintenance service; ``None``: it is of another one."""
        if isinstance(request, rpc.StatusRequest):
            return self.behaviour.status
        return self.behaviour.alarms if isinstance(request, rpc.AlarmRequest) else None

    def _check(self, caller: Caller | None, request: Any, keys: Iterable[bytes]) -> None:
        who = self._who_may_ask(request)
        if isinstance(request, rpc.CompactionRequest) or who is MayAsk.ANYONE:
            return
        if who is not None:
            if caller is None:
                raise Refused(NO_USER)
            if who is MayAsk.ROOT:
                raise Refused(DENIED if caller.name in self.users else USER_NOT_FOUND)
        elif isinstance(request, _LEASES):
            self._check_lease(caller, keys)
        else:
            _check_keys(self._user(caller), request)

    def _check_lease(self, caller: Caller | None, keys: Iterable[bytes]) -> None:
        if caller is None and self.behaviour.leases_need_a_token:
            raise Refused(NO_USER)
        for key in keys:
            _check_range(self._user(caller).write, key, b"")

    def _user(self, caller: Caller | None) -> User:
        if caller is None:
            raise Refused(NO_USER)
        if caller.revision < self._revision:
            raise Refused(self._old)
        if caller.name not in self.users:
            raise Refused(DENIED)
        return self.users[caller.name]

    @property
    def _old(self) -> Any:
        return OLD_TOKEN_UNKNOWN if self.behaviour.old_token_is_unknown else OLD_TOKEN


def _only_reads(request: Any) -> bool:
    if isinstance(request, rpc.TxnRequest):
        return all(isinstance(operation, rpc.RangeRequest) for operation in operations(request))
    return isinstance(request, rpc.RangeRequest)


def _check_keys(user: User, request: Any) -> None:
    if isinstance(request, rpc.TxnRequest):
        for comparison in request.compare:
            _check_range(user.read, comparison.key, comparison.range_end)
        for operation in operations(request):
            _check_keys(user, operation)
    elif isinstance(request, (rpc.RangeRequest, rpc.WatchCreateRequest)):
        _check_range(user.read, request.key, request.range_end)
    elif isinstance(request, rpc.PutRequest):
        _check_range(user.write, request.key, b"")
        if request.prev_kv:
            _check_range(user.read, request.key, b"")
    elif isinstance(request, rpc.DeleteRangeRequest):
        _check_range(user.write, request.key, request.range_end)
        if request.prev_kv:
            _check_range(user.read, request.key, request.range_end)


def _check_range(prefixes: Iterable[bytes], key: bytes, end: bytes) -> None:
    if not any(_is_inside(prefix, key, end) for prefix in prefixes):
        raise Refused(DENIED)


def _is_inside(prefix: bytes, key: bytes, end: bytes) -> bool:
    """Tell whether a range lies within a prefix: its end may be the very end of it."""
    if not prefix:
        return True
    last = prefix[:-1] + bytes([prefix[-1] + 1])
    return key.startswith(prefix) and (not end or (end != b"\0" and end <= last))
