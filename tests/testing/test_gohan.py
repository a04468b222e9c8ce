"""gohan takes up what is published, whatever comes first: its config, a state, its worker's report, or one of us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor.testing import run
from tests.support import site
from tests.testing.gohan_site import GohanSite, Step, do, settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor.settings import SiteLayout

RIGHT_WITHIN = 300.0
"""Seconds of virtual time: a state's timeout, gohan's pause, a lease, and the pauses of retries."""

numbers = st.integers(0, 2)
pauses = st.sampled_from([0.0, 0.0, 0.0003, 0.001, 0.02, 1.0, 3.0, 12.0])
requests = st.tuples(
    st.just("request"),
    st.tuples(st.sampled_from(["create", "update", "update", "delete"]), numbers, st.sampled_from([True, True, False])),
    pauses,
)
reports = st.tuples(
    st.just("report"), st.tuples(numbers, st.sampled_from([0, 0, 1]), st.sampled_from(["", "x"])), pauses
)
flips = st.tuples(
    st.just("flip"),
    st.tuples(
        st.sampled_from(["p0", "p1", "p2", "s0", "s1", "s2"]), st.sampled_from([site.UP, site.DOWN, site.DOWN, None])
    ),
    pauses,
)
templates = st.tuples(st.just("template"), st.sampled_from([site.ha_template(), None]), pauses)
restarts = st.tuples(st.just("restart"), st.booleans(), pauses)
faults = st.tuples(
    st.just("fault"),
    st.sampled_from(["gohan", "compact", "cancel_watches", "drop_connections", "expire_leases"]),
    pauses,
)
steps = st.one_of(requests, requests, reports, reports, reports, flips, templates, restarts, faults)


async def play(history: Sequence[Step], layout: SiteLayout, monitors: int) -> None:
    group: dict[str, Any] = {"group": "edge", "shards": 2} if monitors > 1 else {}
    async with anyio.create_task_group() as tasks:
        standing = GohanSite(layout, tasks, **group)
        standing.etcd.txn(site.ha_template())
        for number in range(3):
            standing.flip(f"p{number}", site.UP)
            standing.flip(f"s{number}", site.UP)
            standing.request("create", number)
        standing.sync()
        for _ in range(monitors):
            standing.begin()
        for step in history:
            await do(standing, step)
        standing.sync()
        standing.etcd.txn(site.ha_template())
        assert await settle(standing, RIGHT_WITHIN) == []
        before = standing.writes.all
        await anyio.sleep(RIGHT_WITHIN)
        assert standing.wrong() == [], "it stays so"
        assert standing.writes.all == before, "and nothing more is written"
        for member in standing.members:
            await member.end()
        tasks.cancel_scope.cancel()


@settings(max_examples=25)
@given(st.lists(steps, min_size=5, max_size=20), st.sampled_from(["esi", "gohan"]), st.sampled_from([1, 1, 2]))
def test_gohan_shows_what_is_published_whatever_the_order_and_no_record_is_put_once_too_often(
    history: list[Step], layout: SiteLayout, monitors: int
) -> None:
    run(play, history, layout, monitors)
