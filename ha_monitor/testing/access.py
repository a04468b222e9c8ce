"""Users, passwords, tokens, and who may read and write what, as etcd's ``auth`` has it. Pure: told the time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.checks import operations
from ha_monitor.testing.refusals import DENIED, INVALID_TOKEN, NO_AUTH, NO_USER, WRONG_PASSWORD, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

TOKEN_TTL = 300.0
"""Seconds that a token lives without use: etcd's ``--auth-token-ttl`` default."""


@dataclass(slots=True)
class User:
    """A user: prefixes that may be read, and written."""

    password: str
    read: Sequence[bytes]
    write: Sequence[bytes]


class Access:
    """Checks nothing until there is a user."""

    def __init__(self) -> None:
        self.users: dict[str, User] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        """Whose each is, and when it ends without use."""
        self._numbers = itertools.count(1)

    def login(self, name: str, password: str, now: float) -> str:
        """Give a token."""
        if not self.users:
            raise Refused(NO_AUTH)
        user = self.users.get(name)
        if user is None or user.password != password:
            raise Refused(WRONG_PASSWORD)
        token = f"memory.{next(self._numbers)}"
        self._tokens[token] = name, now + TOKEN_TTL
        return token

    def forget_tokens(self, name: str | None = None) -> None:
        """End all tokens, or those of one user."""
        self._tokens = {token: of for token, of in self._tokens.items() if name is not None and of[0] != name}

    def who(self, token: str | None, now: float) -> User | None:
        """Tell whose a token is, and have it live on; ``None`` where access is not checked."""
        if not self.users:
            return None
        if token is None:
            raise Refused(NO_USER)
        name, due = self._tokens.get(token, ("", 0.0))
        if due <= now or name not in self.users:
            self._tokens.pop(token, None)
            raise Refused(INVALID_TOKEN)
        self._tokens[token] = name, now + TOKEN_TTL
        return self.users[name]


def check(user: User | None, request: Any) -> None:
    """Raise what etcd says to a request, or a part of one, that somebody may not make."""
    if user is None:
        return
    if isinstance(request, rpc.TxnRequest):
        for comparison in request.compare:
            _check(user.read, comparison.key, comparison.range_end)
        for operation in operations(request):
            check(user, operation)
    elif isinstance(request, (rpc.RangeRequest, rpc.WatchCreateRequest)):
        _check(user.read, request.key, request.range_end)
    elif isinstance(request, rpc.PutRequest):
        _check(user.write, request.key, b"")
        if request.prev_kv:
            _check(user.read, request.key, b"")
    elif isinstance(request, rpc.DeleteRangeRequest):
        _check(user.write, request.key, request.range_end)
        if request.prev_kv:
            _check(user.read, request.key, request.range_end)


def _check(prefixes: Iterable[bytes], key: bytes, end: bytes) -> None:
    if not any(_is_inside(prefix, key, end) for prefix in prefixes):
        raise Refused(DENIED)


def _is_inside(prefix: bytes, key: bytes, end: bytes) -> bool:
    """Tell whether a range lies within a prefix: its end may be the very end of it."""
    if not prefix:
        return True
    last = prefix[:-1] + bytes([prefix[-1] + 1])
    return key.startswith(prefix) and (not end or (end != b"\0" and end <= last))
