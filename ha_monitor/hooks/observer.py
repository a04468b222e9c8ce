"""Notes in a ledger what changes, what changed while nobody looked, and what becomes of what is held back.

A reader who was too slow for the changes loses none: all resources are compared with what was noted of them. The same
comparison finds what changed while no monitor ran.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from ha_monitor.hooks.ledger import Standing
from ha_monitor.model import Change, Resync, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ha_monitor.broadcast import Subscription
    from ha_monitor.hooks.ledger import Key, Ledger
    from ha_monitor.model import Resource
    from ha_monitor.monitor import HaMonitor

log = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks at what is held back; ten times as long as a look takes, where that is longer."""

_AT_ONCE = 200  # resources that are looked at before others have a turn


class Observer:
    """Of one ledger, which may be filled before."""

    def __init__(self, monitor: HaMonitor, ledger: Ledger, on_news: Callable[[], None]) -> None:
        """Prepare.

        :param on_news: called when the ledger may have something else to say.
        """
        self.is_first = True
        """Whether nobody remembers an earlier run: what there is at the start counts as told then."""
        self.is_complete = False
        """Whether the ledger knows all resources."""
        self._monitor = monitor
        self._ledger = ledger
        self._on_news = on_news
        self._holding = anyio.Event()
        self._newest = 0
        """The newest revision that was noted: the watches are proven to be right up to one that may be older."""

    # -- changes

    async def follow(self, changes: Subscription) -> None:
        """Note all changes, until the monitor ends."""
        await self._compare(changes)
        self.is_complete = True
        self._on_news()
        while not changes.ended:
            await changes.wait()
            if self._take(changes) is None:
                log.warning("changes came faster than they could be noted: all resources are compared")
                await self._compare(changes)

    def _take(self, changes: Subscription) -> Sequence[Change] | None:
        """Note all changes that there are, and give them; ``None`` where some were lost."""
        taken = changes.take()
        if isinstance(taken, Resync):
            return None
        for change in taken:
            self._note(change)
        return taken

    def _note(self, change: Change) -> None:
        if self.is_first and not self.is_complete:
            self._ledger.take_as_told((change.type, change.id), change.entry, change.old)
        self._newest = max(self._newest, change.revision)
        # Maintenance is looked at when its turn comes: in a storm of changes, that is less work.
        self._ledger.note(change, anyio.current_time(), self._share(change.type, change.id))
        self._tell()

    def _tell(self) -> None:
        self._on_news()
        if self._ledger.held():
            self._holding.set()

    # -- all resources

    async def _compare(self, changes: Subscription) -> None:
        """Compare all resources with what was noted of them.

        Each is compared at a moment at which no change of it is under way, so that nothing is noted out of order.
        """
        self._catch_up(changes)
        while not await self._compared(changes):
            pass

    async def _compared(self, changes: Subscription) -> bool:
        """Compare all; tells whether no change was lost meanwhile."""
        seen: set[Key] = set()
        for number, resource in enumerate(self._monitor.resources(), 1):
            seen.add((resource.type, resource.id))
            self._compare_one(resource)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
                if not self._catch_up(changes):
                    return False
        for number, key in enumerate([key for key in self._ledger.known() if key not in seen], 1):
            self._look_at(key)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
                if not self._catch_up(changes):
                    return False
        return True

    def _catch_up(self, changes: Subscription) -> bool:
        """Note the changes that there are; tells whether none was lost.

        Their resources are compared at once: what a change says of its resource may go by another one that nobody
        noted, and that one is to be told, too.
        """
        taken = self._take(changes)
        for key in dict.fromkeys((change.type, change.id) for change in taken or ()):
            self._look_at(key)
        return taken is not None

    def _look_at(self, key: Key) -> None:
        resource = self._monitor.get(*key)
        if resource is not None:
            self._compare_one(resource)
        else:
            self._note_the_end(key, self._ledger.account(key).entries(), Status.UNKNOWN, None)

    def _compare_one(self, resource: Resource) -> None:
        key = resource.type, resource.id
        for name, entry in resource.entries.items():
            account = self._ledger.account(key)
            if self.is_first and not self.is_complete and not account.is_known(name):
                self._ledger.take_as_told(key, name, entry.status)
            elif account.differs(name, entry.status):
                change = Change(
                    *key, name, account.last(name), entry.status, resource.status, resource.active,
                    entry.revision, entry.since, entry.reason,
                )  # fmt: skip
                self._note(change)
        gone = self._ledger.account(key).entries() - set(resource.entries)
        self._note_the_end(key, gone, resource.status, resource.active)

    def _note_the_end(self, key: Key, entries: set[str], status: Status, active: str | None) -> None:
        for name in sorted(entries):
            account = self._ledger.account(key)
            if account.differs(name, None):
                revision = max(self._monitor.revision, self._newest)  # its own is not known any more
                change = Change(
                    *key, name, account.last(name), None, status, active, revision, time.time(),
                    "it is there no longer",
                )  # fmt: skip
                self._note(change)

    # -- what is held back

    def standing(self, type_: str, id_: str) -> Standing:
        """Tell who is to tell of a resource, and whether just now."""
        if self._monitor.maintenance(type_, id_) is not None:  # of one that has ended, too
            return Standing.MAINTENANCE
        return self._share(type_, id_)

    def _share(self, type_: str, id_: str) -> Standing:
        """Tell who of the group is to tell of a resource."""
        if self._monitor.publishes(type_, id_):
            return Standing.OURS
        return Standing.ELSEWHERE if self._monitor.published_elsewhere(type_, id_) else Standing.NOBODYS

    def hold(self, key: Key, standing: Standing) -> None:
        """Hold a resource back whose turn it was."""
        self._ledger.hold(key, standing, anyio.current_time())
        self._holding.set()

    async def look_again_and_again(self) -> None:
        """Find out whose maintenance is over, and which resources are ours to tell of from now on."""
        while True:
            if not self._ledger.held():
                self._holding = anyio.Event()
                await self._holding.wait()
            began = anyio.current_time()
            for number, key in enumerate(tuple(self._ledger.held()), 1):
                if key in self._ledger.held():
                    self._ledger.look_again(key, self.standing(*key), anyio.current_time())
                if number % _AT_ONCE == 0:
                    self._tell()
                    await anyio.lowlevel.checkpoint()
            self._tell()
            await anyio.sleep(max(LOOK, 10 * (anyio.current_time() - began)))
