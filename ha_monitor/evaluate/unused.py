"""Leaves the watches of prefixes that nobody goes by any more: one that can't be read would stop all publishing.

Whether somebody does is looked up from time to time, and not counted on the way of each change. A prefix that was left
is watched again as soon as it is asked for, as if for the first time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from ha_monitor.evaluate.fleet import Fleet
    from ha_monitor.evaluate.templates import Templates
    from ha_monitor.watch.watches import Watches

LOOK_EVERY = 30.0
"""Seconds between two looks; what was unused in two of them is left. Chosen: who corrects a template waits no longer
than for a glance at it, and a key that comes and goes costs no list each time."""


class Unused:
    """Looks for what is unused; made for the watches of an etcd."""

    def __init__(self, fleet: Fleet, templates: Templates, watches: Watches) -> None:
        self._fleet = fleet
        self._templates = templates
        self._watches = watches

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await anyio.sleep(LOOK_EVERY)
            self._templates.forget_types()
            left = self._watches.leave_unused(self._templates.needs())
            for family in self._fleet.families.values():
                family.prefixes -= left
