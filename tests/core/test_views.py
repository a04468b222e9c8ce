"""Views: what they know after lists, events, our own writes, and a store that went back in time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from aetcd import rpc
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.reading.state import StateReader, monitoring_dependencies
from ha_monitor.watch.maintenance import MaintenanceView
from ha_monitor.watch.states import EVENTS_IN_A_SLICE, WOKEN_IN_A_SLICE, StateView
from ha_monitor.watch.views import ITEMS_IN_A_SLICE, KeyView, View

if TYPE_CHECKING:
    from collections.abc import Callable

UP, DOWN = b'{"interface":"UP"}', b'{"interface":"DOWN"}'


def item(id_: str, value: bytes, revision: int) -> rpc.KeyValue:
    return rpc.KeyValue(key=f"/p/{id_}".encode(), value=value, mod_revision=revision, version=1)


def put(id_: str, value: bytes, revision: int) -> rpc.Event:
    return rpc.Event(type=rpc.Event.EventType.PUT, kv=item(id_, value, revision))


def gone(id_: str, revision: int) -> rpc.Event:
    return rpc.Event(type=rpc.Event.EventType.DELETE, kv=rpc.KeyValue(key=f"/p/{id_}".encode(), mod_revision=revision))


def listed(view: View, items: list[rpc.KeyValue], revision: int) -> None:
    view.list_begins()
    for work in (view.put_items(items), view.list_ends(revision)):
        for _ in work:
            pass


def apply(view: View, events: list[rpc.Event]) -> None:
    for _ in view.apply(events):
        pass


def states() -> StateView:
    return StateView("/p/", StateReader(frozenset({"UP"}), monitoring_dependencies))


def values(view: StateView) -> dict[str, bytes]:
    found = {id_: view.cell(id_) for id_ in view.ids()}
    return {id_: cell.state.raw for id_, cell in found.items() if cell is not None and cell.state is not None}


class Sleeper:
    def __init__(self) -> None:
        self.woken = 0

    def look(self) -> None:
        self.woken += 1


def test_a_store_that_went_back_in_time_is_believed() -> None:
    view = states()
    listed(view, [item("a", DOWN, 120), item("b", UP, 119)], 120)
    sleeper = Sleeper()
    view.hang("a", sleeper)
    listed(view, [item("b", UP, 1)], 1)
    assert values(view) == {"b": UP}
    assert sleeper.woken == 1
    apply(view, [put("a", UP, 2)])
    assert values(view) == {"a": UP, "b": UP}
    assert sleeper.woken == 2


def test_all_who_hang_on_a_key_are_woken_until_they_do_no_longer() -> None:
    view = states()
    listed(view, [], 1)
    sleepers = [Sleeper() for _ in range(3)]
    cells = {id(view.hang("a", sleeper)) for sleeper in sleepers}
    assert len(cells) == 1
    for revision, left in ((2, 3), (3, 2), (4, 1)):
        apply(view, [put("a", UP if revision % 2 else DOWN, revision)])
        assert [sleeper.woken for sleeper in sleepers[3 - left :]] == [revision - 1] * left
        cell = view.cell("a")
        assert cell is not None
        cell.unhang(sleepers[3 - left])
    assert [sleeper.woken for sleeper in sleepers] == [1, 2, 3]
    assert view.cell("a") is cell, "the key is there, whoever hangs on it"
    apply(view, [gone("a", 9)])
    assert view.cell("a") is None


def test_a_key_that_nobody_hangs_on_when_the_first_list_ends_wakes_whoever_does_later() -> None:
    view = states()
    view.list_begins()
    early, late = Sleeper(), Sleeper()
    cell = view.hang("a", early)
    for _ in view.put_items([item("a", UP, 2)]):
        pass
    cell.unhang(early)
    for _ in view.list_ends(2):
        pass
    assert early.woken == 0
    view.hang("a", late)
    apply(view, [put("a", DOWN, 3)])
    assert late.woken == 1


def test_a_large_value_that_comes_again_is_no_change() -> None:
    """Such a value is read anew each time: the echo of our own record is not somebody else's."""
    large = b'{"interface":"UP","padding":"' + 300 * b"x" + b'"}'
    view, sleeper = states(), Sleeper()
    told: list[str] = []
    listed(view, [], 1)
    view.hang("b", sleeper)
    view.on_record = told.append
    assert view.written(b"/p/a", large, 2)
    apply(view, [put("a", large, 2), put("b", large, 3)])
    listed(view, [item("a", large, 2), item("b", large, 3)], 3)
    apply(view, [put("a", large, 4)])
    assert told == ["b"]
    assert sleeper.woken == 1


def test_what_the_first_list_finds_is_told_of_nobodys_change() -> None:
    """Each record would be decided on twice at a start: for that, and once its resource has a verdict."""
    view, told = states(), list[str]()
    view.on_record = told.append
    view.hang("a", Sleeper())
    view.list_begins()
    for _ in view.put_items([item("a", UP, 1), item("b", UP, 1)]):
        pass
    listed(view, [item("a", UP, 1), item("c", UP, 2)], 2)  # the one before was broken off
    assert told == []
    apply(view, [put("a", DOWN, 3)])
    listed(view, [item("c", UP, 2), item("d", UP, 4)], 4)
    assert sorted(told) == ["a", "a", "d"]


def test_a_crowd_on_one_key_is_woken_in_slices_and_misses_nothing_meanwhile() -> None:
    view = states()
    listed(view, [], 1)
    sleepers = [Sleeper() for _ in range(4 * WOKEN_IN_A_SLICE)]
    for sleeper in sleepers:
        cell = view.hang("a", sleeper)
    work = view.apply([put("a", UP, 2)])
    next(work)
    assert sum(sleeper.woken for sleeper in sleepers) == WOKEN_IN_A_SLICE
    assert cell.dirty, "whoever is still asleep has not seen it"
    view.written(b"/p/a", DOWN, 3)
    for _ in work:
        pass
    assert {sleeper.woken for sleeper in sleepers} == {2}, "those who slept had not seen the first"
    assert not cell.dirty


def test_who_waits_for_the_first_list_is_called_once_however_often_he_asked() -> None:
    view = KeyView("/p/")
    called: list[str] = []
    for number in range(3):
        view.when_synced("a", partial(called.append, f"a{number}"))
        view.when_synced("b", partial(called.append, f"b{number}"))
    assert called == []
    listed(view, [], 1)
    assert called == ["a2", "b2"]
    view.when_synced("a", partial(called.append, "at once"))
    assert called[2:] == ["at once"]


def test_what_changed_together_is_seen_together_wherever_the_work_is_cut() -> None:
    view = states()
    listed(view, [], 1)
    events = [put(f"{number}", UP, 2 + number) for number in range(EVENTS_IN_A_SLICE - 1)]
    events += [put(id_, UP, 100_000) for id_ in ("first", "second", "third")]
    events += [put(f"{number}", DOWN, 100_001 + number) for number in range(EVENTS_IN_A_SLICE)]
    turns = 0
    for _ in view.apply(events):
        turns += 1
        assert (view.cell("first") is None) == (view.cell("third") is None)
    assert turns == 1
    after = values(view)
    assert {id_ for id_, value in after.items() if value == UP} == {"first", "second", "third"}
    assert len(after) == EVENTS_IN_A_SLICE + 3


def test_configs_that_changed_together_are_seen_together_too() -> None:
    view = KeyView("/p/")
    listed(view, [], 1)
    events = [put(f"{number}", b"{}", 2 + number) for number in range(ITEMS_IN_A_SLICE - 1)]
    events += [put(id_, b"{}", 100_000) for id_ in ("first", "second", "third")]
    events += [put(f"{number}", b"[]", 100_001 + number) for number in range(ITEMS_IN_A_SLICE)]
    turns = 0
    for _ in view.apply(events):
        turns += 1
        assert ("first" in view.items) == ("third" in view.items)
    assert turns == 2
    assert len(view.items) == ITEMS_IN_A_SLICE + 3


@pytest.mark.parametrize("make", [states, partial(KeyView, "/p/")], ids=["states", "configs"])
def test_what_is_gone_from_a_long_list_goes_in_slices(make: Callable[[], StateView | KeyView]) -> None:
    view = make()
    items = [item(f"{number:05}", UP, 2 + number) for number in range(4 * ITEMS_IN_A_SLICE)]
    listed(view, items, 10_000)
    view.list_begins()
    kept = items[::2]
    assert sum(1 for _ in view.put_items(kept)) == 2
    assert sum(1 for _ in view.list_ends(20_000)) >= 4
    assert view.count() == len(kept)


def test_our_own_write_is_known_already_where_the_watch_was_quicker() -> None:
    view = states()
    listed(view, [], 1)
    key = view.key("a")
    apply(view, [put("a", UP, 12)])
    assert view.written(key, UP, 12)
    apply(view, [gone("a", 13)])
    assert view.written(key, None, 13)
    apply(view, [put("a", UP, 14), gone("a", 15)])
    assert not view.written(key, UP, 14), "somebody deleted it after us"
    view.hang("a", Sleeper())
    assert not view.written(key, UP, 14), "whoever hangs there meanwhile"
    assert view.written(key, None, 15)
    assert values(view) == {}
    assert view.ahead == 0, "the watch has nothing to bring that we know already"


def test_a_list_brings_what_we_wrote_before_it() -> None:
    view = states()
    listed(view, [], 1)
    view.list_begins()
    assert view.written(view.key("a"), UP, 5)
    assert view.written(view.key("b"), UP, 9)
    for work in (view.put_items([item("a", UP, 5)]), view.list_ends(7)):
        for _ in work:
            pass
    assert values(view) == {"a": UP, "b": UP}
    assert view.ahead == 1
    apply(view, [put("b", UP, 9)])
    assert view.ahead == 0


def test_a_list_that_is_whole_knows_better_than_our_own_write_that_is_told_of_late() -> None:
    """Somebody deleted it between the two, and the watch that begins after the list has nothing to say of that."""
    view = states()
    listed(view, [item("a", UP, 1), item("b", UP, 1)], 1)
    view.list_begins()
    for _ in view.put_items([item("b", UP, 1)]):
        pass
    for _ in view.list_ends(7):
        view.written(view.key("a"), DOWN, 5)
    assert values(view) == {"b": UP}
    assert view.ahead == 0
    assert view.count() == 1


def test_our_own_write_wakes_nobody_for_what_a_list_has_brought_half_of() -> None:
    view = states()
    listed(view, [item("a", UP, 1), item("b", DOWN, 1)], 1)
    sleeper = Sleeper()
    for id_ in ("a", "b"):
        view.hang(id_, sleeper)
    view.list_begins()
    for _ in view.put_items([item("a", DOWN, 5)]):  # and b is up since then, on the next page
        pass
    assert view.written(view.key("c"), UP, 6)
    assert sleeper.woken == 0
    for work in (view.put_items([item("b", UP, 5)]), view.list_ends(5)):
        for _ in work:
            pass
    assert sleeper.woken == 2


def test_what_we_wrote_to_a_store_that_went_back_in_time_is_known_before_its_list_is_whole() -> None:
    view = states()
    listed(view, [], 120)
    view.list_begins()
    assert view.written(view.key("a"), UP, 5)
    assert values(view) == {"a": UP}


def test_what_the_watch_still_brings_of_before_our_own_write_is_passed_over() -> None:
    view = states()
    listed(view, [], 1)
    told: list[str] = []
    view.on_record = told.append
    assert view.written(view.key("a"), UP, 12)
    apply(view, [put("a", DOWN, 10)])
    assert values(view) == {"a": UP}
    apply(view, [put("a", UP, 12)])
    assert told == []
    apply(view, [put("a", DOWN, 13)])
    assert values(view) == {"a": DOWN}
    assert told == ["a"]
    assert not view.written(view.key("a"), UP, 12), "somebody wrote after us"


def test_our_own_writes_are_forgotten_with_the_store_they_went_to() -> None:
    view = states()
    listed(view, [], 100)
    view.written(view.key("a"), UP, 101)
    listed(view, [], 1)
    assert values(view) == {}
    apply(view, [put("a", DOWN, 2)])
    assert values(view) == {"a": DOWN}


def test_a_list_finds_the_deletions_that_were_missed_and_tells_of_changes_only() -> None:
    view = KeyView("/p/")
    changed: list[str] = []
    view.on_change = changed.append
    listed(view, [item("a", b"1", 5), item("b", b"2", 6), item("deep/er", b"3", 7)], 7)
    assert changed == ["a", "b"]
    changed.clear()
    listed(view, [item("b", b"2", 6), item("c", b"4", 9)], 9)
    assert changed == ["c", "a"]
    assert set(view.items) == {"b", "c"}


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "delete", "list", "hang", "write"]), st.sampled_from(["a", "b", "c", "d/e", ""])),
    max_size=40,
)


@given(STEPS, st.sampled_from([states, partial(KeyView, "/p/"), partial(MaintenanceView, "/p/")]))
def test_the_number_of_keys_is_what_etcd_would_count(steps: list[tuple[str, str]], make: Callable[[], View]) -> None:
    """Against a dict that takes the same steps."""
    view = make()
    listed(view, [], 1)
    oracle: dict[str, int] = {}
    for revision, (step, id_) in enumerate(steps, 2):
        if step == "put":
            apply(view, [put(id_, UP if revision % 3 else DOWN, revision)])
            oracle[id_] = revision
        elif step == "delete":
            apply(view, [gone(id_, revision)])
            oracle.pop(id_, None)
        elif step == "list":
            oracle = {id_: revision} | dict.fromkeys(list(oracle)[::2], revision)
            listed(view, [item(id_, UP, revision) for id_ in oracle], revision)
        elif isinstance(view, StateView) and id_ in {"a", "b", "c"}:  # nothing else is an id
            if step == "hang":
                view.hang(id_, Sleeper())
            else:
                view.written(view.key(id_), UP, revision)
                assert view.count() is None
                apply(view, [put(id_, UP, revision)])
                oracle[id_] = revision
        assert view.count() == len(oracle)


def test_configs_are_kept_decoded_up_to_some_megabytes() -> None:
    view = KeyView("/p/")
    large = b'{"id": "x", "text": "' + b"x" * (1 << 20) + b'"}'
    listed(view, [item("a", b'{"id": "a"}', 2), *(item(f"x{number}", large, 2) for number in range(8))], 2)
    first = view.envelope("a")
    assert view.envelope("a") is first
    assert view.envelope("x0") is view.envelope("x0")
    for number in range(8):
        view.envelope(f"x{number}")
    assert view.envelope("a") is not first
    assert view.envelope("a") == first
