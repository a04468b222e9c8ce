"""Runs the plugins that do work of their own: a task for each of their rendered resources, begun anew when it fails."""

from __future__ import annotations

import asyncio
import logging
import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import anyio

from ha_monitor.model import Status
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyio.abc import TaskGroup

    from ha_monitor.evaluate.entry import Entry
    from ha_monitor.plugins import StateRef
    from ha_monitor.reading.state import State

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0
"""Seconds until work that fails again and again is begun anew, at the most, and those after which it is no longer
taken for such. Chosen."""


class Workers:
    """Owns those tasks, in the task group that it was made with."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._scopes: dict[Entry, anyio.CancelScope] = {}
        self._props: dict[Entry, Mapping[str, Any]] = {}

    def see_to(self, entry: Entry, props: Mapping[str, Any]) -> None:
        """Have an entry's work go on, where its type has any: begun anew unless it has just these properties."""
        if hasattr(entry.entry_type, "run") and not self.goes_on(entry, props):
            self.stop(entry)
            scope = self._scopes[entry] = anyio.CancelScope()
            self._props[entry] = props
            self._tasks.start_soon(self._run, entry, scope, name=f"plugin {entry.name}")

    def stop(self, entry: Entry) -> None:
        """End it."""
        self._props.pop(entry, None)
        scope = self._scopes.pop(entry, None)
        if scope is not None:
            scope.cancel()

    def goes_on(self, entry: Entry, props: Mapping[str, Any]) -> bool:
        """Tell whether an entry works already, with just these properties."""
        return self._props.get(entry) == props

    async def _run(self, entry: Entry, scope: anyio.CancelScope) -> None:
        entry_type: Any = entry.entry_type
        backoff = Backoff(cap=LONGEST_PAUSE)
        with scope:
            while True:
                begun = anyio.current_time()
                try:
                    await entry_type.run(entry.wake)
                except (Exception, asyncio.CancelledError) as error:  # whatever somebody else's code raises
                    if isinstance(error, asyncio.CancelledError):
                        if anyio.current_effective_deadline() == -math.inf:
                            raise  # we are asked to end
                        _take_back_cancellation()
                    log.warning("entry %s: the work of its plugin failed: %r", entry.name, error)
                    entry.entry_type = _Failed({"keys": entry_type.keys, "reason": f"plugin failed: {error!r}"})
                    entry.wake()
                    if anyio.current_time() - begun > LONGEST_PAUSE:
                        backoff.reset()
                    await anyio.sleep(backoff.delay())
                    entry.entry_type = entry_type
                    entry.wake()  # what it found before may be all that there is
                else:
                    return


def _take_back_cancellation() -> None:
    """Take back what a plugin, or whatever it waits for, has asked of this task: it would count for a cancellation."""
    task: Any = asyncio.current_task()
    if hasattr(task, "uncancel"):  # Python 3.10 keeps no count
        while task.cancelling():
            task.uncancel()


class _Failed:
    """Stands for an entry type whose work has failed, until that begins anew."""

    types: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[tuple[str, ...]] = ()
    text: ClassVar[frozenset[str]] = frozenset()
    ids: ClassVar[frozenset[str]] = frozenset()
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, props: Mapping[str, Any]) -> None:
        self._reason = str(props["reason"])
        self.keys: Sequence[StateRef] = props["keys"]

    def evaluate(self, states: Sequence[State | None]) -> tuple[Status, str]:
        """Nothing can be said."""
        return Status.UNKNOWN, self._reason
