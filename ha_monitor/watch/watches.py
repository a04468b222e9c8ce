"""All watches: one feed per prefix, from when somebody first needs the prefix, and one view behind each."""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio

from ha_monitor.watch.feed import Feed
from ha_monitor.watch.placed import NO_LAYOUTS, key_view, state_view, worker_state_view

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from anyio.abc import TaskGroup

    from ha_monitor.clock import Clock
    from ha_monitor.errors import EtcdError
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.lang.places import Layout
    from ha_monitor.reading.state import StateReader
    from ha_monitor.watch.states import StateView
    from ha_monitor.watch.views import KeyView, View
    from ha_monitor.watch.worker_states import WorkerStateView

log = logging.getLogger(__name__)


OPENINGS = 32
"""Prefixes that are listed or opened at a time. Chosen: thousands at once would wait for each other longer than a call
may take, and one page of 10,000 keys each is what they hold."""


class Proof(NamedTuple):
    """How far some watches are known to be right: up to which revision, and when that was last proven.

    ``proven_at`` is in seconds since the epoch, 0 before the first time; ``proven`` in monotonic seconds, before the
    first time since when they try.
    """

    revision: int
    proven_at: float
    proven: float
    caught_up: bool

    def held_back(self, waiting: Iterable[Proof | None]) -> Proof:
        """Give the proof of answers without the work that waits: each as of when it began to wait; ``None``: none."""
        oldest = self
        for held in waiting:
            if held is not None:
                oldest = Proof(
                    min(oldest.revision, held.revision), min(oldest.proven_at, held.proven_at),
                    min(oldest.proven, held.proven), self.caught_up,
                )  # fmt: skip
        return oldest


NOT_PROVEN = Proof(0, 0.0, 0.0, caught_up=False)
"""What is known of no watch."""


class Source(Protocol):
    """Where whoever evaluates finds what is in etcd."""

    def keys(self, prefix: str) -> KeyView:
        """Give the view of a prefix of configs, templates or stack outputs."""

    def states(self, prefix: str, read: StateReader) -> StateView:
        """Give the view of a prefix of states or records; the first to ask for it decides how values are read."""

    def worker_states(self, prefix: str) -> WorkerStateView:
        """Give the view of a prefix of worker states."""


class Watches:
    """Gives the view of a prefix; the feed behind it runs in the task group that it was made with."""

    def __init__(
        self,
        client: EtcdClient,
        clock: Clock,
        tasks: TaskGroup,
        *,
        on_turn: Callable[[], None],
        on_fault: Callable[[EtcdError, int], None],
        layouts: Mapping[str, Layout] = NO_LAYOUTS,
    ) -> None:
        """Prepare; nothing is watched yet.

        :param on_turn: called when a feed has caught up or fallen behind.
        :param on_fault: called with each failure, and how often a feed was refused since the last answer; what it
            raises ends everything.
        :param layouts: non-standard keys and values, by what identifies the keys.
        """
        self._layouts = layouts
        self._client = client
        self._clock = clock
        self._tasks = tasks
        self._on_turn = on_turn
        self._on_fault = on_fault
        self._openings = anyio.CapacityLimiter(OPENINGS)
        self._feeds: dict[str, Feed] = {}
        self._worker_feeds: dict[str, Feed] = {}
        """Those of worker states, by prefix: with ``--state-source state`` it may have a feed of states as well."""
        self._scopes: dict[Feed, anyio.CancelScope] = {}
        self._keys: dict[str, KeyView] = {}
        self._states: dict[str, StateView] = {}
        self._worker_states: dict[str, WorkerStateView] = {}
        self._unused: set[str] = set()
        """Prefixes that nobody went by when it was last looked."""

    def keys(self, prefix: str) -> KeyView:
        """Give the view of a prefix of configs, templates or stack outputs."""
        view = self._keys.get(prefix)
        if view is None:
            view = self._keys[prefix] = key_view(prefix, self._layouts)
            self.follow(view)
        return view

    def states(self, prefix: str, read: StateReader) -> StateView:
        """Give the view of a prefix of states or records.

        :param read: reads a value; the first to ask for the prefix decides.
        """
        view = self._states.get(prefix)
        if view is None:
            view = self._states[prefix] = state_view(prefix, read, self._layouts)
            self.follow(view)
        return view

    def worker_states(self, prefix: str) -> WorkerStateView:
        """Give the view of a prefix of worker states."""
        view = self._worker_states.get(prefix)
        if view is None:
            view = self._worker_states[prefix] = worker_state_view(prefix, self._layouts)
            self._follow(view, self._worker_feeds)
        return view

    def follow(self, view: View) -> None:
        """Keep a view equal to what is in etcd."""
        self._follow(view, self._feeds)

    def _follow(self, view: View, feeds: dict[str, Feed]) -> None:
        feed = Feed(
            view.folder, self._client, view, self._clock, openings=self._openings, on_turn=self._on_turn,
            on_fault=self._on_fault, known_by=view.prefix,
        )  # fmt: skip
        scope = anyio.CancelScope()
        self._unused.discard(view.prefix)
        feeds[view.prefix], self._scopes[feed] = feed, scope
        self._tasks.start_soon(_run, feed, scope, name=f"watch {view.prefix}")
        self._on_turn()  # there is a prefix that has not caught up, now: nobody may write on what is known so far

    def leave_unused(self, needed: Collection[str]) -> set[str]:
        """End the watches that nobody went by the last time either; gives their prefixes.

        Whoever has a view hangs on it in the same turn of the event loop, so that nobody is about to.

        :param needed: prefixes that are watched on, whoever goes by them.
        """
        views: tuple[View, ...] = (*self._keys.values(), *self._states.values(), *self._worker_states.values())
        unused = {view.prefix for view in views} - {
            view.prefix for view in views if view.prefix in needed or view.in_use
        }
        left = unused & self._unused
        self._unused = unused - left
        for prefix in left:
            self._keys.pop(prefix, None)
            self._states.pop(prefix, None)
            self._worker_states.pop(prefix, None)
            for feeds in (self._feeds, self._worker_feeds):
                feed = feeds.pop(prefix, None)
                if feed is not None:
                    self._scopes.pop(feed).cancel()
        if left:
            log.info("watched no longer, as nothing goes by it: %s", ", ".join(sorted(left)))
            self._on_turn()  # one of them may have been all that kept the others from being believed
        return left

    @property
    def prefixes(self) -> frozenset[str]:
        """Every prefix that is watched."""
        return frozenset([*self._feeds, *self._worker_feeds])

    def feeds(self) -> Iterator[Feed]:
        """Give all feeds."""
        return chain(self._feeds.values(), self._worker_feeds.values())

    def proof(self, prefixes: Collection[str]) -> Proof:
        """Tell how far the watches of these prefixes are, by the one that is least so; of all of them, where none."""
        known = self._feeds
        feeds = [known[prefix] for prefix in prefixes if prefix in known] or [*self.feeds()]
        return Proof(
            min((feed.revision for feed in feeds), default=0),
            min((feed.freshness.proven_at for feed in feeds), default=0.0),
            min((feed.freshness.proven for feed in feeds), default=0.0),
            all(feed.caught_up for feed in feeds),
        )

    @property
    def not_caught_up(self) -> str:
        """Which watch is not caught up, and why; empty: all are."""
        behind = next((feed for feed in self.feeds() if not feed.caught_up), None)
        if behind is None:
            return ""
        if any(feed.caught_up for feed in self.feeds()):
            return f"{behind.prefix} is not caught up: {behind.fault}"
        return f"no watch is caught up: {behind.fault}"

    @property
    def revision(self) -> int:
        """The revision up to which every watch is known to be right."""
        return self.proof(()).revision


async def _run(feed: Feed, scope: anyio.CancelScope) -> None:
    with scope:
        await feed.run()
