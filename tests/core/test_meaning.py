"""The pure decisions: what a state says, what entries come to, what a record is, how an envelope is read."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.errors import Problem
from ha_monitor.evaluate.entry import judge_absence
from ha_monitor.evaluate.verdict import active, judged, verdict
from ha_monitor.model import Status
from ha_monitor.plugins.etcd_reader import EtcdReader
from ha_monitor.publish.record import esi_record, gohan_record, is_ours, read_record
from ha_monitor.reading.envelope import read_envelope, read_outputs
from ha_monitor.reading.state import StateReader, monitoring_dependencies, worker_dependencies


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b'"UP"' + b"}" * depth


UP, DOWN, FAIL, UNKNOWN, DEGRADED = Status.UP, Status.DOWN, Status.FAIL, Status.UNKNOWN, Status.DEGRADED
READ = StateReader(frozenset({"UP", "ACTIVE"}), monitoring_dependencies)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((UP, UP), UP),
        ((UP, DOWN), DEGRADED),
        ((FAIL, UP), DEGRADED),
        ((DOWN, FAIL), DOWN),
        ((FAIL,), DOWN),
        ((UP, UNKNOWN), UNKNOWN),
        ((DOWN, UNKNOWN), UNKNOWN),
        ((UNKNOWN,), UNKNOWN),
        ((UP, DOWN, UNKNOWN), DEGRADED),
        ((), UNKNOWN),
    ],
)
def test_the_truth_table(entries: tuple[Status, ...], expected: Status) -> None:
    assert verdict(entries) is expected


@given(st.lists(st.sampled_from([UP, DOWN, FAIL, UNKNOWN]), min_size=1, max_size=4))
def test_an_unknown_entry_leaves_open_just_what_its_becoming_up_or_down_could_change(entries: list[Status]) -> None:
    open_places = [place for place, status in enumerate(entries) if status is UNKNOWN]
    outcomes = set()
    for filled in itertools.product((UP, DOWN), repeat=len(open_places)):
        known = list(entries)
        for place, status in zip(open_places, filled, strict=True):
            known[place] = status
        outcomes.add(verdict(known))
    assert verdict(entries) is (outcomes.pop() if len(outcomes) == 1 else UNKNOWN)


def test_the_active_side_is_the_first_that_is_up_in_template_order() -> None:
    assert active([UP, UP]) == 0
    assert active([DOWN, UP]) == 1
    assert active([FAIL, UNKNOWN]) is None


@given(st.lists(st.lists(st.sampled_from([UP, DOWN, FAIL, UNKNOWN]), max_size=7).map(tuple), max_size=20))
def test_a_row_of_the_table_is_what_its_functions_say(rows: list[tuple[Status, ...]]) -> None:
    for row in rows * 2:
        assert judged(row) == (verdict(row), active(row))


@pytest.mark.parametrize(
    ("value", "up"),
    [
        (b'{"interface":"UP","version":1}', True),
        (b'{ "router" : "UP", "version" : 1 }', True),
        (b'{"interface":"ACTIVE","version":"DOWN"}', True),
        (b'{"vmi":"FAIL","version":2}', False),
        (b'{"primary":"MASTER","secondary":"BACKUP","version":1}', False),
        (b'{"status":{"primary":"UP"},"version":1}', True),
        (b'{"status":{"primary":"MASTER"},"version":1}', False),
        (b'{"monitoring":"UP","version":7}', True),
        (b'{"interface":true}', False),
        (b'{"interface":"up"}', False),
        (b'{"interface":"UP","interface":"DOWN"}', False),
    ],
)
def test_a_state_that_can_be_read_is_up_where_every_dependency_is(value: bytes, up: bool) -> None:
    state = READ[value]
    assert state.dependencies is not None
    assert state.up is up


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"  " * 500_000,
        b"UP",
        b"[]",
        b"7",
        b"null",
        b'{"a":"\xff"}',
        b'{"a":' * 10_000,
        b'{"a":"UP"',
        b"\x00",
        nested(101),
    ],
    ids=repr,
)
def test_a_state_that_cannot_be_read_says_nothing(value: bytes) -> None:
    state = READ[value]
    assert state.dependencies is None
    assert EtcdReader({"etcd_type": "t", "etcd_id": "1"}).evaluate([state])[0] is UNKNOWN
    assert state.reason


def test_equal_states_are_read_once_and_shared() -> None:
    assert READ[b'{"interface":"UP","version":9}'] is READ[b'{"interface":"UP","version":9}']


@pytest.mark.parametrize(
    "text", ['{"interface": "ACTIVE"}', '{"interface": "ACTIVE", "version": 1}', '{"status": {"interface": "ACTIVE"}}']
)
def test_a_worker_state_carries_its_dependencies_as_text(text: str) -> None:
    value = json.dumps({"state": {"state_monitoring": text}, "version": 1, "error": ""})
    assert worker_dependencies(value.encode()) == {"interface": "ACTIVE"}


def test_a_worker_state_without_them_says_nothing() -> None:
    with pytest.raises(ValueError, match="state_monitoring"):
        worker_dependencies(b'{"state": {"worker_state": "READ_COMPLETE"}}')


def test_unknown_becomes_fail_when_it_has_lasted_for_the_timeout() -> None:
    assert judge_absence("no state", 100.0, 60, now=100.0) == (UNKNOWN, "no state", 160.0)
    assert judge_absence("no state", 100.0, 60, now=159.9) == (UNKNOWN, "no state", 160.0)
    assert judge_absence("no state", 100.0, 60, now=160.0) == (FAIL, "no state for 60 s", None)


def test_records_are_compact_with_sorted_keys_and_the_config_version() -> None:
    assert esi_record({"secondary": DOWN, "primary": UP}, 3) == b'{"primary":"UP","secondary":"DOWN","version":3}'
    assert gohan_record(DEGRADED, 3) == b'{"monitoring":"DEGRADED","version":3}'


def test_a_record_of_another_shape_is_not_ours() -> None:
    names = ("primary", "secondary")
    assert is_ours(esi_record({"primary": UP, "secondary": FAIL}, 1), names)
    for foreign in (b'{"interface":"UP","version":1}', b'{"primary":"MASTER","secondary":"BACKUP","version":1}',
                    b'{"primary":["UP"],"secondary":"UP","version":1}', b"[]", b"no"):  # fmt: skip
        assert not is_ours(foreign, names)
    assert read_record(b"[1]") is None


def test_a_body_is_read_as_object_as_json_text_and_without_an_envelope() -> None:
    body = {"id": "1", "name": "x"}
    for outer in ({"body": body, "version": 4}, {"body": json.dumps(body), "version": 4}):
        envelope = read_envelope(json.dumps(outer).encode(), puts=9)
        assert (envelope.body, envelope.version, envelope.ended) == (body, 4, False)
    assert read_envelope(json.dumps(body).encode(), puts=9).version == 9
    assert read_envelope(b'{"marked_for_deletion": true}', puts=1).ended


@pytest.mark.parametrize("field", [{"version": "14.2"}, {"version": None}, {"body": "hello"}, {"body": {"id": "2"}}])
def test_a_body_without_an_envelope_may_have_fields_that_are_called_as_those_of_one(field: dict[str, object]) -> None:
    body = {"id": "1", **field}
    envelope = read_envelope(json.dumps(body).encode(), puts=9)
    assert (envelope.body, envelope.version) == (body, 9)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b'{"version": 1, "marked_for_deletion": false}', "has no body"),
        (json.dumps({"body": json.dumps(json.dumps({"id": "1"})), "version": 1}).encode(), "encoded twice"),
        (b'{"body": {}, "version": "1"}', 'version is "1"'),
        (b'{"body": {}, "version": true}', "version is true"),
        (b'{"body": {}}', "version is null"),
        (b'{"body": [], "version": 1}', "a list"),
        (b'{"body": "no", "version": 1}', "not JSON"),
        (b"", "not JSON"),
        (b"[1]", "a list"),
        (nested(101), "the config is nested more than 100 deep"),
        (nested(900), "the config is nested more than 100 deep"),
        (
            json.dumps({"body": nested(101).decode(), "version": 1}).encode(),
            "the config's body is nested more than 100",
        ),
    ],
    ids=range(12),
)
def test_a_bad_envelope_is_a_problem_in_words(value: bytes, words: str) -> None:
    with pytest.raises(Problem, match=words):
        read_envelope(value, puts=1)


def test_what_is_as_deep_as_may_be_is_read() -> None:
    assert read_envelope(nested(100), puts=1).body
    assert read_envelope(b'{"a": [' + b"[]," * 200 + b'"[["]}', puts=1).body
    assert read_record(nested(100))
    assert read_record(nested(101)) is None
    with pytest.raises(Problem, match="the stack is nested"):
        read_outputs(nested(101))


def test_stack_outputs_are_read_by_key() -> None:
    value = b'{"output": [{"output_key": "fq_name", "output_value": "a:b"}, {"output_key": "n"}, 7], "id": "x"}'
    assert read_outputs(value) == {"fq_name": "a:b", "n": None}
    with pytest.raises(Problem, match="list of outputs"):
        read_outputs(b"{}")
