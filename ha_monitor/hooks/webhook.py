"""Posts a change to a URL, signed. Needs the extra ``http``."""

from __future__ import annotations

import contextlib
import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import httpx

from ha_monitor.hooks.receiver import OK, Outcome
from ha_monitor.hooks.signature import read_secrets, signed
from ha_monitor.outward import open_client
from ha_monitor.transition import encode, transition_shape

if TYPE_CHECKING:
    from pathlib import Path

    from ha_monitor.model import Change

AGAIN = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
"""What is tried again beside 5xx: the receiver does not say that there is anything wrong with the request."""

SAID = 200
"""Characters of an answer's body that are said in a log line."""

_BODY = 1.0  # seconds that the body of an answer may take
_KEPT = 4_096  # bytes of an answer that are read: what is shorter leaves its connection to the next request
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


class Webhook:
    """A URL, as a receiver of changes."""

    def __init__(self, client: httpx.AsyncClient, url: str, secret_file: Path | None) -> None:
        """Prepare.

        :param secret_file: read for each request, so that it may change; ``None``: nothing is signed.
        """
        self.name = f"webhook {urlsplit(url).hostname}"  # the rest of a URL may be a secret
        self._client = client
        self._url = url
        self._secret_file = secret_file

    async def tell(self, change: Change) -> Outcome:
        """Post it once."""
        body = encode(transition_shape(change))
        try:
            secrets = () if self._secret_file is None else read_secrets(self._secret_file)
        except ValueError as error:
            return Outcome("failed", f"{self._secret_file}: {error}", perhaps=False)
        headers = {"content-type": "application/json", **signed(body, int(time.time()), secrets)}
        try:
            async with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                return _judged(answer, await _beginning(answer), time.time())
        except httpx.TransportError as error:
            return Outcome("failed", str(error) or type(error).__name__, perhaps=not isinstance(error, _NOT_SENT))


def webhook_client(url: str, timeout: float, parallel: int) -> httpx.AsyncClient:
    """Make a client, to be entered; raises :class:`~ha_monitor.errors.SettingsError` where the environment forbids it.

    :param timeout: seconds that each step of a request may take; for the whole of it, the caller has to see to that.
    """
    return open_client(
        url,
        follow_redirects=False,
        timeout=timeout,
        limits=httpx.Limits(max_connections=parallel),
        headers={"user-agent": f"ha-monitor/{version('ha-monitor')}", "accept-encoding": "identity"},
    )


async def _beginning(answer: httpx.Response) -> bytes:
    """Read a little of an answer; what it says counts even where its body breaks off."""
    read = b""
    with contextlib.suppress(httpx.TransportError), anyio.move_on_after(_BODY):
        async for piece in answer.aiter_raw():
            read += piece
            if len(read) > _KEPT:
                break
    return read


def _judged(answer: httpx.Response, body: bytes, now: float) -> Outcome:
    code = answer.status_code
    if answer.is_success:
        return OK
    said = " ".join(body.decode("utf-8", "replace").split())[:SAID]
    words = f"answered {code}{': ' + said if said else ''}"
    if answer.is_server_error or code in AGAIN:
        return Outcome("failed", words, wait=asked_to_wait(answer.headers.get("retry-after", ""), now))
    return Outcome("refused", words)


def asked_to_wait(header: str, now: float) -> float:
    """Give the seconds that a ``Retry-After`` asks for, in either of its forms; 0 where it says nothing of use."""
    if header.isdecimal():
        return float(header)
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):  # the latter: a year of more digits than a C int has
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone.utc)
    return max((at - datetime.fromtimestamp(now, timezone.utc)).total_seconds(), 0.0)
