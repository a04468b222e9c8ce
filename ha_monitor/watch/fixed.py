"""Keys that never change, in the place of an etcd: for whoever asks what a site would come to, without one."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeVar

import anyio
from aetcd import rpc

from ha_monitor.etcd.ranges import range_end
from ha_monitor.watch.placed import NO_LAYOUTS, key_view, state_view, worker_state_view
from ha_monitor.watch.watches import Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ha_monitor.clock import Clock
    from ha_monitor.lang.places import Layout
    from ha_monitor.reading.state import StateReader
    from ha_monitor.watch.feed import Feed
    from ha_monitor.watch.snapshot import Snapshot
    from ha_monitor.watch.states import StateView
    from ha_monitor.watch.views import KeyView, View
    from ha_monitor.watch.worker_states import WorkerStateView

_View = TypeVar("_View", bound="View")


class FixedKeys:
    """Has the faces of :class:`~ha_monitor.watch.watches.Watches` and :class:`~ha_monitor.watch.pulse.Pulse`."""

    heard = alive = True
    fault = ""
    silence = 0.0

    def __init__(
        self,
        keys: Snapshot,
        clock: Clock,
        *,
        on_turn: Callable[[], None],
        layouts: Mapping[str, Layout] = NO_LAYOUTS,
    ) -> None:
        self._layouts = layouts
        self._items = keys.items
        self._keys = sorted(keys.items)
        self._clock = clock
        self._on_turn = on_turn
        self._key_views: dict[str, KeyView] = {}
        self._state_views: dict[str, StateView] = {}
        self._worker_state_views: dict[str, WorkerStateView] = {}
        self._unlisted: list[View] = []
        self._prefixes: set[str] = set()
        self._asked = anyio.Event()
        self.revision = keys.revision
        self.proven_at = clock.time()

    def keys(self, prefix: str) -> KeyView:
        """Give the view of a prefix of configs, templates or stack outputs."""
        if prefix not in self._key_views:
            self._key_views[prefix] = self._ask(key_view(prefix, self._layouts))
        return self._key_views[prefix]

    def states(self, prefix: str, read: StateReader) -> StateView:
        """Give the view of a prefix of states."""
        if prefix not in self._state_views:
            self._state_views[prefix] = self._ask(state_view(prefix, read, self._layouts))
        return self._state_views[prefix]

    def worker_states(self, prefix: str) -> WorkerStateView:
        """Give the view of a prefix of worker states."""
        if prefix not in self._worker_state_views:
            self._worker_state_views[prefix] = self._ask(worker_state_view(prefix, self._layouts))
        return self._worker_state_views[prefix]

    def follow(self, view: View) -> None:
        """Have a view listed."""
        self._ask(view)

    def proof(self, prefixes: Collection[str]) -> Proof:
        """Tell that what was listed is right: nothing changes."""
        listed = not any(view.prefix in prefixes for view in self._unlisted)
        return Proof(self.revision, self.proven_at, self._clock.monotonic(), listed)

    def _ask(self, view: _View) -> _View:
        self._unlisted.append(view)
        self._prefixes.add(view.prefix)
        self._asked.set()
        return view

    @property
    def not_caught_up(self) -> str:
        """Which prefix was asked for and is not listed yet; empty: all are."""
        return f"{self._unlisted[0].prefix} is not caught up: not listed yet" if self._unlisted else ""

    @property
    def prefixes(self) -> frozenset[str]:
        """Every prefix that was asked for."""
        return frozenset(self._prefixes)

    def feeds(self) -> Iterator[Feed]:
        """Give none: nothing is fed."""
        return iter(())

    async def read(self) -> None:
        """Return at once: ``revision`` is the newest there is."""

    async def run(self) -> None:
        """List what is asked for, until cancelled."""
        while True:
            while self._unlisted:
                self._list(self._unlisted[0])
                del self._unlisted[0]
            self._on_turn()
            await self._asked.wait()
            self._asked = anyio.Event()

    def _list(self, view: View) -> None:
        prefix = view.key("")
        keys = self._keys[bisect_left(self._keys, prefix) : bisect_left(self._keys, range_end(prefix))]
        items = [
            rpc.KeyValue(key=key, value=item.value, mod_revision=item.revision, version=item.puts)
            for key, item in ((key, self._items[key]) for key in keys)
        ]
        view.list_begins()
        for work in (view.put_items(items), view.list_ends(self.revision)):
            for _ in work:
                pass  # nobody else needs a turn
