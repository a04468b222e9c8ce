"""The ASGI application: everything that others may ask of a running monitor. Read-only."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ha_monitor.web.api import Api, JsonResponse, checked
from ha_monitor.web.events import QUEUED, EventStream, change_event
from ha_monitor.web.guard import HostGuard, SafeHeaders, TokenGuard
from ha_monitor.web.metrics import exposition
from ha_monitor.web.openapi import openapi
from ha_monitor.web.shapes import EventsQuery, Failure, MetricsQuery, NoQuery

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from starlette.requests import Request

    from ha_monitor.measures import HookMeasures
    from ha_monitor.monitor import HaMonitor
    from ha_monitor.web.api import Endpoint

log = logging.getLogger(__name__)

_PAGE = Path(__file__).parent / "page"


def create_app(
    monitor: HaMonitor,
    token_file: Path | None = None,
    hooks: Callable[[], Sequence[HookMeasures]] = tuple,
    hosts: Collection[str] | None = None,
) -> Starlette:
    """Make the application for a running monitor, on its event loop.

    Set ``app.state.closing`` before the end: streams of events have none of their own.

    :param token_file: file with the token that everything but health asks for; ``None``: none is asked for.
    :param hooks: gives what was counted of those who are told of changes.
    :param hosts: names that are answered to, beside addresses and localhost; ``None``: any name.
    """
    endpoints = Api(monitor).endpoints()
    described = openapi(endpoints, guarded=token_file is not None)
    closing = anyio.Event()
    turn = anyio.Lock()  # whoever writes a piece of a long answer holds it: one piece in a turn of the event loop
    written = lru_cache(QUEUED)(change_event)  # each change once, however many follow

    async def page(request: Request) -> Response:
        return FileResponse(_PAGE / "index.html")

    async def events(request: Request) -> Response:
        return EventStream(monitor, checked(request, EventsQuery), closing, turn, written)

    async def metrics(request: Request) -> Response:
        each = checked(request, MetricsQuery).resources == 1
        accept = request.headers.get("accept", "")
        body, media_type = await exposition(monitor, accept, hooks(), turn if each else None)
        return Response(body, headers={"content-type": media_type})

    async def description(request: Request) -> Response:
        checked(request, NoQuery)
        return JsonResponse(described)

    app = Starlette(
        routes=[
            Route("/", page),
            Mount("/page", StaticFiles(directory=_PAGE)),
            *(Route(endpoint.path, _answering(endpoint)) for endpoint in endpoints),
            Route("/api/v1/events", events),
            Route("/metrics", metrics),
            Route("/openapi.json", description),
        ],
        middleware=[
            Middleware(SafeHeaders),
            *([] if hosts is None else [Middleware(HostGuard, names=hosts)]),
            *([] if token_file is None else [Middleware(TokenGuard, token_file=token_file)]),
        ],
        exception_handlers={HTTPException: _in_words, Exception: _broken},
    )
    app.router.redirect_slashes = False
    app.state.closing = closing
    return app


def _answering(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await endpoint.respond(request)

    return answer


async def _in_words(request: Request, error: Exception) -> Response:
    """Answer a wrong request in words, as JSON."""
    if not isinstance(error, HTTPException):
        raise error
    words = error.detail
    if error.status_code == 404 and words == "Not Found":
        words = f"there is nothing at {request.url.path}"
    elif error.status_code == 405:
        words = f"{request.method} is not for {request.url.path}: everything here is read with GET"
    return JsonResponse(Failure(words), error.status_code, headers=error.headers)


async def _broken(request: Request, error: Exception) -> Response:
    """Answer where we are wrong; the server logs the traceback."""
    return JsonResponse(Failure("internal error; the log tells more"), 500)
