"""How fresh an answer is, by the watches that its type hangs on and by the clock alone; turned by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ha_monitor.clock import SystemClock
from ha_monitor.evaluate.unit import Family
from ha_monitor.model import Status
from ha_monitor.settings import Settings
from ha_monitor.sight import BlindPolicy, Sight
from ha_monitor.watch.views import KeyView
from ha_monitor.watch.watches import Proof

if TYPE_CHECKING:
    from collections.abc import Collection


class Hands(SystemClock):
    def __init__(self) -> None:
        self.now = 1000.0

    def time(self) -> float:
        return self.now + 500_000

    def monotonic(self) -> float:
        return self.now


class Etcd:
    """Two watches, and a pulse."""

    alive = True

    def __init__(self) -> None:
        self.proofs = {"/a/": Proof(7, 501_000.0, 1000.0, True), "/b/": Proof(9, 501_000.0, 1000.0, True)}

    def proof(self, prefixes: Collection[str]) -> Proof:
        found = [proof for prefix, proof in self.proofs.items() if prefix in prefixes]
        return Proof(*(min(column) for column in zip(*found, strict=True)))


def test_a_type_is_as_fresh_as_the_watches_that_it_hangs_on() -> None:
    etcd, clock = Etcd(), Hands()
    sight = Sight(etcd, etcd, clock, Settings())
    one, both = Family("one", KeyView("/a/"), None), Family("both", KeyView("/a/"), None)
    both.prefixes.add("/b/")
    assert (sight.of(one).revision, sight.of(both).revision, sight.of(both).stale) == (7, 7, False)
    etcd.proofs["/b/"] = Proof(5, 500_990.0, 990.0, False)
    assert (sight.of(both).revision, sight.of(both).proven_at, sight.of(both).doubt) == (5, 500_990.0, 10.0)
    assert (sight.of(both).stale, sight.of(one).stale) == (True, False)
    etcd.alive = False
    assert sight.of(one).stale


def test_a_watch_that_hangs_is_found_by_the_clock() -> None:
    etcd, clock = Etcd(), Hands()
    sight, family = Sight(etcd, etcd, clock, Settings()), Family("one", KeyView("/a/"), None)
    clock.now += Settings().stale_after
    assert not sight.of(family).stale
    clock.now += 0.001
    assert sight.of(family).stale


@pytest.mark.parametrize(("on_blind", "instead"), [("hold", None), ("unknown", "UNKNOWN"), ("down", "DOWN")])
def test_what_is_said_instead_is_said_after_the_grace(on_blind: str, instead: str | None) -> None:
    etcd, clock = Etcd(), Hands()
    settings = Settings.checked({"on_blind": on_blind, "blind_grace": 5, "blind_grace_by_type": {"slow": 500}})
    sight = Sight(etcd, etcd, clock, settings)
    families = [Family(type_, KeyView("/a/"), None) for type_ in ("one", "slow")]
    etcd.alive = False
    clock.now += 4.9
    assert [sight.of(family).instead for family in families] == [None, None]
    clock.now += 0.1
    seen = [sight.of(family) for family in families]
    assert [each.instead for each in seen] == [instead and Status(instead), None]
    assert seen[0].since == clock.time()
    etcd.alive = True
    assert sight.of(families[0]).instead is None


def test_a_fresh_answer_has_nothing_said_in_its_place() -> None:
    assert BlindPolicy("down", 0.0).instead(0.0) is Status.DOWN
    etcd = Etcd()
    sight = Sight(etcd, etcd, Hands(), Settings.checked({"on_blind": "down", "blind_grace": 0}))
    assert sight.of(Family("one", KeyView("/a/"), None)).instead is None
