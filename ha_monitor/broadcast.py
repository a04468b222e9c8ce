"""Hands changes to any number of readers; each has a bounded queue of its own, so a slow one holds up nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING

from ha_monitor.model import Change, Resync

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Self

QUEUED = 10_000
"""Changes kept for one reader, at most."""


class Subscription:
    """A reader's queue: an async iterator of changes that ends when the monitor does."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[Change] = deque()
        self._missed = 0
        self._ended = False
        self._ready = asyncio.Event()

    def offer(self, changes: Sequence[Change]) -> None:
        """Queue changes; where there is no room, all that is queued gives way to one marker."""
        if self._missed or len(self._queue) + len(changes) > self._limit:
            self._missed += len(self._queue) + len(changes)
            self._queue.clear()
        else:
            self._queue.extend(changes)
        self._ready.set()

    def end(self) -> None:
        """Let the reader come to its end once it has read what is queued."""
        self._ended = True
        self._ready.set()

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._ended and not self._queue and not self._missed

    async def wait(self) -> None:
        """Wait until there is something to take, or nothing more will come."""
        if not self._queue and not self._missed and not self._ended:
            self._ready.clear()
            await self._ready.wait()

    def take(self, at_most: int | None = None) -> list[Change] | Resync:
        """Take all that is queued, or the first ``at_most`` of it, or the marker that stands for it."""
        if self._missed:
            missed, self._missed = self._missed, 0
            return Resync(missed)
        if at_most is not None:
            return [self._queue.popleft() for _ in range(min(at_most, len(self._queue)))]
        taken = list(self._queue)
        self._queue.clear()
        return taken

    def __aiter__(self) -> Self:
        """Iterate over the changes from the subscription on."""
        return self

    async def __anext__(self) -> Change | Resync:
        """Wait for the next change."""
        while True:
            if self._missed:
                missed, self._missed = self._missed, 0
                return Resync(missed)
            if self._queue:
                return self._queue.popleft()
            if self._ended:
                raise StopAsyncIteration
            await self.wait()


class Broadcast:
    """All subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._ended = False

    def send(self, changes: Sequence[Change]) -> None:
        """Hand changes to every reader."""
        for subscription in self._subscriptions:
            subscription.offer(changes)

    def end(self) -> None:
        """End every subscription, those to come as well."""
        self._ended = True
        for subscription in self._subscriptions:
            subscription.end()

    @contextlib.contextmanager
    def subscribe(self, limit: int = QUEUED) -> Iterator[Subscription]:
        """Subscribe for the time of a ``with`` block."""
        subscription = Subscription(limit)
        if self._ended:
            subscription.end()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
