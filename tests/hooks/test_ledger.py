"""Whatever the order of changes, runs, failures, maintenance and takeovers: what is told last is what is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ha_monitor.evaluate.verdict import active, verdict
from ha_monitor.hooks.ledger import Ledger, Standing
from ha_monitor.model import Change, Status

if TYPE_CHECKING:
    from ha_monitor.hooks.ledger import Key

WINDOW = 10.0
UP, DOWN, DEGRADED = Status.UP, Status.DOWN, Status.DEGRADED
STATUSES = [Status.UP, Status.DOWN, Status.FAIL, None]
IDS, ENTRIES = "ab", ("primary", "secondary", "tertiary")


def change(
    id_: str,
    entry: str,
    old: Status | None,
    new: Status | None,
    revision: int = 1,
    shown: tuple[Status, str | None] = (Status.UP, None),
) -> Change:
    return Change("t", id_, entry, old, new, *shown, revision, 0.0, "")


@dataclass
class World:
    """What is, what the receiver has taken, and a ledger between them."""

    ledger: Ledger = field(default_factory=lambda: Ledger(WINDOW))
    now: float = 0.0
    revision: int = 0
    standing: dict[str, Standing] = field(default_factory=lambda: defaultdict(lambda: Standing.OURS))
    is_: dict[tuple[str, str], Status | None] = field(default_factory=dict)
    taken: dict[tuple[str, str], Status | None] = field(default_factory=dict)
    shown: dict[str, tuple[Status, str | None]] = field(default_factory=dict)
    """Status and active side of each resource, as the receiver took them last."""
    busy: dict[str, Change] = field(default_factory=dict)
    attempts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def happens(self, id_: str, entry: str, new: Status | None) -> None:
        old = self.is_.get((id_, entry))
        if old != new:
            self.revision += 1
            self.is_[id_, entry] = new
            self.ledger.note(change(id_, entry, old, new, self.revision, self.resource(id_)), self.now, self.share(id_))

    def resource(self, id_: str) -> tuple[Status, str | None]:
        """Give a resource's status and active side."""
        entries = {entry: status for entry in ENTRIES if (status := self.is_.get((id_, entry))) is not None}
        first = active(list(entries.values()))
        return verdict(list(entries.values())), None if first is None else list(entries)[first]

    def loses_sight(self, id_: str, entry: str, new: Status | None) -> None:
        """A change comes to pass that nobody tells of; then all is compared, as after a reader was too slow."""
        self.revision += 1
        self.is_[id_, entry] = new
        account = self.ledger.account(("t", id_))
        for name in ENTRIES:
            status = self.is_.get((id_, name))
            if account.differs(name, status):
                seen = change(id_, name, account.last(name), status, self.revision, self.resource(id_))
                self.ledger.note(seen, self.now, self.share(id_))

    def share(self, id_: str) -> Standing:
        """Give how it stands with a resource, but for its maintenance, which is looked at when its turn comes."""
        standing = self.standing[id_]
        return Standing.OURS if standing is Standing.MAINTENANCE else standing

    def begins(self) -> Key | None:
        key = self.ledger.next(self.now)
        if key is None:
            return None
        if self.standing[key[1]] is not Standing.OURS:
            self.ledger.hold(key, self.standing[key[1]], self.now)
            return key
        told, _ = self.ledger.begin(key)
        assert key[1] not in self.busy, "twice at once"
        assert told.old != told.new
        self.busy[key[1]] = told
        self.attempts[key[1]].append(told.revision)
        return key

    def ends(self, id_: str, outcome: str) -> None:
        told = self.busy.pop(id_, None)
        if told is None:
            return
        if outcome in ("ok", "failed though taken"):
            self.taken[id_, told.entry] = told.new
            self.shown[id_] = told.status, told.active
        if outcome == "ok":
            self.ledger.done(("t", id_))
        else:
            self.ledger.failed(("t", id_), self.now + 3.0, perhaps=outcome != "failed for certain")

    def stands(self, id_: str, standing: Standing) -> None:
        self.standing[id_] = standing

    def looks(self) -> None:
        for key in tuple(self.ledger.held()):
            if key in self.ledger.held():
                self.ledger.look_again(key, self.standing[key[1]], self.now)

    def check(self) -> None:
        assert self.ledger.pending <= len(IDS)
        for id_ in IDS:
            account = self.ledger.account(("t", id_))
            assert len({item.change.entry for item in account.waiting}) == len(account.waiting) <= len(ENTRIES)
            assert self.attempts[id_] == sorted(self.attempts[id_]), "out of order"

    def drain(self) -> None:
        """Let everything come to its end, as it does once all goes well."""
        for id_ in IDS:
            self.ends(id_, "ok")
            self.stands(id_, Standing.OURS)
        self.looks()
        self.now += 100.0
        for _ in range(20):
            if self.begins() is None:
                break
            for id_ in IDS:
                self.ends(id_, "ok")


ids, entries, statuses = st.sampled_from(IDS), st.sampled_from(ENTRIES), st.sampled_from(STATUSES)
happenings = st.tuples(st.just("happens"), ids, entries, statuses)
ours = st.one_of(
    happenings,
    happenings,
    st.tuples(st.just("loses_sight"), ids, entries, statuses),
    st.tuples(st.just("begins")),
    st.tuples(st.just("begins")),
    st.tuples(
        st.just("ends"), ids, st.sampled_from(["ok", "failed for certain", "failed though taken", "failed perhaps"])
    ),
    st.tuples(st.just("looks")),
    st.tuples(st.just("passes"), st.floats(0.0, 5.0)),
    st.tuples(st.just("hastens")),
    st.tuples(st.just("stands"), ids, st.sampled_from([Standing.OURS, Standing.MAINTENANCE, Standing.NOBODYS])),
)


def play(world: World, steps: list[tuple[object, ...]]) -> None:
    for name, *arguments in steps:
        if name == "passes":
            world.now += float(arguments[0])  # type: ignore[arg-type]
        elif name == "hastens":
            world.ledger.hasten(world.now)
        else:
            getattr(world, str(name))(*arguments)
        world.check()


@settings(max_examples=75)
@given(st.lists(ours, max_size=60))
def test_what_is_taken_last_is_what_is(steps: list[tuple[object, ...]]) -> None:
    world = World()
    play(world, steps)
    world.drain()
    world.check()
    for place, status in world.is_.items():
        assert world.taken.get(place) == status
    assert (world.ledger.pending, world.ledger.failing, dict(world.ledger.held())) == (0, 0, {})
    attempts = {id_: list(made) for id_, made in world.attempts.items()}
    world.drain()
    assert world.attempts == attempts, "what was told is not told again"
    for id_ in IDS:
        if all(world.is_.get((id_, entry)) is None for entry in ENTRIES):
            assert ("t", id_) not in set(world.ledger.known()), "what is gone takes no memory"


of_one = st.one_of(
    *[st.tuples(st.just("happens"), st.just("a"), entries, st.sampled_from([UP, DOWN, None]))] * 4,
    *[st.tuples(st.just("begins"))] * 2,
    st.tuples(st.just("ends"), st.just("a"), st.sampled_from(["ok", "failed for certain", "failed though taken"])),
    st.tuples(st.just("passes"), st.just(5.0)),
    st.tuples(
        st.just("stands"), st.just("a"), st.sampled_from([Standing.OURS, Standing.MAINTENANCE, Standing.NOBODYS])
    ),
    st.tuples(st.just("looks")),
)


@settings(max_examples=150)
@given(st.lists(of_one, min_size=10, max_size=60))
def test_status_and_active_side_that_are_taken_last_are_those_of_the_resource(steps: list[tuple[object, ...]]) -> None:
    world = World()
    play(world, steps)
    world.drain()
    if "a" in world.shown:
        assert world.shown["a"] == world.resource("a")


@settings(max_examples=75)
@given(
    st.lists(
        st.one_of(happenings, st.tuples(st.just("looks")), st.tuples(st.just("passes"), st.floats(0, 8))), max_size=40
    )
)
def test_after_a_takeover_what_changed_lately_is_told_whatever_the_former_owner_did(
    steps: list[tuple[object, ...]],
) -> None:
    """The former owner told what it wished within the window, and everything before it."""
    world = World()
    for id_ in IDS:
        world.stands(id_, Standing.ELSEWHERE)
    last: dict[tuple[str, str], float] = {}
    for step in steps:
        before = dict(world.is_)
        play(world, [step])
        last.update({place: world.now for place, status in world.is_.items() if status != before.get(place)})
    world.looks()
    lately = {place for place, at in last.items() if at > world.now - WINDOW}
    told: set[tuple[str, str]] = set()
    for id_ in IDS:
        world.stands(id_, Standing.OURS)
    world.looks()
    while world.begins() is not None:
        for id_, now_told in tuple(world.busy.items()):
            assert now_told.new == world.is_[id_, now_told.entry]
            told.add((id_, now_told.entry))
            world.ends(id_, "ok")
    assert lately <= told
    assert all(last[place] >= world.now - WINDOW for place in told)


def test_what_is_back_is_not_told_unless_it_may_have_been_told() -> None:
    world = World(is_={("a", "primary"): Status.UP})
    world.ledger.take_as_told(("t", "a"), "primary", Status.UP)
    world.happens("a", "primary", Status.DOWN)
    world.happens("a", "primary", Status.UP)
    assert world.begins() is None
    for outcome, again in (("failed for certain", False), ("failed perhaps", True)):
        world.happens("a", "primary", Status.DOWN)
        assert world.begins() is not None
        world.happens("a", "primary", Status.UP)
        world.ends("a", outcome)
        world.now += 10.0
        assert (world.begins() is not None) is again
    assert (world.busy["a"].old, world.busy["a"].new) == (Status.DOWN, Status.UP)


def test_old_is_what_was_told_last() -> None:
    world = World()
    for status in (Status.UP, Status.FAIL, Status.DOWN):
        world.happens("a", "primary", status)
    world.begins()
    assert (world.busy["a"].old, world.busy["a"].new) == (None, Status.DOWN)
    for status in (Status.FAIL, Status.UP, Status.FAIL):
        world.happens("a", "primary", status)
    world.ends("a", "ok")
    world.begins()
    assert (world.busy["a"].old, world.busy["a"].new) == (Status.DOWN, Status.FAIL)


def test_maintenance_ends_with_the_net_difference() -> None:
    world = World()
    world.happens("a", "primary", Status.UP)
    world.drain()
    world.stands("a", Standing.MAINTENANCE)
    world.happens("a", "primary", Status.DOWN)
    assert world.begins() is not None, "it is found to be held back"
    assert world.ledger.held() == {("t", "a"): Standing.MAINTENANCE}
    world.happens("a", "secondary", Status.UP)
    world.happens("a", "primary", Status.UP)
    world.looks()
    assert world.busy == {}
    world.stands("a", Standing.OURS)
    world.looks()
    world.begins()
    assert (world.busy["a"].entry, world.busy["a"].new) == ("secondary", Status.UP)
    world.ends("a", "ok")
    assert world.begins() is None


def test_what_was_remembered_as_doubtful_is_told_whatever_it_is() -> None:
    world = World(is_={("a", "primary"): Status.UP})
    world.ledger.remember(("t", "a"), {"primary": Status.UP}, {"primary": Status.DOWN})
    account = world.ledger.account(("t", "a"))
    assert account.differs("primary", Status.UP)
    world.ledger.note(change("a", "primary", account.last("primary"), Status.UP), 0.0, Standing.OURS)
    world.begins()
    assert (world.busy["a"].old, world.busy["a"].new) == (Status.DOWN, Status.UP)


def test_who_fails_rests_and_others_have_their_turn() -> None:
    ledger = Ledger(WINDOW)
    for id_ in ("a", "b", "c"):
        ledger.note(change(id_, "primary", None, Status.UP), 0.0, Standing.OURS)
    assert ledger.begin(("t", "a"))[0].id == "a"
    ledger.failed(("t", "a"), 5.0, perhaps=True)
    assert ledger.next(1.0) == ("t", "b")
    ledger.begin(("t", "b"))
    assert ledger.next(1.0) == ("t", "c")
    ledger.begin(("t", "c"))
    assert (ledger.next(1.0), ledger.next_due(), ledger.failing, ledger.pending) == (None, 5.0, 1, 3)
    assert ledger.next(5.0) == ("t", "a")
    ledger.begin(("t", "a"))
    ledger.failed(("t", "a"), 60.0, perhaps=True)
    assert ledger.failures(("t", "a")) == 2
    ledger.hasten(6.0)
    assert ledger.next(6.0) == ("t", "a")


def test_the_change_that_is_told_is_the_newest_of_its_entry_in_all_its_parts() -> None:
    ledger = Ledger(WINDOW)
    newest = replace(change("a", "primary", Status.DOWN, Status.UP, 9), active="primary", reason="why", at=7.0)
    ledger.note(change("a", "primary", None, Status.DOWN, 8), 0.0, Standing.OURS)
    ledger.note(newest, 0.0, Standing.OURS)
    assert ledger.begin(("t", "a")) == (replace(newest, old=None), 0.0)


def test_what_failed_is_told_before_what_came_after_it() -> None:
    world = World()
    world.happens("a", "primary", Status.UP)
    world.begins()
    world.happens("a", "secondary", Status.UP)
    world.ends("a", "failed perhaps")
    world.now += 10.0
    for entry in ("primary", "secondary"):
        world.begins()
        assert world.busy["a"].entry == entry
        world.ends("a", "ok")


def test_what_is_over_with_a_maintenance_is_kept_for_who_takes_over_then() -> None:
    world = World()
    world.stands("a", Standing.MAINTENANCE)
    world.happens("a", "primary", Status.UP)
    world.begins()
    world.now += 10 * WINDOW
    world.looks()
    world.stands("a", Standing.ELSEWHERE)  # its owner is to tell it now, and ends before it does
    world.looks()
    world.now += WINDOW / 2
    world.looks()
    world.stands("a", Standing.OURS)
    world.looks()
    world.begins()
    assert (world.busy["a"].entry, world.busy["a"].new) == ("primary", Status.UP)


def test_what_a_member_could_not_tell_before_it_lost_its_shard_is_not_kept_for_ever() -> None:
    world = World()
    world.happens("a", "primary", Status.UP)
    world.stands("a", Standing.ELSEWHERE)
    world.begins()
    assert world.ledger.held() == {("t", "a"): Standing.ELSEWHERE}
    world.now += 2 * WINDOW
    world.looks()
    assert world.ledger.held() == {}
    world.stands("a", Standing.OURS)
    world.happens("a", "primary", Status.DOWN)
    world.begins()
    assert world.busy["a"].old is Status.UP, "the new owner told it"


@pytest.mark.parametrize("before", [Standing.MAINTENANCE, Standing.ELSEWHERE])
def test_what_changed_while_nobody_had_the_shard_is_told_however_long_that_was(before: Standing) -> None:
    world = World()
    world.stands("a", before)
    world.happens("a", "primary", Status.UP)
    world.begins()
    world.stands("a", Standing.NOBODYS)
    world.looks()
    world.happens("a", "secondary", Status.DOWN)
    world.begins()
    world.now += 10 * WINDOW
    world.looks()
    world.stands("a", Standing.OURS)
    world.looks()
    while world.begins() is not None:
        world.ends("a", "ok")
    assert world.taken == {("a", "primary"): Status.UP, ("a", "secondary"): Status.DOWN}


def test_who_takes_a_shard_that_nobody_had_has_the_whole_window_to_tell() -> None:
    world = World()
    world.stands("a", Standing.NOBODYS)
    world.happens("a", "primary", Status.UP)
    world.now += 10 * WINDOW
    world.stands("a", Standing.ELSEWHERE)
    for _ in range(2):
        world.looks()
        assert world.ledger.held() == {("t", "a"): Standing.ELSEWHERE}
        world.now += 0.6 * WINDOW
    world.looks()
    assert world.ledger.held() == {}


def up_pair() -> World:
    """Give a pair that is up, as the receiver knows."""
    world = World(is_={("a", entry): Status.UP for entry in ("primary", "secondary")})
    for entry in ("primary", "secondary"):
        world.ledger.take_as_told(("t", "a"), entry, Status.UP)
    return world


def told_in_the_end(world: World) -> list[tuple[str, Status | None, Status | None, Status, str | None]]:
    """Give what is told from now on, until there is nothing to tell."""
    told = []
    while world.begins() is not None:
        change = world.busy["a"]
        told.append((change.entry, change.old, change.new, change.status, change.active))
        world.ends("a", "ok")
    return told


def test_what_is_told_of_the_resource_is_the_newest_though_nothing_new_is_told_of_the_entry() -> None:
    world = up_pair()
    world.happens("a", "primary", DOWN)
    world.happens("a", "secondary", DOWN)
    world.happens("a", "primary", UP)
    assert told_in_the_end(world) == [("secondary", UP, DOWN, DEGRADED, "primary")]


def test_an_entry_that_is_back_while_another_is_told_of_is_told_since_the_status_gave_it_away() -> None:
    world = up_pair()
    world.happens("a", "secondary", DOWN)
    world.happens("a", "primary", DOWN)
    world.begins()
    assert (world.busy["a"].entry, world.busy["a"].status) == ("secondary", DOWN)
    world.happens("a", "primary", UP)
    world.ends("a", "ok")
    assert told_in_the_end(world) == [("primary", DOWN, UP, DEGRADED, "primary")]


@pytest.mark.parametrize(("outcome", "gave_away"), [("failed for certain", False), ("failed perhaps", True)])
def test_what_was_certainly_not_told_gave_nothing_away(outcome: str, gave_away: bool) -> None:
    world = up_pair()
    world.happens("a", "secondary", DOWN)
    world.happens("a", "primary", DOWN)
    world.begins()
    world.happens("a", "primary", UP)
    world.ends("a", outcome)
    world.now += 10.0
    again = [("primary", DOWN, UP, DEGRADED, "primary")] if gave_away else []
    assert told_in_the_end(world) == [("secondary", UP, DOWN, DEGRADED, "primary"), *again]


def test_sides_that_change_together_are_told_of_with_what_both_come_to() -> None:
    world = up_pair()
    world.happens("a", "secondary", DOWN)
    assert told_in_the_end(world) == [("secondary", UP, DOWN, DEGRADED, "primary")]
    world.is_ |= {("a", "primary"): DOWN, ("a", "secondary"): UP}
    for entry, old, new in (("primary", UP, DOWN), ("secondary", DOWN, UP)):
        world.ledger.note(change("a", entry, old, new, 9, world.resource("a")), world.now, Standing.OURS)
    assert told_in_the_end(world) == [
        ("primary", UP, DOWN, DEGRADED, "secondary"),
        ("secondary", DOWN, UP, DEGRADED, "secondary"),
    ]
