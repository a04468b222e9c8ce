"""Signs webhooks as Standard Webhooks has it (https://www.standardwebhooks.com): receivers have libraries for that.

Signed is ``ID.TIMESTAMP.BODY`` with HMAC-SHA256. The time keeps old requests from being sent again by others; the id is
the same for each try of one change, so that a receiver knows what it has already.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PREFIX = "whsec_"
SHORTEST = 24
"""Bytes of a secret, at least: the standard's."""


def read_secrets(path: Path) -> Sequence[bytes]:
    """Read secrets, one a line: while one is replaced by another, both are there, and each signs.

    Raises ``ValueError`` in words, never with a secret in them, for a file that can't be read or has none.
    """
    try:
        lines = path.read_text(encoding="utf-8").split()
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise ValueError("it is no text") from error
    if not lines:
        raise ValueError("there is no secret in it")
    return [_secret(line) for line in lines]


def _secret(line: str) -> bytes:
    try:
        secret = base64.b64decode(line.removeprefix(PREFIX), validate=True) if line.startswith(PREFIX) else b""
    except binascii.Error:
        secret = b""
    if len(secret) < SHORTEST:
        raise ValueError(f"a secret is {PREFIX} and {SHORTEST} bytes or more in base64")
    return secret


def signed(body: bytes, at: int, secrets: Sequence[bytes]) -> Mapping[str, str]:
    """Give the headers of a request; no signature is among them where there are no secrets.

    :param at: seconds since the epoch.
    """
    id_ = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
    headers = {"webhook-id": id_, "webhook-timestamp": str(at)}
    if secrets:
        headers["webhook-signature"] = " ".join(signature(id_, at, body, secret) for secret in secrets)
    return headers


def signature(id_: str, at: int, body: bytes, secret: bytes) -> str:
    """Give one signature."""
    digest = hmac.new(secret, f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
