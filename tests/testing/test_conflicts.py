"""Another writer who does not give up is met with growing pauses, whether a record or none should stand there."""

from __future__ import annotations

import asyncio
import functools
import json
from typing import TYPE_CHECKING, Any

import anyio

from ha_monitor.publish.conflicts import LONGEST_OF_OURS, QUIET
from ha_monitor.publish.conflicts import MOST as MOST_OF_OURS
from ha_monitor.publish.decider import Decider
from ha_monitor.statusfile import keep_status_file
from tests.support import site
from tests.testing.fleet import STATE_TIMEOUT, Fleet
from tests.testing.test_faults import virtual

if TYPE_CHECKING:
    from pathlib import Path

LASTS = 60.0
"""Seconds that the other goes on, each time 10 ms after we have had it our way."""

MOST = 12


async def war(fleet: Fleet, key: str, ours: object, theirs: object) -> int:
    """Write a record again each time that it was put right; give how often it was."""
    times = 0
    with anyio.move_on_after(LASTS):
        while True:
            fleet.etcd.put(key, theirs)
            await fleet.etcd.wait(key, ours, timeout=2 * LASTS)
            times += 1
            await anyio.sleep(0.01)
    return times


@virtual
async def test_who_changes_a_record_again_and_again() -> None:
    fleet = Fleet()
    async with fleet.monitor():
        await fleet.right()
        assert 2 < await war(fleet, fleet.pairs[1].record, site.record(), {"primary": "DOWN"}) <= MOST
        await fleet.right()


@virtual
async def test_nothing_is_left_to_be_looked_at_by_a_monitor_that_has_ended() -> None:
    fleet = Fleet()
    async with fleet.monitor():
        await fleet.right()
        await war(fleet, fleet.pairs[1].record, site.record(), {"primary": "DOWN"})
        assert scheduled()
    assert not scheduled()


def scheduled() -> list[asyncio.TimerHandle]:
    """Give the timers by which a record is to be looked at."""
    timers: list[asyncio.TimerHandle] = asyncio.get_running_loop()._scheduled  # type: ignore[attr-defined]
    return [timer for timer in timers if not timer.cancelled() and Decider.__name__ in repr(timer)]


@virtual
async def test_who_writes_the_record_of_a_resource_that_is_gone() -> None:
    fleet = Fleet()
    async with fleet.monitor():
        await fleet.right()
        fleet.etcd.delete(fleet.pairs[1].config)
        await fleet.right()
        assert 2 < await war(fleet, fleet.pairs[1].record, None, site.record()) <= MOST
        await fleet.right()


@virtual
async def test_who_writes_the_record_of_a_resource_with_a_problem() -> None:
    fleet = Fleet()
    pair = fleet.pairs[1]
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.put(pair.config, site.envelope({"id": pair.id}))
        await fleet.etcd.wait(pair.record, None)
        assert 2 < await war(fleet, pair.record, None, site.record()) <= MOST
        await anyio.sleep(2 * STATE_TIMEOUT)
        assert fleet.etcd.get(pair.record) is None
        explained = monitor.explain("ha_interface", pair.id)
        assert explained is not None
        assert explained.record.state == "kept"
        fleet.etcd.put(pair.config, pair.envelope())
        await fleet.etcd.wait(pair.record, site.record(), timeout=1.0)


@virtual
async def test_who_writes_it_once_is_put_right_at_once() -> None:
    fleet = Fleet()
    pair = fleet.pairs[1]
    async with fleet.monitor():
        await fleet.right()
        fleet.etcd.delete(pair.config)
        await fleet.etcd.wait(pair.record, None, timeout=1.0)
        for _ in range(2):
            fleet.etcd.put(pair.record, site.record())
            await fleet.etcd.wait(pair.record, None, timeout=0.1)


@virtual
async def test_a_conflict_that_is_over_is_over_for_whoever_goes_by_the_generation(tmp_path: Path) -> None:
    fleet, path = Fleet(), tmp_path / "status.json"
    async with fleet.monitor() as monitor, anyio.create_task_group() as tasks:
        await fleet.right()
        tasks.start_soon(functools.partial(keep_status_file, remove=False), monitor, path)

        def problem() -> str | None:
            said: str | None = json.loads(path.read_text())["resources"]["ha_interface"]["ha1"]["problem"]
            return said

        for _ in range(3):
            fleet.etcd.put(fleet.pairs[1].record, {"primary": "DOWN"})
            await anyio.sleep(10.0)
        assert problem() == "conflict: another writer changed the published record 3 times"
        before = monitor.generation
        await anyio.sleep(60.0)
        assert monitor.generation == before, "it may go on"
        await anyio.sleep(QUIET)
        assert monitor.generation != before
        assert problem() is None
        tasks.cancel_scope.cancel()


PEER, PORT = "/config/v2.0/gws/", "/monitoring/v2.0/er_physical_interfaces/"
RING = "/monitoring/v2.0/gws/"


def ring() -> dict[str, Any]:
    """Two that hang on each other's record, and on a port each."""
    text = "".join(
        f"{name}:\n  type: etcd_reader\n  etcd_type: {type_}\n  etcd_id: {{{{ {name} }}}}\n"
        for name, type_ in (("peer", "gw"), ("port", "er_physical_interface"))
    )
    fields = {"peer": {"field": "peer"}, "port": {"field": "port"}}
    keys: dict[str, Any] = site.template("gw_monitoring", text, fields)
    for id_, peer in ("ab", "ba"):
        keys[f"{PEER}{id_}"] = site.envelope({"peer": peer, "port": id_})
        keys[f"{RING}{id_}"] = {"peer": "UP", "port": "UP", "version": 1}
        keys[f"{PORT}{id_}"] = site.UP
    return keys


@virtual
async def test_records_that_go_round_in_a_circle_are_slowed_down_and_told() -> None:
    fleet = Fleet()
    fleet.etcd.txn(ring())
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.put(f"{RING}a", {"peer": "DOWN", "port": "UP", "version": 1})
        fleet.etcd.put(f"{RING}b", {"peer": "UP", "port": "UP", "version": 1})
        at = fleet.etcd.revision
        await anyio.sleep(LASTS)
        resource = monitor.get("gw", "a")
        assert resource is not None
        written = fleet.etcd.revision - at
        assert MOST_OF_OURS < written < 3 * MOST_OF_OURS
        assert "it is written with pauses" in (resource.problem or "")
        fleet.flip(1)
        await fleet.etcd.wait(fleet.pairs[1].record, site.record("DOWN"), timeout=5.0)


@virtual
async def test_a_record_that_has_flapped_is_as_any_other_once_it_does_no_longer() -> None:
    """A gateway hangs on it. While it flaps, what it is in the end is there within five seconds."""
    fleet = Fleet()
    pair = fleet.pairs[0]

    async def flap() -> None:
        for number in range(160):
            fleet.flip(0, site.UP if number % 2 else site.DOWN)
            await anyio.sleep(0.05)
        fleet.flip(0)
        await fleet.etcd.wait(pair.record, site.record("DOWN"), timeout=LONGEST_OF_OURS)

    async with fleet.monitor() as monitor:

        def problem() -> str:
            resource = monitor.get("ha_interface", pair.id)
            assert resource is not None
            return resource.problem or ""

        await fleet.right()
        await flap()
        assert "it is written with pauses" in problem()
        await anyio.sleep(3 * LONGEST_OF_OURS)
        fleet.etcd.put(pair.record, {"primary": "UP"})  # by another hand, once
        await fleet.etcd.wait(pair.record, site.record("DOWN"), timeout=0.1)
        fleet.flip(0, site.UP)
        await fleet.etcd.wait(pair.record, site.record("UP"), timeout=0.1)
        await flap()
        await anyio.sleep(3 * LONGEST_OF_OURS)
        for number in range(4):
            fleet.flip(0, site.DOWN if number % 2 else site.UP)
            await fleet.etcd.wait(pair.record, site.record("DOWN" if number % 2 else "UP"), timeout=0.1)
            await anyio.sleep(QUIET / 3)
        assert not problem()
