"""Around every answer: the token, where one is asked for, and the headers that keep a browser from doing harm."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from ha_monitor.web.api import JsonResponse
from ha_monitor.web.shapes import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/healthz", "/readyz")
"""What is answered without a token: the probes of an orchestrator have none."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class SafeHeaders:
    """Adds the headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


class TokenGuard:
    """Lets in who has the token: as bearer, or as a password, whatever the user, so that a browser can ask for it."""

    def __init__(self, app: ASGIApp, token_file: Path) -> None:
        self._app = app
        self._token_file = token_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or answer 401."""
        if scope["type"] != "http" or scope["path"] in OPEN or self._lets_in(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        refusal = JsonResponse(Failure("the token is missing or wrong"), status_code=401)
        refusal.headers.append("WWW-Authenticate", "Bearer")
        refusal.headers.append("WWW-Authenticate", 'Basic realm="ha_monitor: any user, the token as password"')
        await refusal(scope, receive, send)

    def _lets_in(self, headers: Headers) -> bool:
        given = _given(headers.get("authorization", ""))
        try:
            token = self._token_file.read_bytes().strip()  # at each request: it may have been changed
        except OSError:
            return False
        return given is not None and bool(token) and hmac.compare_digest(given, token)


def _given(header: str) -> bytes | None:
    scheme, _, value = header.partition(" ")
    sent = value.encode("latin-1").strip()  # the header's own bytes: any may stand there, and a token may be in any
    if scheme.lower() == "bearer":
        return sent
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(sent, validate=True).partition(b":")[2]
        except binascii.Error:
            return None
    return None
