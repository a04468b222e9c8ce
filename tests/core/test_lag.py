"""When a list is the shorter way: by the pace of the watch, how far the store is, and how many keys there are."""

from __future__ import annotations

import pytest
from aetcd import rpc

from ha_monitor.watch.lag import BATCH, WORTH_A_LOOK, Lag

Replies = list[list[int]]


def came(replies: Replies) -> Lag:
    """Give the pace of a watch that has brought these replies, each the revisions of its events."""
    lag = Lag()
    for revisions in replies:
        lag.came([rpc.Event(kv=rpc.KeyValue(key=b"/p/1", mod_revision=revision)) for revision in revisions])
    return lag


def singles(count: int, step: int = 1) -> Replies:
    """Give replies of one event, each of so many revisions of the store."""
    return [[1 + number * step] for number in range(count)]


def transactions(count: int, size: int = 128) -> Replies:
    """Give replies of one transaction."""
    return [[1 + number] * size for number in range(count)]


def batch(size: int = BATCH) -> Replies:
    """Give a reply of a watch that is catching up with single puts."""
    return [[1 + number for number in range(size)]]


@pytest.mark.parametrize(
    ("replies", "store", "keys", "shorter"),
    [
        pytest.param(batch(), 50_000, 1_000, True, id="single puts, few keys"),
        pytest.param(batch(), 50_000, 200_000, True, id="a minute of single puts, and a list of two seconds"),
        pytest.param(batch(), 20_000, 200_000, False, id="two seconds of single puts, and as much of a list"),
        pytest.param(batch(), 1_200, 10, False, id="hardly any more to come"),
        pytest.param(batch(), 1_000, 10, False, id="caught up"),
        pytest.param(transactions(40), 1_500, 20_000, True, id="transactions, ten changes of a key"),
        pytest.param(transactions(40), 1_500, 200_000, False, id="transactions, one change of a key"),
        pytest.param(transactions(40), 41, 20_000, False, id="transactions, and as fast as they come"),
        pytest.param(singles(500, step=100), 60_000, 100, False, id="other prefixes are what changes"),
        pytest.param(singles(500), 30, 100, False, id="a member that is behind us"),
    ],
)
def test_a_list_is_shorter(replies: Replies, store: int, keys: int, *, shorter: bool) -> None:
    assert came(replies).list_is_shorter(len(replies[-1]), store, keys) is shorter


def test_what_is_in_hand_counts() -> None:
    replies = [[1 + number // 128 for number in range(128 * BATCH)]]
    assert came(replies).list_is_shorter(len(replies[0]), BATCH, 20_000)
    assert not came(replies).list_is_shorter(len(replies[0]), BATCH, 100_000)


def test_each_judgement_goes_by_the_pace_since_the_last_one() -> None:
    lag = came(transactions(40))
    lag.list_is_shorter(128, 41, 10)
    lag.came([rpc.Event(kv=rpc.KeyValue(key=b"/p/1", mod_revision=10_000))])
    lag.came([rpc.Event(kv=rpc.KeyValue(key=b"/p/1", mod_revision=20_000))])
    assert not lag.list_is_shorter(1, 30_000, 10), "one in 10,000 revisions is ours now"


def test_the_store_is_asked_after_some_work_however_it_came() -> None:
    assert not came(transactions(20)).deserves_a_look
    assert came(transactions(WORTH_A_LOOK // 128 + 1)).deserves_a_look
    assert not came(singles(WORTH_A_LOOK // 20)).deserves_a_look
    assert came(singles(WORTH_A_LOOK // 10)).deserves_a_look, "each in a reply of its own"
    lag = came(transactions(WORTH_A_LOOK // 128 + 1))
    lag.list_is_shorter(128, 0, 10)
    assert not lag.deserves_a_look, "it has just been asked"
