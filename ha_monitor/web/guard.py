"""Around every answer: the token and the names that may be asked for, and headers that keep a browser from harm."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

from ha_monitor.web.api import JsonResponse
from ha_monitor.web.shapes import Failure

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/healthz", "/readyz")
"""What is answered without a token, and by any name: the probes of an orchestrator know of neither."""

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


class HostGuard:
    """Lets in who asks for an address, for localhost, or for one of some names.

    A page from anywhere may give its own name our address, and then a browser on this machine lets it read what we
    answer (DNS rebinding). It can't ask for another name than its own, and an address is nobody's name.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = frozenset(("localhost", *names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or answer 421."""
        if scope["type"] == "http" and scope["path"] not in OPEN:
            for host in Headers(scope=scope).getlist("host"):
                if not self._is_ours(host):
                    words = f"{host!r} is not answered to, only localhost and addresses are; --http-host adds a name"
                    await JsonResponse(Failure(words), status_code=421)(scope, receive, send)
                    return
        await self._app(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        name = name.lower().removesuffix(".")
        if name in self._names or name.endswith(".localhost"):
            return True
        try:
            ipaddress.ip_address(name[1:-1] if name.startswith("[") else name)
        except ValueError:
            return False
        return True


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
