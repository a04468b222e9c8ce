"""Resources in maintenance: frozen by a key in etcd, until that goes or its time is over."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ha_monitor.text import rfc3339
from ha_monitor.watch.maintenance import MaintenanceView

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.clock import Clock, Timer
    from ha_monitor.model import Maintenance

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
"""Seconds after which the time is looked at again, at the most: ``until`` is by a clock that somebody may set."""


class Maintained:
    """Tells which resources are frozen, and who has to know when one is, or no longer is.

    A freeze begins and ends only as its key changes or the clock is looked at, never between: whoever was kept from
    something is told of the end, whichever way the clock is set meanwhile.
    """

    def __init__(self, prefix: str, clock: Clock, on_change: Callable[[str, str], None]) -> None:
        """Prepare; somebody has to feed :attr:`view`.

        :param prefix: of the keys, ``TYPE/ID`` below it.
        :param on_change: told of each resource, by type and id, that was frozen or no longer is.
        """
        self.view = MaintenanceView(prefix)
        self.view.on_change = self._changed
        self._clock = clock
        self._on_change = on_change
        self.frozen: dict[tuple[str, str], Maintenance] = {}
        """All that are frozen at this moment, by type and id, and why."""
        self._timers: dict[tuple[str, str], Timer] = {}

    def of(self, type_: str, id_: str) -> Maintenance | None:
        """Give why a resource is frozen; ``None`` where it is not."""
        return self.frozen.get((type_, id_))

    def grounds(self, type_: str, id_: str) -> tuple[tuple[bytes, int], ...]:
        """Give the key of a resource, with its revision: 0 where it is not there, and the resource not frozen."""
        found = self.view.items.get((type_, id_))
        return ((self.view.key(f"{type_}/{id_}"), 0 if found is None else found.revision),)

    def close(self) -> None:
        """Look at the clock no longer: by itself that would never end."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _changed(self, type_: str, id_: str) -> None:
        self._look((type_, id_))
        self._tell(type_, id_)

    def _look(self, at: tuple[str, str]) -> None:
        """Note whether a resource is frozen, and have the clock looked at again where it has a word in it."""
        timer = self._timers.pop(at, None)
        if timer is not None:
            timer.cancel()
        self.frozen.pop(at, None)
        found = self.view.items.get(at)
        if found is None:
            return
        until = found.maintenance.until
        left = LONGEST_WAIT if until is None else until - self._clock.time()
        if left > 0:
            self.frozen[at] = found.maintenance
        if until is not None:  # once that is over, too: the clock may be set back
            wait = min(left, LONGEST_WAIT) if left > 0 else LONGEST_WAIT
            self._timers[at] = self._clock.call_later(wait, partial(self._look_again, at))

    def _look_again(self, at: tuple[str, str]) -> None:
        was_frozen = at in self.frozen
        self._look(at)
        if (at in self.frozen) is not was_frozen:  # a timer may come a hair too early
            self._tell(*at)

    def _tell(self, type_: str, id_: str) -> None:
        frozen = self.frozen.get((type_, id_))
        until = "" if frozen is None or frozen.until is None else f" until {rfc3339(frozen.until)}"
        words = (
            "its maintenance is over"
            if frozen is None
            else f"in maintenance{until}: {frozen.reason or 'no reason given'}"
        )
        log.info("%s/%s: %s", type_, id_, words, extra={"type": type_, "id": id_})
        self._on_change(type_, id_)
