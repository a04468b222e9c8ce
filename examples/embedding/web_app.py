"""A Starlette application that knows its HA interfaces: the monitor lives as long as the application does."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from ha_monitor import HaMonitor, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[dict[str, HaMonitor]]:
    """Watch from the start of the application to its end; FastAPI takes the same function."""
    async with HaMonitor(Settings(etcd=[os.environ["ETCD"]], publish="none")) as monitor:
        yield {"monitor": monitor}


async def active_side(request: Request) -> JSONResponse:
    """Say which side of an HA interface is active; 503 where that can't be vouched for at this moment."""
    monitor: HaMonitor = request.state.monitor
    readiness = monitor.readiness()
    if not readiness.ready:
        return JSONResponse({"error": readiness.reason}, 503)
    resource = monitor.get("ha_interface", request.path_params["id"])
    if resource is None:
        return JSONResponse({"error": "there is no such HA interface"}, 404)
    return JSONResponse({"active": resource.active, "status": resource.status})


app = Starlette(routes=[Route("/active/{id}", active_side)], lifespan=lifespan)
