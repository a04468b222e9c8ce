"""The ASGI application: is the process alive, and is what it says to be trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from ha_monitor.monitor import HaMonitor


def create_app(monitor: HaMonitor) -> Starlette:
    """Make the application for a running monitor."""

    async def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(request: Request) -> Response:
        readiness = monitor.readiness()
        body = {"ready": readiness.ready, "reason": readiness.reason}
        return JSONResponse(body, status_code=200 if readiness.ready else 503)

    return Starlette(
        routes=[Route("/healthz", healthz), Route("/readyz", readyz)], exception_handlers={HTTPException: _in_words}
    )


async def _in_words(request: Request, error: Exception) -> Response:
    """Answer a wrong request in words, as JSON."""
    status, words = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": words}, status_code=status, headers=headers)
