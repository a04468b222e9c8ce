"""The list-and-watch machine, against a small model of etcd's store: the guarantees of etcd's watch, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from aetcd import rpc
from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.watch.state_machine import (
    Apply,
    Behind,
    Broken,
    Events,
    Gone,
    Input,
    Items,
    ListBegins,
    ListEnds,
    Listing,
    Lost,
    Opened,
    Opening,
    Page,
    Progress,
    Proven,
    State,
    TooLarge,
    Watching,
    begin,
    step,
)

PREFIX = b"/p/"


@dataclass
class Store:
    """An etcd in a few lines: keys, a history of revisions, compaction."""

    revision: int = 1
    compacted: int = 0
    keys: dict[bytes, rpc.KeyValue] = field(default_factory=dict)
    history: dict[int, list[rpc.Event]] = field(default_factory=dict)

    def txn(self, puts: dict[int, str], deletes: set[int]) -> None:
        revision = self.revision + 1
        events = []
        for number, value in puts.items():
            key = PREFIX + str(number).encode()
            item = rpc.KeyValue(key=key, value=value.encode(), mod_revision=revision)
            self.keys[key] = item
            events.append(rpc.Event(type=rpc.Event.EventType.PUT, kv=item))
        for number in deletes - puts.keys():
            key = PREFIX + str(number).encode()
            if self.keys.pop(key, None) is not None:
                kv = rpc.KeyValue(key=key, mod_revision=revision)
                events.append(rpc.Event(type=rpc.Event.EventType.DELETE, kv=kv))
        if events:
            self.revision = revision
            self.history[revision] = events

    def snapshot(self, revision: int) -> dict[bytes, rpc.KeyValue]:
        keys: dict[bytes, rpc.KeyValue] = {}
        for at in sorted(self.history):
            if at <= revision:
                for event in self.history[at]:
                    if event.type == rpc.Event.EventType.DELETE:
                        keys.pop(event.kv.key, None)
                    else:
                        keys[event.kv.key] = event.kv
        return keys


@dataclass
class Keeper:
    """What a view is, in a few lines, with a diary."""

    keys: dict[bytes, bytes] = field(default_factory=dict)
    revisions: list[int] = field(default_factory=list)
    batches: list[list[int]] = field(default_factory=list)
    """The revisions of each batch of events that was applied since the last list."""
    proven: int = 0
    caught_up: bool = False
    _seen: set[bytes] = field(default_factory=set)

    def take(self, effect: object) -> None:
        if isinstance(effect, ListBegins):
            self._seen = set()
        elif isinstance(effect, Items):
            for item in effect.items:
                self.keys[item.key] = item.value
                self._seen.add(item.key)
        elif isinstance(effect, ListEnds):
            self.keys = {key: value for key, value in self.keys.items() if key in self._seen}
            self.revisions = [effect.revision]
            self.batches = []
        elif isinstance(effect, Apply):
            self.batches.append([event.kv.mod_revision for event in effect.events])
            for event in effect.events:
                self.revisions.append(event.kv.mod_revision)
                if event.type == rpc.Event.EventType.DELETE:
                    self.keys.pop(event.kv.key, None)
                else:
                    self.keys[event.kv.key] = event.kv.value
        elif isinstance(effect, Proven):
            self.proven, self.caught_up = effect.revision, True
        elif isinstance(effect, Lost):
            self.caught_up = False


class World:
    """A store, a machine and a keeper; every fault is an input to the machine."""

    def __init__(self) -> None:
        self.store = Store()
        self.keeper = Keeper()
        self.state: State = begin(PREFIX)

    def feed(self, got: Input) -> None:
        self.state, effects = step(PREFIX, self.state, got)
        for effect in effects:
            self.keeper.take(effect)

    def advance(self, size: int) -> None:
        """Do what the machine asks for, once, as a correct I/O loop on a correct etcd would."""
        state, store = self.state, self.store
        if isinstance(state, Listing):
            revision = state.revision or store.revision
            if revision < store.compacted:
                self.feed(Gone())
                return
            items = sorted((item for item in store.snapshot(revision).values()), key=lambda item: bytes(item.key))
            rest = [item for item in items if item.key >= state.start]
            after = bytes(rest[size - 1].key) + b"\0" if len(rest) > size else None
            self.feed(Page(rest[:size], revision, after))
        elif isinstance(state, Opening):
            self.feed(Gone() if state.next_revision < store.compacted else Opened(store.revision))
        else:
            due = [at for at in sorted(store.history) if at >= state.next_revision][:size]
            if due:
                self.feed(Events([event for at in due for event in store.history[at]]))
            else:
                self.feed(Progress(store.revision, ordered=True))

    def settle(self) -> None:
        for _ in range(200):
            if isinstance(self.state, Watching) and self.keeper.proven >= self.store.revision and self.keeper.caught_up:
                return
            self.advance(3)
        pytest.fail(f"does not settle: {self.state}")


Ops: TypeAlias = list[tuple[str, Any, Any]]
KEYS = st.integers(0, 5)
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("txn"), st.dictionaries(KEYS, st.text("ab", max_size=2), max_size=3), st.sets(KEYS)),
        st.tuples(st.just("advance"), st.integers(1, 3), st.none()),
        st.tuples(st.just("break"), st.none(), st.none()),
        st.tuples(st.just("compact"), st.none(), st.none()),
        st.tuples(st.just("too large"), st.none(), st.none()),
        st.tuples(st.just("behind"), st.none(), st.none()),
    ),
    max_size=40,
)


def play(ops: Ops) -> World:
    world = World()
    for op, first, second in ops:
        if op == "txn":
            world.store.txn(first, second)
        elif op == "advance":
            world.advance(first)
        elif op == "break":
            world.feed(Broken())
        elif op == "compact":
            world.store.compacted = world.store.revision
        elif op == "behind":
            if isinstance(world.state, Watching):
                world.feed(Behind())
        else:
            world.feed(TooLarge())
    return world


@given(OPS)
def test_reliable_after_any_history_of_faults_the_keeper_has_what_the_store_has(
    ops: Ops,
) -> None:
    world = play(ops)
    world.settle()
    assert world.keeper.keys == {key: item.value for key, item in world.store.keys.items()}


@given(OPS)
def test_bookmarkable_what_is_called_proven_is_the_store_at_that_revision(
    ops: Ops,
) -> None:
    world = play(ops)
    world.settle()
    at_proven = world.store.snapshot(world.keeper.proven)
    assert world.keeper.keys == {key: item.value for key, item in at_proven.items()}


@given(OPS)
def test_unique_no_event_is_applied_twice_between_two_lists(ops: Ops) -> None:
    world = play(ops)
    world.settle()
    listed, *applied = world.keeper.revisions or [0]
    assert all(revision > listed for revision in applied)
    for revision in set(applied):
        assert applied.count(revision) == len(world.store.history[revision])


@given(OPS)
def test_ordered_revisions_never_go_back_between_two_lists(ops: Ops) -> None:
    world = play(ops)
    world.settle()
    assert world.keeper.revisions == sorted(world.keeper.revisions)


@given(OPS)
def test_atomic_all_events_of_a_revision_are_applied_together(ops: Ops) -> None:
    world = play(ops)
    world.settle()
    for batch in world.keeper.batches:
        for revision in set(batch):
            assert batch.count(revision) == len(world.store.history[revision])


def test_resumable_a_broken_watch_goes_on_behind_the_last_reply_without_a_list() -> None:
    world = World()
    world.store.txn({1: "a"}, set())
    world.settle()
    world.store.txn({2: "b"}, set())
    world.settle()
    world.feed(Broken())
    assert world.state == Opening(world.store.revision + 1, fresh=False)


def test_a_store_that_went_back_in_time_is_listed_again() -> None:
    state, effects = step(PREFIX, Opening(100, fresh=False), Opened(7))
    assert state == begin(PREFIX)
    assert effects == (Lost(),)


def test_an_unordered_answer_is_believed_only_when_the_next_one_comes_with_no_event_between() -> None:
    watching = Watching(next_revision=11, target=50)
    state, effects = step(PREFIX, watching, Progress(60, ordered=False))
    assert effects == ()
    event = rpc.Event(kv=rpc.KeyValue(key=b"/p/1", mod_revision=20))
    state, _ = step(PREFIX, state, Events([event]))
    state, effects = step(PREFIX, state, Progress(60, ordered=False))
    assert effects == (), "the event between them was a backlog that the first answer had overtaken"
    state, effects = step(PREFIX, state, Progress(61, ordered=False))
    assert effects == (Proven(60),)
    assert isinstance(state, Watching)
    assert state.next_revision == 21, "the resume point does not move by such an answer"


def test_a_page_that_is_too_large_is_asked_for_in_halves() -> None:
    state: State = begin(PREFIX)
    assert isinstance(state, Listing)
    limit = state.limit
    state, _ = step(PREFIX, state, TooLarge())
    assert isinstance(state, Listing)
    assert state.limit == limit // 2
    for _ in range(30):
        state, _ = step(PREFIX, state, TooLarge())
    assert isinstance(state, Listing)
    assert state.limit == 1


def test_a_batch_that_is_too_large_leads_to_a_list_since_resuming_would_meet_it_for_ever() -> None:
    state, _ = step(PREFIX, Watching(5, 5, caught_up=True), TooLarge())
    assert isinstance(state, Listing)


def test_a_list_that_is_shorter_takes_nothing_back_that_was_proven() -> None:
    state, effects = step(PREFIX, Watching(5, 5, caught_up=True), Behind())
    assert state == begin(PREFIX)
    assert effects == ()


def test_an_input_that_cannot_come_is_a_bug() -> None:
    with pytest.raises(TypeError, match="Opened while listing"):
        step(PREFIX, begin(PREFIX), Opened(1))
    with pytest.raises(TypeError, match="Behind while opening"):
        step(PREFIX, Opening(5, fresh=True), Behind())
