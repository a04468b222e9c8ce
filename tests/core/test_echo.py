"""What the watch brings of our own writes: known already, and passed over a transaction at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.reading.state import StateReader, monitoring_dependencies
from ha_monitor.watch.states import StateView
from tests.core.test_views import DOWN, UP, Sleeper, apply, gone, listed, put, values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aetcd import rpc

IDS = ("a", "b", "c")
LATEST = 3


class OneByOne(StateView):
    """Looks at each event, whoever wrote it."""

    def _take_echo(self, events: Sequence[rpc.Event]) -> bool:
        return False


class Transaction(NamedTuple):
    """Some keys that are put or deleted together.

    Where it is ``ours``, we hear that it landed ``late`` transactions after the watch has brought it, or before; but
    never before we hear it of one that wrote the same key: a record has one write under way. It comes in one reply of
    the watch with the next one where it ``goes_on``.
    """

    ours: bool
    writes: dict[str, bytes | None]
    late: int
    goes_on: bool


TRANSACTIONS = st.lists(
    st.builds(
        Transaction,
        st.booleans(),
        st.dictionaries(st.sampled_from(IDS), st.sampled_from([UP, DOWN, None]), min_size=1),
        st.integers(-LATEST, LATEST),
        st.booleans(),
    ),
    max_size=12,
)


def landed(transactions: Sequence[Transaction], store: dict[str, bytes]) -> Iterator[Transaction]:
    """Give what etcd makes of each: to delete what is not there is nothing."""
    heard = dict.fromkeys(IDS, -LATEST)
    for number, each in enumerate(transactions):
        writes = {id_: value for id_, value in each.writes.items() if value is not None or id_ in store}
        late = max([each.late, *(heard[id_] - number for id_ in writes)])
        if each.ours:
            heard.update(dict.fromkeys(writes, number + late))
        for id_, value in writes.items():
            if value is None:
                del store[id_]
            else:
                store[id_] = value
        yield each._replace(writes=writes, late=late)


def play(view: StateView, done: Sequence[Transaction], watched: set[str]) -> tuple[list[str], list[int]]:
    """Bring them to a view; gives which records it told of, and how often it woke who watches."""
    told: list[str] = []
    sleepers = [Sleeper() for _ in watched]
    listed(view, [], 1)
    view.on_record = told.append
    for id_, sleeper in zip(sorted(watched), sleepers, strict=True):
        view.hang(id_, sleeper)
    reply: list[rpc.Event] = []
    for number in range(-LATEST, 2 * len(done) + LATEST):
        for revision, each in enumerate(done, 2):
            if each.ours and revision - 2 + each.late == number:
                for id_, value in each.writes.items():
                    view.written(view.key(id_), value, revision)
        if 0 <= number < len(done):
            each, revision = done[number], number + 2
            for id_, value in each.writes.items():
                reply.append(gone(id_, revision) if value is None else put(id_, value, revision))
            if reply and not each.goes_on:
                apply(view, reply)
                reply = []
    if reply:
        apply(view, reply)
    return told, [sleeper.woken for sleeper in sleepers]


@given(TRANSACTIONS, st.sets(st.sampled_from(IDS)))
def test_it_comes_to_what_it_would_by_each_event(transactions: list[Transaction], watched: set[str]) -> None:
    store: dict[str, bytes] = {}
    done = list(landed(transactions, store))
    read = StateReader(frozenset({"UP"}), monitoring_dependencies)
    view, other = StateView("/p/", read), OneByOne("/p/", read)
    assert play(view, done, watched) == play(other, done, watched)
    assert values(view) == values(other) == store
    assert view.ahead == 0
    assert not view._writes, "they are kept for as long as the watch takes"
    assert view.count() == len(store)


def test_another_transaction_of_that_revision_is_none_of_ours() -> None:
    """Of a store that was put back to a moment before our write, and has gone on since."""
    view = StateView("/p/", StateReader(frozenset({"UP"}), monitoring_dependencies))
    told: list[str] = []
    view.on_record = told.append
    listed(view, [], 1)
    view.written(view.key("a"), UP, 5)
    apply(view, [put("b", DOWN, 5)])
    assert told == ["b"]
    assert values(view) == {"a": UP, "b": DOWN}
