"""Resources in maintenance: frozen by a key in etcd, until that goes or its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.watch.maintenance import MaintenanceView

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.clock import Clock, Timer
    from ha_monitor.model import Maintenance

LONGEST_WAIT = 60.0
"""Seconds after which the time is looked at again, at the most: ``until`` is by a clock that somebody may set."""


class Maintained:
    """Tells which resources are frozen, and who has to know when one no longer is."""

    def __init__(self, prefix: str, clock: Clock, on_change: Callable[[str, str], None]) -> None:
        """Prepare; somebody has to feed :attr:`view`.

        :param prefix: of the keys, ``TYPE/ID`` below it.
        :param on_change: told of each resource, by type and id, that was frozen or no longer is.
        """
        self.view = MaintenanceView(prefix)
        self.view.on_change = self._changed
        self._clock = clock
        self._on_change = on_change
        self._timers: dict[tuple[str, str], Timer] = {}

    def __len__(self) -> int:
        """How many are frozen at this moment."""
        return sum(not self._is_over(found) for found in self.view.items.values())

    def of(self, type_: str, id_: str) -> Maintenance | None:
        """Give why a resource is frozen; ``None`` where it is not."""
        items = self.view.items
        if not items:  # nearly always
            return None
        found = items.get((type_, id_))
        return None if found is None or self._is_over(found) else found

    def _is_over(self, found: Maintenance) -> bool:
        return found.until is not None and found.until <= self._clock.time()

    def _changed(self, type_: str, id_: str) -> None:
        self._on_change(type_, id_)
        self._watch_the_clock(type_, id_)

    def _watch_the_clock(self, type_: str, id_: str) -> None:
        at = (type_, id_)
        timer = self._timers.pop(at, None)
        if timer is not None:
            timer.cancel()
        found = self.view.items.get(at)
        if found is None or found.until is None or self._is_over(found):
            return
        wait = min(max(found.until - self._clock.time(), 0.0), LONGEST_WAIT)

        def look() -> None:
            if self._is_over(found):
                del self._timers[at]
                self._on_change(type_, id_)
            else:
                self._watch_the_clock(type_, id_)

        self._timers[at] = self._clock.call_later(wait, look)
