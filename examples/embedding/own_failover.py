"""An anyio service that runs its work on one side only: it starts when that side becomes active, and ends with it."""

from __future__ import annotations

import signal
import sys

import anyio

from ha_monitor import HaMonitor, Settings


async def work(id_: str, side: str) -> None:
    """Do what only the active side may do, until cancelled."""
    print(f"{id_}: working on {side}", flush=True)
    try:
        await anyio.sleep_forever()
    finally:
        print(f"{id_}: stopped on {side}", flush=True)


async def steer(monitor: HaMonitor, id_: str, side: str) -> None:
    """Run the work for as long as the side is active, and that is known."""
    await monitor.synced()
    async with monitor.changes() as changes, anyio.create_task_group() as tasks:
        running: anyio.CancelScope | None = None
        while not changes.ended:
            resource = monitor.get("ha_interface", id_)
            active = resource is not None and resource.active == side and monitor.readiness().ready
            if active and running is None:
                running = anyio.CancelScope()
                tasks.start_soon(_within, running, id_, side)
            elif not active and running is not None:
                running.cancel()
                running = None
            with anyio.move_on_after(0.5):  # readiness turns without a change
                await changes.wait()
            changes.take()  # the monitor itself says how it stands; what happened on the way does not matter here
        tasks.cancel_scope.cancel()


async def _within(scope: anyio.CancelScope, id_: str, side: str) -> None:
    with scope:
        await work(id_, side)


async def main(url: str, id_: str, side: str) -> None:
    """Steer until SIGINT or SIGTERM."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with HaMonitor(Settings(etcd=[url], publish="none")) as monitor, anyio.create_task_group() as tasks:
            tasks.start_soon(steer, monitor, id_, side)
            async for _ in signals:
                break
            tasks.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:4])
