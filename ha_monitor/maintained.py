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
        return len(self.names())

    def names(self) -> frozenset[tuple[str, str]]:
        """Give the types and ids of all that are frozen at this moment."""
        return frozenset(at for at, found in self.view.items.items() if not self._is_over(found.maintenance))

    def of(self, type_: str, id_: str) -> Maintenance | None:
        """Give why a resource is frozen; ``None`` where it is not."""
        items = self.view.items
        if not items:  # nearly always
            return None
        found = items.get((type_, id_))
        return None if found is None or self._is_over(found.maintenance) else found.maintenance

    def grounds(self, type_: str, id_: str) -> tuple[tuple[bytes, int], ...]:
        """Give the key of a resource, with its revision: 0 where it is not there, and the resource not frozen."""
        found = self.view.items.get((type_, id_))
        return ((self.view.key(f"{type_}/{id_}"), 0 if found is None else found.revision),)

    def _is_over(self, found: Maintenance) -> bool:
        return found.until is not None and found.until <= self._clock.time()

    def _changed(self, type_: str, id_: str) -> None:
        self._watch_the_clock(type_, id_)  # first: should the time be over by now, it is so for whoever is told, too
        self._on_change(type_, id_)

    def _watch_the_clock(self, type_: str, id_: str) -> bool:
        """Have the clock looked at when a freeze ends; tells whether that is still to come."""
        at = (type_, id_)
        timer = self._timers.pop(at, None)
        if timer is not None:
            timer.cancel()
        found = self.view.items.get(at)
        until = None if found is None else found.maintenance.until
        if until is None:
            return False
        left = until - self._clock.time()
        if left <= 0:
            return False

        def look() -> None:
            if not self._watch_the_clock(type_, id_):  # a timer may come a hair too early
                self._on_change(type_, id_)

        self._timers[at] = self._clock.call_later(min(left, LONGEST_WAIT), look)
        return True
