"""Worker states: what is read of them, and what is known of them after lists, events, and a store that went back."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.publish.take_up import came_after
from ha_monitor.reading.worker_state import LONGEST_ERROR, read_worker_state
from ha_monitor.watch.worker_states import WorkerState, WorkerStateView
from tests.core.test_views import apply, gone, item, listed, put

if TYPE_CHECKING:
    from aetcd import rpc


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('{"state": {"state_monitoring": "{}"}, "version": 1, "error": ""}', (1, "")),
        ('{"version": 3, "error": "no such device"}', (3, "no such device")),
        ('{"version": 2.9}', (2, "")),
        ('{"version": 2e0}', (2, "")),
        ('{"version": "2"}', (None, "")),
        ('{"version": true}', (None, "")),
        ('{"version": null, "error": 5}', (None, "")),
        ('{"error": "without a version"}', (None, "without a version")),
        ("{}", (None, "")),
        ("[1]", (None, "")),
        ("1", (None, "")),
        ("", (None, "")),
        ("no JSON", (None, "")),
        ('{"version": 1', (None, "")),
        ('{"version": 1, "state": ' + "[" * 100_000, (None, "")),
        (json.dumps({"version": 1, "error": "x" * 9_000}), (1, "x" * LONGEST_ERROR)),
    ],
)
def test_a_version_is_read_as_gohan_reads_it(value: str, read: tuple[int | None, str]) -> None:
    assert read_worker_state(value.encode()) == read


def test_bytes_that_are_no_text_are_unreadable() -> None:
    assert read_worker_state(b'{"version": 1, "error": "\xff"}') == (None, "")


ids = st.sampled_from(["a", "b", "c"])
values = st.sampled_from([b'{"version":1}', b'{"version":2,"error":"e"}', b"{}", b'{"version":1,"error":""}'])
changes = st.lists(st.tuples(st.sampled_from(["put", "delete", "list", "share"]), ids, values), max_size=20)


@given(changes)
def test_it_knows_what_stands_there_and_tells_of_each_change(history: list[tuple[str, str, bytes]]) -> None:
    view, told = WorkerStateView("/p/"), list[str]()
    view.on_change = told.append
    listed(view, [item("a", b'{"version":1,"error":"old"}', 1)], 1)
    assert told == [], "whoever asks before the first list is whole looks at all of it"
    standing: dict[str, tuple[int, bytes]] = {"a": (1, b'{"version":1,"error":"old"}')}
    for revision, (kind, id_, value) in enumerate(history, 2):
        told.clear()
        expected = {id_}
        if kind == "put":
            standing[id_] = revision, value
            apply(view, [put(id_, value, revision)])
        elif kind == "delete":
            expected = {id_} & standing.keys()
            standing.pop(id_, None)
            apply(view, [gone(id_, revision)])
        elif kind == "list":
            expected = {other for other in standing if other != id_} | {id_}
            standing = {id_: (revision - 1, value)}
            listed(view, [item(id_, value, revision - 1)], revision)
        else:
            view.share(id_)
            expected = set()
        assert set(told) == expected or (kind == "list" and set(told) == expected - {id_})
        read = {each: (at, *read_worker_state(raw)) for each, (at, raw) in standing.items()}
        assert view.items == {each: WorkerState(version, at) for each, (at, version, _) in read.items()}
        assert view.errors == {each: error for each, (_, _, error) in read.items() if error}
        assert (view.size(), view.count()) == (len(standing), len(standing))


def test_keys_of_another_depth_are_none_of_its() -> None:
    view = WorkerStateView("/p/")
    listed(view, [item("a/b", b'{"version":1}', 1), item("", b'{"version":1}', 1)], 1)
    assert (view.items, view.count()) == ({}, 2)


def test_an_id_is_kept_once_whichever_comes_first() -> None:
    kept = str(b"some-id", "utf-8")  # not the constant that the keys are made of
    view = WorkerStateView("/p/")
    view.shared = {kept: kept}.get
    listed(view, [item("some-id", b'{"version":1}', 1)], 1)
    (known,) = view.items
    assert known is kept
    other = WorkerStateView("/p/")
    listed(other, [item("some-id", b'{"version":1}', 1)], 1)
    other.share(kept)
    (known,) = other.items
    assert known is kept
    assert other.items[kept] == WorkerState(1, 1)


def test_what_is_kept_does_not_grow_with_the_values() -> None:
    def size_of(value: dict[str, Any]) -> int:
        view = WorkerStateView("/p/")
        items: list[rpc.KeyValue] = [item("a", json.dumps(value).encode(), 1)]
        listed(view, items, 1)
        return sum(map(sys.getsizeof, (view.items, *view.items.items(), view.errors)))

    assert size_of({"version": 1}) == size_of({"version": 1, "state": {"state_monitoring": "x" * 100_000}})


@given(st.none() | st.integers(0, 3), st.none() | st.integers(0, 3), st.integers(1, 9), st.integers(1, 9))
def test_a_state_comes_after_the_record_by_its_version_and_its_revision(
    reported: int | None, version: int | None, state: int, record: int
) -> None:
    due = reported is not None and reported == version and state > record
    assert came_after(WorkerState(reported, state), version, record) is due
    assert not came_after(None, version, record)
