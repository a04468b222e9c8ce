"""Follows the active side of every HA interface, inside a plain asyncio program."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from ha_monitor import Change, HaMonitor, Settings


async def main(url: str) -> None:
    """Print the active sides, then each failover, until cancelled."""
    async with HaMonitor(Settings(etcd=[url], publish="none")) as monitor:
        await monitor.synced()
        async with monitor.changes() as changes:
            sides = {resource.id: resource.active for resource in monitor.resources()}
            for id_, active in sides.items():
                print(f"{id_}: active {active}", flush=True)
            async for change in changes:
                if isinstance(change, Change):
                    now = {change.id: change.active}
                else:  # we were too slow for some changes: look at everything anew
                    now = {resource.id: resource.active for resource in monitor.resources()}
                for id_, active in now.items():
                    if active != sides.get(id_):
                        print(f"{id_}: failover from {sides.get(id_)} to {active}", flush=True)
                        sides[id_] = active


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
