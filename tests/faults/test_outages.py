"""One member that dies, freezes, or is cut off: told in time, and all is right afterwards without a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from tests.faults.fleet import CONFIGS, DOWN, RECORDS, STATES, TEMPLATE, TEMPLATE_KEY, UP, config
from tests.faults.operate import compact, wipe
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Watched
    from tests.support.etcd import Etcd


pytestmark = pytest.mark.thorough


def test_after_kill_and_restart_nothing_written_meanwhile_is_lost(
    own_etcd: Etcd, watch: Callable[..., Watched]
) -> None:
    watched = watch(own_etcd)
    own_etcd.kill()
    assert watched.unready()
    own_etcd.start()
    watched.flip(1, 2, 3)  # before the service is back, perhaps
    own_etcd.put(f"{CONFIGS}ha5", config(5, version=2))
    watched.ready()
    watched.flip(4)
    watched.right()
    assert own_etcd.record(f"{RECORDS}ha5") == {"primary": "UP", "secondary": "UP", "version": 2}


def test_a_frozen_etcd_is_told_within_ten_seconds_and_all_is_right_after_the_thaw(
    own_etcd: Etcd, watch: Callable[..., Watched]
) -> None:
    watched = watch(own_etcd)
    own_etcd.freeze()
    try:
        watched.unready()
        assert httpx.get(f"{watched.service.url}/healthz").status_code == 200, "the process itself is well"
    finally:
        own_etcd.thaw()
    watched.flip(1, 2)
    watched.ready()
    watched.right()


def test_a_connection_that_is_half_open_is_told_within_ten_seconds(
    own_etcd: Etcd, watch: Callable[..., Watched]
) -> None:
    with Relay(own_etcd.port) as relay:
        watched = watch(own_etcd, through=relay)
        relay.stall()
        watched.flip(1)
        watched.unready()
        watched.flip(2)
        relay.flow()
        watched.ready()
        watched.right()
        watched.service.stop()


def test_what_was_compacted_away_while_cut_off_is_listed_again_with_its_deletions(
    own_etcd: Etcd, watch: Callable[..., Watched]
) -> None:
    with Relay(own_etcd.port) as relay:
        watched = watch(own_etcd, through=relay)
        relay.cut()
        watched.unready()
        own_etcd.delete(f"{CONFIGS}ha3")
        watched.flip(1)
        for _ in range(5):
            watched.flip(2)
        compact(own_etcd)
        relay.flow()
        watched.ready()
        watched.right()
        assert own_etcd.get(f"{RECORDS}ha3") is None
        watched.flip(4)
        watched.right()
        watched.service.stop()


def test_who_comes_back_to_many_changes_of_few_keys_lists_the_keys(
    own_etcd: Etcd, watch: Callable[..., Watched]
) -> None:
    with Relay(own_etcd.port) as relay:
        watched = watch(own_etcd, through=relay)
        relay.cut()
        watched.unready()
        all_of_them = {f"{STATES}{side}{number}" for number in range(20) for side in "ps"}
        for number in range(2_000):
            own_etcd.txn(dict.fromkeys(all_of_them, DOWN if number % 2 else UP))
        own_etcd.txn({f"{STATES}p1": UP, f"{STATES}s2": UP}, [f"{CONFIGS}ha4"])
        relay.flow()
        watched.ready()
        watched.right()
        relists = watched.counted("ha_monitor_relists")
        assert relists.pop(STATES) == 1
        assert set(relists.values()) == {0}, "no other watch was behind"
        assert watched.counted("ha_monitor_etcd_events")[STATES] < 1_000
        watched.flip(4, 5)
        watched.right()
        watched.service.stop()


def test_a_service_that_was_frozen_lists_what_it_has_missed(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    """Its watch was never behind as etcd sees it, so that only a look at the store tells."""
    watched = watch(own_etcd)
    process = psutil.Process(watched.service.pid)
    process.suspend()
    for number in range(800):
        own_etcd.txn({f"{STATES}{side}{n}": DOWN if (number + n) % 2 else UP for n in range(20) for side in "ps"})
    watched.flip(4, 6, value=UP)  # the rest was so before, on the way
    process.resume()
    watched.right()
    assert watched.counted("ha_monitor_relists")[STATES] >= 1
    assert watched.counted("ha_monitor_etcd_events")[STATES] < 800 * 40 / 2
    watched.flip(4, 5)
    watched.right()
    watched.ready()


@pytest.mark.parametrize("wounds", [3])
def test_a_connection_cut_again_and_again_under_changes_loses_nothing(
    own_etcd: Etcd, watch: Callable[..., Watched], wounds: int
) -> None:
    with Relay(own_etcd.port) as relay:
        watched = watch(own_etcd, through=relay)
        for number in range(wounds):
            watched.flip(number, 10 + number, value=DOWN)
            relay.cut()
            watched.flip(number + 5, value=DOWN)
            relay.flow()
            watched.flip(number, value=UP)
        watched.ready()
        watched.right()
        watched.service.stop()


def test_a_wiped_store_is_noticed_and_listed_anew(own_etcd: Etcd, watch: Callable[..., Watched]) -> None:
    watched = watch(own_etcd)
    for _ in range(30):
        watched.flip(1)
        watched.flip(1, value=UP)
    own_etcd.kill()
    wipe(own_etcd)
    own_etcd.start()
    watched.ready()
    own_etcd.txn({f"{STATES}p1": UP, f"{STATES}s1": DOWN, f"{CONFIGS}ha1": config(1, version=7)})
    own_etcd.put(TEMPLATE_KEY, TEMPLATE)
    own_etcd.wait(RECORDS, lambda items: f"{RECORDS}ha1" in items, 10.0)
    watched.right()
    assert own_etcd.record(f"{RECORDS}ha1") == {"primary": "UP", "secondary": "DOWN", "version": 7}
