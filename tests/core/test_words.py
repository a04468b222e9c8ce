"""The sentences of an explanation, for what no test from outside can bring about at will."""

from __future__ import annotations

import itertools

import pytest

from ha_monitor.evaluate.verdict import verdict
from ha_monitor.explain import words
from ha_monitor.explain.report import Entry, Source, State
from ha_monitor.model import EntryStatus, Maintenance, Pending, Resource, Status
from ha_monitor.text import duration

UP, DOWN, FAIL, UNKNOWN = Status.UP, Status.DOWN, Status.FAIL, Status.UNKNOWN
NOW = 1_000.0


def resource(**facts: object) -> Resource:
    made = {
        "type": "pair", "id": "x", "name": "", "version": 1, "template": "pair_monitoring", "status": Status.DEGRADED,
        "active": "secondary", "since": 940.0, "problem": None, "published": None, "revision": 9, "proven_at": 990.0,
        "stale": False, "entries": {"primary": EntryStatus(DOWN, 940.0, "/k", "")},
    }  # fmt: skip
    return Resource(**{**made, **facts})  # type: ignore[arg-type]


def entry(status: Status = DOWN, *, pending: Pending | None = None, flapping: bool = False) -> Entry:
    state = State(Source("/k", 3), {"a": "DOWN"}, ("a",), 'a is "DOWN"', None, None)
    return Entry("etcd_reader", {}, True, status, 940.0, 'a is "DOWN"', 60.0, None, pending, flapping, (state,))


@pytest.mark.parametrize("entries", [
    statuses for count in (1, 2, 3, 4) for statuses in itertools.product((UP, DOWN, FAIL, UNKNOWN), repeat=count)
], ids=str)  # fmt: skip
def test_the_rule_counts_the_entries_and_names_the_verdict(entries: tuple[Status, ...]) -> None:
    status = verdict(entries)
    said = words.rule(entries, status)
    numbers = {"one": 1, "two": 2, "three": 3, "four": 4, "both": 2}
    head, _, tail = said.partition(": ")
    assert tail.partition(",")[0] == status.value
    if len(set(entries)) > 1:
        counted = [part.replace("entries ", "").replace("entry ", "").split() for part in head.split(", ")]
        assert {kind: numbers[number] for number, kind in counted} == {kind: entries.count(kind) for kind in entries}
    if "may come to" in tail:
        outcomes = tail.rpartition("may come to ")[2].split(" or ")
        filled = [(UP, DOWN)[choice] for choice in (0, 1)]
        possible = set()
        for choice in itertools.product(filled, repeat=entries.count(UNKNOWN)):
            left = iter(choice)
            possible.add(verdict([next(left) if status is UNKNOWN else status for status in entries]).value)
        assert possible == set(outcomes)


def test_damping_flapping_and_maintenance_are_told_before_all_else() -> None:
    entries = {
        "primary": entry(DOWN, pending=Pending(UP, 1_003.0)),
        "secondary": entry(DOWN, flapping=True),
    }  # fmt: skip
    frozen = resource(maintenance=Maintenance("swap of a card", 1_600.0))
    assert words.notes(frozen, entries, "", NOW) == (
        "in maintenance for 10 min more: swap of a card; its record and hooks are frozen",
        "primary is UP already, and counts as such in 3 s if it stays so",
        "secondary is flapping: it changed too often, and is held DOWN until it is quiet",
    )
    endless = resource(maintenance=Maintenance("", None))
    said = "in maintenance until further notice: no reason given; its record and hooks are frozen"
    assert words.notes(endless, {}, "", NOW) == (said,)


def test_blind_and_stale_are_told() -> None:
    blind = resource(blind=True, status=UNKNOWN, stale=True)
    assert words.summary(blind, {"primary": entry()}, NOW) == (
        "pair x is shown as UNKNOWN: etcd can't be heard, and its last verdict no longer counts"
    )
    (note,) = words.notes(blind, {}, "etcd can't be heard: no leader", NOW)
    assert note == "what follows can't be vouched for: etcd can't be heard: no leader; it was right 10 s ago"
    (note,) = words.notes(resource(proven_at=0.0), {}, "not listed yet", NOW)
    assert note.endswith("it was never proven")


def test_a_plugin_that_goes_by_no_state_has_to_find_otherwise() -> None:
    alone = Entry("dice", {}, True, DOWN, 940.0, "a one", 60.0, None, None, False, ())
    assert words.remedies({"primary": alone}, ("UP",)) == ("primary: its plugin has to find otherwise",)
    assert words.reasons({"primary": alone}, "the rule", NOW) == ("the rule", "primary is DOWN for 1 min: a one")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "less than a second"), (1, "1 s"), (60, "1 min"), (61.9, "1 min 1 s"), (3_600, "1 h"), (3_601, "1 h"),
     (3_661, "1 h 1 min"), (90_000, "1 d 1 h"), (864_000, "10 d")],
)  # fmt: skip
def test_durations_are_told_in_two_units(seconds: float, said: str) -> None:
    assert duration(seconds) == said
