"""As of when a watch is known to be right, where it is behind and etcd's revision is read often."""

from __future__ import annotations

import pytest

from ha_monitor.watch.proof import Freshness, Reading


@pytest.mark.parametrize("pause", [0.005, 0.25, 2.5])
def test_a_watch_that_stays_half_a_minute_behind_is_proven_however_often_the_revision_is_read(pause: float) -> None:
    freshness, behind = Freshness(0.0), 10.0
    for number in range(1, int(60 / pause)):
        now = number * pause
        freshness.reached(int((now - behind) * 1_000))
        freshness.read(Reading(int(now * 1_000), 1e9 + now, now), int((now - behind) * 1_000))
    assert now - freshness.proven <= behind + max(pause, 1.0) + 0.01
