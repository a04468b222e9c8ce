"""What the store itself does to its clients: large replies, large transactions, a full disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults.fleet import CONFIGS, DOWN, RECORDS, STATES, UP
from tests.faults.operate import disarm, raise_no_space
from tests.faults.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Watched
    from tests.support.etcd import Etcd


def test_a_backlog_of_more_than_four_megabytes_is_caught_up_with(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    with Relay(own_etcd.port) as relay:
        watched = watch(own_etcd, through=relay)
        relay.cut()
        watched.unready()
        padding = " " * 9_000
        for number in range(1_200):  # etcd sends 1,000 revisions of a backlog in one message
            own_etcd.put(f"{STATES}p{number % 20}", (DOWN if number % 3 else UP) + padding)
        relay.flow()
        watched.ready()
        watched.right()
        watched.service.stop()


def test_a_transaction_of_128_keys_is_taken_as_one(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    watched = watch(own_etcd, count=64)
    own_etcd.txn({f"{STATES}{side}{number}": DOWN for number in range(64) for side in "ps"})
    watched.right()
    revisions = {number: own_etcd.mod_revision(f"{RECORDS}ha{number}") for number in range(64)}
    watched.flip(0, value=UP)
    watched.right()
    after = {number: own_etcd.mod_revision(f"{RECORDS}ha{number}") for number in range(64)}
    changed = [number for number in range(64) if revisions[number] != after[number]]
    assert changed == [0], "each record was written once for both of its sides"


def test_a_full_disk_stops_publishing_not_reading_and_is_told(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    watched = watch(own_etcd)
    raise_no_space(own_etcd)
    own_etcd.delete(f"{RECORDS}ha2")  # deletes are still allowed; putting it back is not
    words = watched.unready()
    assert "nothing can be published" in words
    assert "database space exceeded" in words
    disarm(own_etcd)
    watched.ready()
    watched.right()


def test_what_is_no_longer_to_be_written_holds_up_no_readiness(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    watched = watch(own_etcd)
    raise_no_space(own_etcd)
    own_etcd.delete(f"{RECORDS}ha2")
    assert "nothing can be published" in watched.unready()
    own_etcd.delete(f"{CONFIGS}ha2")
    watched.ready()
    disarm(own_etcd)
    watched.right()


def test_a_long_list_that_changes_while_it_is_read_ends_right(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    for start in range(0, 20_000, 100):
        own_etcd.txn({f"{STATES}x{number}": UP for number in range(start, start + 100)})
    watched = watch(own_etcd, count=200)
    with Relay(own_etcd.port) as relay:
        again = watch(own_etcd, "--publish", "none", count=200, through=relay)
        until = time.monotonic() + 1.0
        number = 0
        while time.monotonic() < until:
            watched.flip(number % 200, value=UP if number % 2 else DOWN)
            number += 1
        watched.right()
        again.service.stop()
