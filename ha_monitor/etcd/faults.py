"""What a failed call means: one table from status code and words to our own error classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetcd import rpc

from ha_monitor.errors import (
    EtcdCompacted,
    EtcdCorrupt,
    EtcdDenied,
    EtcdError,
    EtcdNoSpace,
    EtcdRefused,
    EtcdTlsRefused,
    EtcdTokenInvalid,
    EtcdTooLarge,
    EtcdUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_Code = rpc.StatusCode

# A TLS failure is UNAVAILABLE, like a server that is down; only the words tell: those of OpenSSL begin so.
_TLS_WORDS = ("certificate", "[ssl")
# A JWT is valid for one revision of the auth store: any change of a user or role makes it old.
_TOKEN_WORDS = (
    "invalid auth token",
    "revision in header is old",
    "revision of auth store is old",
    "user name is empty",  # no token, since authentication was enabled after the connection was made
)
_REFUSED_WORDS = ("authentication failed", "client cert")
AUTH_NOT_ENABLED = "authentication is not enabled"
"""What etcd says to a login where access is not checked."""
# Before 3.5.30 a watch with a bad token is told "permission denied", since then "user name is empty".
_WATCH_REFUSED_WORDS = ("permission", "auth", "user name is empty")


def translate(error: rpc.AioRpcError, doing: str) -> EtcdError:
    """Give the error of this package for one of a call.

    :param doing: what was tried, for the words (``"list /config/…"``).
    """
    return classify(error.code(), error.details() or "", doing)


def classify(code: rpc.StatusCode, details: str, doing: str) -> EtcdError:
    """The same from the bare status code and its words."""
    text = f"{doing}: {details or code.name}"
    words = details.lower()
    if _any(_TOKEN_WORDS, words) or code is _Code.UNAUTHENTICATED:
        return EtcdTokenInvalid(text)
    if "database space exceeded" in words:
        return EtcdNoSpace(text)
    if "corrupt cluster" in words:  # DATA_LOSS, the same words from 3.4 to 3.7
        return EtcdCorrupt(text)
    if "permission denied" in words or code is _Code.PERMISSION_DENIED:
        return EtcdDenied(text)
    if _any(_REFUSED_WORDS, words):
        return EtcdRefused(text)
    if code is _Code.OUT_OF_RANGE:  # "compacted", or "future" from a member that lags behind: both want a new list
        return EtcdCompacted(text)
    if code is _Code.RESOURCE_EXHAUSTED and "message larger than max" in words:
        return EtcdTooLarge(text)
    if code is _Code.UNAVAILABLE and _any(_TLS_WORDS, words):
        return EtcdTlsRefused(f"TLS: {text}")
    if code in _RETRYABLE or "not supported for learner" in words:
        return EtcdUnavailable(text)
    return EtcdError(text)


def classify_cancellation(reply: rpc.WatchResponse, doing: str) -> EtcdError:
    """Give the error for a reply that says that the server has ended a watch."""
    if reply.compact_revision:
        return EtcdCompacted(f"{doing}: compacted at {reply.compact_revision}")
    reason = reply.cancel_reason or "canceled without a reason"
    words = reason.lower()
    if _any(_TOKEN_WORDS, words):
        return EtcdTokenInvalid(f"{doing}: {reason}")
    if _any(_WATCH_REFUSED_WORDS, words):
        return EtcdRefused(f"{doing}: {reason}")
    return EtcdUnavailable(f"{doing}: {reason}")


def is_about_the_request(error: EtcdError) -> bool:
    """Tell whether etcd refused what was asked for, and may take another request: it is there, and knows who we are.

    Such as one that is too large, or that writes a key twice: of no known kind.
    """
    return isinstance(error, (EtcdDenied, EtcdTooLarge)) or type(error) is EtcdError


# INTERNAL is among them: so a stream ends that the server, or a proxy on the way, has reset.
_RETRYABLE = frozenset(
    {
        _Code.UNAVAILABLE,
        _Code.DEADLINE_EXCEEDED,
        _Code.INTERNAL,
        _Code.ABORTED,
        _Code.CANCELLED,
        _Code.RESOURCE_EXHAUSTED,
        _Code.UNKNOWN,
        _Code.UNIMPLEMENTED,  # by whoever answers in the place of an etcd
    }
)


def _any(needles: Iterable[str], text: str) -> bool:
    return any(needle in text for needle in needles)
