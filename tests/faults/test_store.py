"""What the store itself does to its clients: large replies, large transactions, a full disk."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.fleet import CONFIGS, DOWN, RECORDS, STATES, UP, config
from tests.faults.operate import back_up, disarm, put_back, raise_no_space
from tests.support.etcd import Etcd
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import StartService
    from tests.faults.conftest import Watched


pytestmark = pytest.mark.thorough


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


def test_records_that_are_too_large_together_are_written_fewer_at_a_time(watch: Callable[..., Watched]) -> None:
    etcd = Etcd("--max-request-bytes", "14000")  # 128 of them have 19,000
    try:
        watched = watch(etcd.start(), count=128)
        watched.flip(*range(128))
        watched.right()
        watched.ready()
        watched.service.stop()
    finally:
        etcd.close()


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
    disarm(own_etcd)
    watched.ready()  # though nothing is written that could show it
    watched.right()


def kept_before_a_change(etcd: Etcd, watched: Watched) -> Path:
    """Keep the data of a store, and change a state since."""
    etcd.stop()
    kept = back_up(etcd)
    etcd.start()
    watched.ready()
    watched.flip(0)
    watched.right()
    return kept


def nothing_of_ours(etcd: Etcd) -> None:
    for _ in range(40):
        etcd.put("/elsewhere", "")


def only_deletions(etcd: Etcd) -> None:
    etcd.delete(f"{CONFIGS}ha1")
    nothing_of_ours(etcd)


def other_changes(etcd: Etcd) -> None:
    etcd.txn({f"{STATES}p1": DOWN, f"{STATES}s2": DOWN})
    nothing_of_ours(etcd)


@pytest.mark.parametrize("go_on", [nothing_of_ours, only_deletions, other_changes])
def test_a_backup_that_has_overtaken_what_we_knew_before_we_hear_of_it(
    own_etcd: Etcd, watch: Callable[..., Watched], go_on: Callable[[Etcd], None]
) -> None:
    with Relay(own_etcd.port) as relay:
        watched = watch(own_etcd, through=relay)
        kept = kept_before_a_change(own_etcd, watched)
        relay.cut()
        known = own_etcd.revision()
        own_etcd.stop()
        put_back(own_etcd, kept)
        own_etcd.start()
        go_on(own_etcd)
        assert own_etcd.revision() > known
        relay.flow()
        watched.ready()
        watched.right()
        watched.flip(0)  # as it was already, by what we heard before
        watched.right()


@pytest.mark.parametrize("go_on", [nothing_of_ours, only_deletions, other_changes])
def test_an_address_that_leads_to_a_backup_which_has_overtaken_us_from_one_moment_to_the_next(
    own_etcd: Etcd, watch: Callable[..., Watched], go_on: Callable[[Etcd], None]
) -> None:
    other = Etcd()
    try:
        with Relay(own_etcd.port) as relay:
            watched = watch(own_etcd, through=relay)
            put_back(other, kept_before_a_change(own_etcd, watched))
            other.start()
            go_on(other)
            assert other.revision() > own_etcd.revision()
            watched.etcd = other
            relay.lead_to(other.port)  # no call fails: all that is noticed is the end of a connection
            watched.right()
            watched.ready()
            watched.service.stop()
    finally:
        other.close()


def test_a_restart_is_no_reason_to_list_anew(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    """Not even with keys under our prefixes that are none of ours."""
    own_etcd.txn({f"{CONFIGS}ha0/deeper": config(0), f"{STATES}p0/deeper/still": "x", "/ha_monitor/maintenance/x": ""})
    watched = watch(own_etcd)
    for again in range(3):
        own_etcd.kill()
        own_etcd.start()
        own_etcd.txn({f"{STATES}new{again}/deeper": "x"}, [f"{STATES}new{again - 1}/deeper"])
        watched.ready()
        watched.flip(again)
        watched.right()
    relists = watched.counted("ha_monitor_relists")
    assert relists
    assert set(relists.values()) == {0}


@pytest.mark.long
@pytest.mark.timeout(120)
def test_two_hundred_thousand_keys_are_listed_while_they_change(
    own_etcd: Etcd, service: StartService, watch: Callable[..., Watched]
) -> None:
    """In pages, all at one revision, while every page's keys go on changing; nothing is lost between list and watch."""
    for start in range(0, 200_000, 128):
        own_etcd.txn({f"{STATES}x{number}": UP for number in range(start, start + 128)})
    watched = watch(own_etcd, count=200)
    watched.service.stop()
    late = watched.service = service(etcd=own_etcd, ready=False)
    number = 0
    while late.get_or_none("/readyz") is None:  # it lists from its first breath on
        watched.flip(number % 200, value=DOWN if number % 3 else UP)
        own_etcd.delete(f"{STATES}x{number}")
        number += 1
    until = time.monotonic() + 5.0
    while late.get("/readyz")[0] != 200 or time.monotonic() < until - 4.0:
        watched.flip(number % 200, value=DOWN if number % 3 else UP)
        number += 1
        assert time.monotonic() < until + 30.0
    watched.right()
    assert number > 50
