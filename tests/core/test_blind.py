"""Whoever reads the changes believes what is said, though all goes on while a type turns blind, or sees again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import anyio
import anyio.lowlevel
from hypothesis import example, given
from hypothesis import strategies as st

from ha_monitor import blind
from ha_monitor.blind import LOOK_EVERY, Blindness
from ha_monitor.evaluate.changes import changes_of
from ha_monitor.evaluate.entry import Entry
from ha_monitor.evaluate.unit import Family, Unit
from ha_monitor.model import Status
from ha_monitor.settings import Settings
from ha_monitor.sight import Sight
from ha_monitor.testing import run
from ha_monitor.watch.views import KeyView
from tests.core.test_sight import Etcd, Hands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.model import Change

IDS = ("a", "b", "c", "d")
UP, DOWN = {"primary": Status.UP}, {"primary": Status.DOWN}


class Site:
    """Resources of one type, and a reader who has heard of them by changes alone."""

    def __init__(self, on_blind: str) -> None:
        self.etcd = Etcd()
        clock = Hands()
        self.sight = Sight(self.etcd, self.etcd, clock, Settings.checked({"on_blind": on_blind, "blind_grace": 0}))
        self.family = Family("ha_interface", KeyView("/a/"), None)
        self.blindness = Blindness(lambda: {"ha_interface": self.family}, self.sight, clock, self.read)
        self.believed: dict[tuple[str, str], Status] = {}

    def read(self, changes: Sequence[Change]) -> None:
        for change in changes:
            at = change.id, change.entry
            assert self.believed.pop(at, None) is change.old is not change.new
            if change.new is not None:
                self.believed[at] = change.new

    def said(self) -> dict[tuple[str, str], Status]:
        """Give what the monitor says to whoever asks."""
        instead = self.sight.of(self.family).instead
        return {
            (unit.id, entry.name): instead or entry.shown
            for unit in self.family.units.values()
            for entry in unit.entries
            if entry.shown is not None
        }

    def hear(self, alive: bool) -> None:
        self.etcd.alive = alive
        self.blindness.look()

    def render(self, id_: str, statuses: Mapping[str, Status | None]) -> None:
        """Have a resource with these entries, some not evaluated yet; without any, it ends."""
        unit = self.family.units.setdefault(id_, Unit(self.family, id_, cast("Any", None)))
        known = {entry.name: entry for entry in unit.entries}
        unit.entries = tuple(known.pop(name) if name in known else Entry(name, unit, None, 60.0) for name in statuses)
        for entry in unit.entries:
            entry.status = statuses[entry.name] or entry.status
        if not unit.entries:
            unit.ended = True
            del self.family.units[id_]
        gone = [entry for entry in known.values() if entry.shown is not None]
        self.read(self.blindness.passed(changes_of(unit, gone, 0.0)))


async def play(on_blind: str, history: Sequence[tuple[str, Any, int]]) -> None:
    site = Site(on_blind)
    for id_ in IDS[:3]:
        site.render(id_, {"primary": Status.UP, "secondary": Status.DOWN})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(site.blindness.run)
        for what, given_, turns in history:
            if what == "hear":
                site.hear(given_)
            else:
                site.render(*given_)
            for _ in range(turns):
                await anyio.lowlevel.checkpoint()
        for alive in (site.etcd.alive, False, True):
            site.hear(alive)
            await anyio.sleep(2 * LOOK_EVERY)
            assert site.believed == site.said()
        tasks.cancel_scope.cancel()


statuses = st.dictionaries(st.sampled_from(["primary", "secondary"]), st.sampled_from([None, *Status]))
turns = st.integers(0, 4)
steps = st.one_of(
    st.tuples(st.just("hear"), st.booleans(), turns),
    st.tuples(st.just("render"), st.tuples(st.sampled_from(IDS), statuses), turns),
    st.tuples(st.just("render"), st.tuples(st.sampled_from(IDS), statuses), turns),
)


@given(st.sampled_from(["down", "unknown"]), st.lists(steps, max_size=20))
@example("down", [("hear", False, 2), ("render", ("c", DOWN), 9)])
@example("down", [("hear", False, 9), ("hear", True, 2), ("render", ("c", DOWN), 9)])
@example("down", [("hear", False, 2), ("render", ("c", {}), 0), ("render", ("c", UP), 9)])
@example("down", [("hear", False, 2), ("render", ("d", UP), 9)])
def test_whatever_happens_between_its_slices(on_blind: str, history: list[tuple[str, Any, int]]) -> None:
    with mock.patch.object(blind, "_SLICE", 1):
        run(play, on_blind, history)
