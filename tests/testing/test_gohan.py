"""gohan takes up what is published, whatever comes first: its config, a state, its worker's report, or one of us."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor.testing import run
from tests.support import site
from tests.support.gohan import PATH, unsettled
from tests.testing.gohan_site import STATE_TIMEOUT, TEMPLATE, GohanSite, Step, do, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from anyio.abc import TaskGroup

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


@settings(max_examples=12)
@given(st.lists(steps, min_size=5, max_size=20), st.sampled_from(["esi", "gohan"]), st.sampled_from([1, 1, 2]))
def test_gohan_shows_what_is_published_whatever_the_order_and_no_record_is_put_once_too_often(
    history: list[Step], layout: SiteLayout, monitors: int
) -> None:
    run(play, history, layout, monitors)


# -- what a history comes to by chance alone


class Standing:
    """A site with one resource that gohan shows, and one monitor."""

    def __init__(self, tasks: TaskGroup, layout: SiteLayout = "gohan", **config: Any) -> None:
        self.site = GohanSite(layout, tasks, **config)
        self.site.etcd.txn(site.ha_template())
        for side in ("p0", "s0", "s1"):
            self.site.flip(side, site.UP)
        self.path = f"{PATH}ha0"
        self.record = self.site.keys.monitoring + self.path
        self.site.request("create", 0)
        self.site.sync()
        self.monitor = self.site.begin().monitor

    @property
    def shown(self) -> str:
        """What gohan shows."""
        return self.site.gohan.rows[self.path].monitoring

    async def settled(self) -> None:
        """Wait until all is right."""
        assert await settle(self.site, RIGHT_WITHIN) == []

    @property
    def again(self) -> int:
        """How often the record was put again."""
        self.site.writes.take(self.site.etcd)
        return self.site.writes.again


def alone(test: Callable[[Standing], Awaitable[None]], **config: Any) -> None:
    """Run a test with a site of its own, in virtual time."""

    async def play_it() -> None:
        async with anyio.create_task_group() as tasks:
            standing = Standing(tasks, **config)
            await standing.settled()
            await anyio.sleep(1.0)
            await test(standing)
            for member in standing.site.members:
                await member.end()
            tasks.cancel_scope.cancel()

    run(play_it)


def test_a_record_that_stands_while_an_entry_is_unknown_is_put_again_as_it_stands() -> None:
    async def test(standing: Standing) -> None:
        standing.site.flip("p0", None)
        await anyio.sleep(1.0)
        standing.site.report(0)
        await anyio.sleep(1.0)
        assert (standing.shown, standing.again) == ("UP", 1)
        await anyio.sleep(STATE_TIMEOUT)
        assert standing.shown == "DEGRADED"

    alone(test)


def test_none_of_an_older_version_is() -> None:
    async def test(standing: Standing) -> None:
        standing.site.report(0)
        await standing.settled()
        standing.site.flip("p0", None)
        standing.site.request("update", 0)
        standing.site.sync()
        await anyio.sleep(1.0)
        standing.site.report(0)
        await anyio.sleep(1.0)
        assert (standing.again, standing.site.etcd.record(standing.record)["version"]) == (1, 1)
        await standing.settled()

    alone(test)


def test_a_store_that_is_put_back_to_before_the_second_put_gets_it_again() -> None:
    async def test(standing: Standing) -> None:
        etcd = standing.site.etcd
        standing.site.members[0].monitor._publisher.hear(heard=False)  # type: ignore[union-attr]
        standing.site.report(0)
        backup = etcd.backup()
        standing.site.members[0].monitor._publisher.hear(heard=True)  # type: ignore[union-attr]
        await standing.settled()
        assert standing.again == 1
        for _ in range(200):
            etcd.put("/elsewhere", "")
        await anyio.sleep(10.0)
        before = etcd.revision
        etcd.rewind(backup)
        standing.site.writes.forget()
        assert unsettled_now(standing) != []
        await anyio.sleep(30.0)
        assert etcd.revision < before
        assert unsettled_now(standing) == []

    alone(test)


def unsettled_now(standing: Standing) -> list[str]:
    standing.site.writes.take(standing.site.etcd)
    return unsettled(standing.site.writes.values, standing.site.writes.revisions, standing.site.keys)


def test_what_gohans_database_refused_comes_again_by_resync_alone() -> None:
    async def test(standing: Standing) -> None:
        standing.site.report(0)
        await anyio.sleep(0.0002)  # it has the state, and not the record yet
        standing.site.gohan.refuses = True
        await anyio.sleep(40.0)
        resync = standing.site.resync
        assert standing.shown == ("UP" if resync else "")

    alone(test)
    alone(test, resync=30.0)


def test_a_second_put_counts_in_no_latency() -> None:
    async def test(standing: Standing) -> None:
        def counted() -> tuple[int, int]:
            measures = standing.monitor.measures().publish
            assert measures is not None
            return measures.published, sum(measures.latency.counts)

        published, latencies = counted()
        standing.site.report(0)
        await standing.settled()
        assert counted() == (published + 1, latencies)

    alone(test)


def test_a_resource_in_maintenance_is_left_alone_and_followed_up_afterwards() -> None:
    async def test(standing: Standing) -> None:
        key = "/ha_monitor/maintenance/ha_interface/ha0"
        standing.site.etcd.put(key, "{}")
        standing.site.report(0)
        await anyio.sleep(10.0)
        assert (standing.shown, standing.again) == ("", 0)
        standing.site.etcd.delete(key)
        await anyio.sleep(1.0)
        assert (standing.shown, standing.again) == ("UP", 1)

    alone(test)


def test_worker_states_are_watched_no_longer_than_their_type_is_served() -> None:
    async def test(standing: Standing) -> None:
        prefix = "/state_watch/state/v2.0/ha_interfaces/"
        assert prefix in standing.monitor.prefixes
        standing.site.etcd.delete(TEMPLATE)
        await anyio.sleep(120.0)
        assert prefix not in standing.monitor.prefixes
        standing.site.etcd.txn(site.ha_template())
        await standing.settled()
        standing.site.report(0)
        await standing.settled()
        assert standing.shown == "UP"

    alone(test)


def test_two_monitors_without_a_group_put_it_again_once() -> None:
    async def test(standing: Standing) -> None:
        standing.site.begin()
        await anyio.sleep(10.0)
        standing.site.report(0)
        await anyio.sleep(10.0)
        assert (standing.shown, standing.again) == ("UP", 1)

    alone(test)
