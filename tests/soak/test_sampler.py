"""The sampler finds an answer that is older than it says, and no other."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from ha_monitor.text import rfc3339
from tests.soak.sampler import Sample, Timeline, untrue

CONFIG, STATE = "/config/v2.0/ha_interfaces/ha1", "/monitoring/v2.0/er_physical_interfaces/p1"
UP, DOWN = b'{"interface":"UP"}', b'{"interface":"DOWN"}'
NOW = 1_000_000_000.0


class _Value(NamedTuple):
    key: bytes
    value: bytes


class _Event(NamedTuple):
    kv: _Value
    type: int = 0


@pytest.fixture
def timeline() -> Timeline:
    """Give one in which the state is UP, is DOWN from revision 5 on, and the config is at version 2 from 7 on."""
    made = Timeline({CONFIG: json.dumps({"version": 1}).encode(), STATE: UP})
    made.take(5, [_Event(_Value(STATE.encode(), DOWN))])
    made.take(7, [_Event(_Value(CONFIG.encode(), json.dumps({"version": 2}).encode()))])
    return made


def sample(
    status: str, revision: int, *, version: int = 1, until: int = 6, age: float = 1.0, ready: bool = True
) -> Sample:
    entries = {"primary": {"key": STATE, "status": status}}
    answer: dict[str, Any] = {
        "revision": revision, "proven_at": rfc3339(NOW - age), "problem": None, "version": version, "entries": entries,
    }  # fmt: skip
    return Sample(NOW, ready, CONFIG, answer, {"ok": status == "UP", "stale": False}, until)


@pytest.mark.parametrize(
    "true",
    [
        sample("UP", 4),
        sample("DOWN", 4),  # newer than it says
        sample("DOWN", 5),
        sample("DOWN", 6, version=2, until=7),
        sample("UP", 4, age=60.0, ready=False),
    ],
)
def test_a_true_answer_is_passed(timeline: Timeline, true: Sample) -> None:
    assert [*untrue(true, timeline)] == []


@pytest.mark.parametrize(
    ("false", "words"),
    [
        (sample("UP", 5), "er_physical_interfaces/p1 was {'DOWN'} and not UP"),
        (sample("DOWN", 3, until=4), "er_physical_interfaces/p1 was {'UP'} and not DOWN"),
        (sample("DOWN", 7, until=7), "no config of version 1"),
        (sample("UP", 4, age=60.0), "ready, and not confirmed for 60.0 s"),
    ],
)
def test_an_answer_that_is_older_than_it_says_is_found(timeline: Timeline, false: Sample, words: str) -> None:
    assert any(words in each for each in untrue(false, timeline))


def test_a_confirmation_claims_all_that_was_there_when_it_was_asked_for(timeline: Timeline) -> None:
    later = sample("UP", 4)
    later.answer["proven_at"] = rfc3339(4_000_000_000.0)  # after the timeline has taken all
    assert any("from revision 7 to 7" in each for each in untrue(later._replace(until=7), timeline))
