"""No answer is ever older than it says: random histories, faults, loads and stalls, each answer held against etcd's."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor import Settings
from ha_monitor.testing import pass_time, run
from ha_monitor.testing.versions import NEWEST, OLDEST
from ha_monitor.web.shapes import resource_shape
from tests.property.test_history import keys_to_delete, pair, puts
from tests.soak.sampler import UNNOTICED, Sample, Timeline, untrue
from tests.testing.fleet import ready
from tests.testing.test_histories import Operated, changes, faults, pauses, states

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor import HaMonitor

CONFIGS = {"ha_interface": "/config/v2.0/ha_interfaces", "vpn_gateway": "/config/v2.0/vpn_gateways"}
MANY = 300
"""Resources that a load brings at once: some slices of rendering."""

ASKED_FOR = [("ha_interface", f"ha@{number}") for number in (0, 1, 2, MANY - 1)] + [
    ("vpn_gateway", f"vpn@{number}") for number in range(3)
]
FIRST_GAP, LONG_GAP, LONGEST_GAP = 0.0003, 0.005, 1.0
"""Seconds between two moments at which answers are taken."""

TURNS = 12
"""Turns of the event loop at each of which they are, up to a long gap: more than it takes from event to verdict."""

stalls = st.sampled_from([0.2, 3.0, 5.0, 9.5, 14.0])
steps = st.one_of(
    st.tuples(st.just("change"), changes, pauses),
    st.tuples(st.just("change"), changes, pauses),
    st.tuples(st.just("change"), st.tuples(st.lists(puts, max_size=3), st.lists(keys_to_delete)), pauses),
    st.tuples(st.just("fault"), faults, pauses),
    st.tuples(st.just("state"), states, pauses),
    st.tuples(st.just("load"), st.integers(1, 3), pauses),
    st.tuples(st.just("stall"), stalls, pauses),
)


class Observed(Operated):
    """An etcd whose whole history is noted, and a monitor on it whose answers are held against that."""

    def __init__(self, version: str) -> None:
        super().__init__(version)
        self._trusted_from = 0.0
        self._begin()

    def _begin(self) -> None:
        self._known = self.etcd.revision
        self._timeline = Timeline(self.etcd.items(), self.etcd.clock.time)

    def _follow(self) -> None:
        store = self.etcd._server.node.store
        for revision, events in store.since(self._known + 1, store.revision):
            self._timeline.take(revision, events)
        self._known = store.revision

    async def do(self, kind: str, what: Any, pause: float) -> None:
        """Do one step, and wait."""
        self._follow()  # before a compaction takes it away
        if kind == "load":
            for number in range(MANY):
                self.etcd.txn(pair(number, what, "object"))
            await anyio.sleep(pause)
        elif kind == "stall":
            pass_time(what)
            await anyio.sleep(pause)
        elif what == "rewind":
            self._trusted_from = float("inf")
            await super().do(kind, what, pause)
            self._begin()
            self._trusted_from = self.etcd.clock.time()
        else:
            await super().do(kind, what, pause)

    async def watch(self, monitor: HaMonitor, seconds: float) -> None:
        """Take answers for a while: at each turn in the beginning, and more and more seldom."""
        gap = FIRST_GAP
        while seconds >= 0:
            for _ in range(TURNS if gap < LONG_GAP else 1):
                self.look(monitor)
                await asyncio.sleep(0)
            await anyio.sleep(gap)
            seconds -= gap
            gap = min(gap * 1.3, LONGEST_GAP)

    def look(self, monitor: HaMonitor) -> None:
        """Hold the answers of one moment against history."""
        now, is_ready = self.etcd.clock.time(), monitor.readiness().ready
        if not monitor.is_synced or now < self._trusted_from:
            return
        self._follow()
        for type_, id_ in ASKED_FOR:
            record = monitor.get(type_, id_)
            if record is not None:
                answer = msgspec.to_builtins(resource_shape(record))
                probe = {"ok": record.active is not None, "stale": record.stale}
                sample = Sample(now, is_ready, f"{CONFIGS[type_]}/{id_}", answer, probe, self._known)
                assert [*untrue(sample, self._timeline)] == [], sample


async def play(version: str, history: Sequence[tuple[str, Any, float]], folder: Path) -> None:
    observed = Observed(version)
    (folder / "password").write_text("pw")
    config = Settings(state_timeout=5.0, etcd_user="monitor", etcd_password_file=folder / "password")
    async with observed.etcd.monitor(config) as monitor:
        await ready(monitor)
        for kind, what, pause in history:
            await observed.do(kind, what, 0.0)
            await observed.watch(monitor, pause)
        observed.heal()
        await observed.watch(monitor, UNNOTICED)
        await ready(monitor)


@settings(max_examples=10)
@given(st.sampled_from([OLDEST, NEWEST]), st.lists(steps, min_size=1, max_size=12))
def test_no_answer_is_older_than_it_says(version: str, history: list[tuple[str, Any, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(play, version, history, Path(folder))
