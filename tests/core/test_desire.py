"""What should become of a record: the decisions that no test from outside can bring about at will."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.evaluate.entry import Entry
from ha_monitor.evaluate.unit import Family, Unit
from ha_monitor.evaluate.verdict import verdict
from ha_monitor.model import Status
from ha_monitor.publish.desire import Delete, Keep, Publish, Put, RecordWriter, desire
from ha_monitor.watch.views import KeyView

if TYPE_CHECKING:
    from ha_monitor.clock import Timer

RECORD = b'{"primary":"UP","version":1}'
STATUSES = st.sampled_from([Status.UP, Status.DOWN, Status.FAIL, Status.UNKNOWN])
TIMEOUT = 60.0


class Host:
    hears = True

    def settle_soon(self, unit: Unit) -> None:
        raise NotImplementedError

    def expect(self, more: int) -> None:
        pass

    def seen_otherwise(self) -> None:
        raise NotImplementedError

    def monotonic(self) -> float:
        raise NotImplementedError

    def call_at(self, due: float, entry: Entry) -> Timer:
        raise NotImplementedError

    def call_when_heard(self, entry: Entry) -> Timer:
        raise NotImplementedError


@pytest.fixture
def family() -> Family:
    """A family whose template is broken, with one resource."""
    family = Family("ha_interface", KeyView("/config/v2.0/ha_interfaces/"), None)
    unit = family.units["a"] = Unit(family, "a", Host())
    unit.missing = 0
    unit.problem = "broken"
    unit.problem_since = 100.0
    unit.config_revision = 7
    return family


def of(family: Family, now: float, id_: str = "a", standing: bytes | None = RECORD) -> object:
    return desire(family, id_, RecordWriter(Publish.ESI), standing, TIMEOUT, now)


def test_a_record_of_ours_stands_for_the_state_timeout_once_there_is_a_problem(family: Family) -> None:
    family.units["a"].vouched = True
    assert of(family, 110.0) == Keep(50.0)
    assert of(family, 160.0) == Delete(7)


def test_so_does_that_of_a_resource_of_the_same_id_that_ended_just_before(family: Family) -> None:
    family.leaving.add("a")
    assert of(family, 110.0) == Keep(50.0)
    assert of(family, 160.0) == Delete(7)


def test_a_record_that_nobody_vouches_for_is_somebody_elses(family: Family) -> None:
    assert of(family, 160.0) == Keep()
    assert of(family, 160.0, "b") == Keep()


def test_the_record_of_a_resource_that_ended_goes_at_once(family: Family) -> None:
    family.leaving.add("b")
    assert of(family, 110.0, "b") == Delete(0)
    assert of(family, 110.0, "b", standing=None) == Keep()


@given(
    st.lists(STATUSES, min_size=1, max_size=12),
    st.none() | st.integers(0, 9),
    st.sampled_from(Publish),
    st.sampled_from(["entry", "n" * 300]),
)
def test_a_record_says_what_was_told_last_of_few_entries_and_of_many(
    statuses: list[Status], version: int | None, form: Publish, name: str
) -> None:
    family = Family("ha_interface", KeyView("/config/v2.0/ha_interfaces/"), None)
    unit = family.units["a"] = Unit(family, "a", Host())
    unit.missing, unit.version, unit.config_revision = 0, version, 7
    unit.entries = tuple(Entry(f"{name}-{number}", unit, None, TIMEOUT) for number in range(len(statuses)))
    records = RecordWriter(form)
    for _ in range(4):  # each twice: the second time it is known
        for entry, status in zip(unit.entries, statuses, strict=True):
            entry.shown = status
        wanted = desire(family, "a", records, None, TIMEOUT, 0.0)
        if version is None or Status.UNKNOWN in statuses:
            assert wanted == Keep()
        else:
            told = {entry.name: status.value for entry, status in zip(unit.entries, statuses, strict=True)}
            said = told if form is Publish.ESI else {"monitoring": verdict(statuses).value}
            assert isinstance(wanted, Put)
            assert (json.loads(wanted.value), wanted.config_revision) == (said | {"version": version}, 7)
        statuses.reverse()


def test_what_is_kept_of_records_is_bounded_whatever_strangers_name() -> None:
    records = RecordWriter(Publish.GOHAN)
    for version in range(3_000):
        assert records[(("primary", Status.UP),), version] == b'{"monitoring":"UP","version":%d}' % version
        assert len(records) <= 1_024
    records.clear()
    assert records[(("n" * 300, Status.UP),), 1] == b'{"monitoring":"UP","version":1}'
    assert records[tuple((str(number), Status.UP) for number in range(9)), 1] == b'{"monitoring":"UP","version":1}'
    assert not records
