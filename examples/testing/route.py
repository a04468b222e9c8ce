"""A failover handler: sends the traffic of an HA interface to its active side, and nowhere while that is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ha_monitor import HaMonitor


async def follow(monitor: HaMonitor, id_: str, route: Callable[[str | None], Awaitable[None]]) -> None:
    """Call ``route`` with the side that is active, ``None``: with no side, at each change, until cancelled."""
    await monitor.synced()
    async with monitor.changes() as changes:
        routed: str | None = None
        while not changes.ended:
            resource = monitor.get("ha_interface", id_)
            known = resource is not None and monitor.readiness().ready
            active = resource.active if resource is not None and known else None
            if active != routed:
                await route(active)
                routed = active
            with anyio.move_on_after(0.5):  # readiness turns without a change
                await changes.wait()
            changes.take()
