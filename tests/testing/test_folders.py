"""Two types with their configs in one folder, as English has policy and policie: it is always the same that is served.

What one of them leaves behind is the other's.
"""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ha_monitor import Settings
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import TOLD_WITHIN, until
from tests.testing.held_back import HeldBack
from tests.testing.test_faults import virtual

if TYPE_CHECKING:
    from ha_monitor.etcd.connection import Access
    from ha_monitor.testing.stubs import MemoryStubs

TEMPLATES = "/config/v2.0/heat_templates/"
CONFIGS, RECORDS = "/config/v2.0/policies/", "/monitoring/v2.0/policies/"
STATE = "/monitoring/v2.0/er_physical_interfaces/p"
FIRST, SECOND = "policie", "policy"


def template(type_: str, *, broken: bool = False) -> dict[str, Any]:
    """Give one whose records tell which it is."""
    text = (
        "{% BROKEN %}" if broken else f"{type_}: {{type: etcd_reader, etcd_type: er_physical_interface, etcd_id: p}}\n"
    )
    return site.template(f"{type_}_monitoring", text, {})


def config(id_: str, version: int = 1) -> dict[str, Any]:
    return {f"{CONFIGS}{id_}": site.envelope({"id": id_}, version)}


def record(type_: str, version: int = 1) -> dict[str, Any]:
    return {type_: "UP", "version": version}


@pytest.mark.parametrize("came_first", [FIRST, SECOND])
def test_the_same_one_is_served_whichever_came_first(came_first: str) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(template(came_first) | config("a") | {STATE: site.UP})
        async with etcd.monitor() as monitor:
            await etcd.wait(f"{RECORDS}a", record(came_first), timeout=TOLD_WITHIN)
            etcd.txn(template({FIRST: SECOND, SECOND: FIRST}[came_first]))
            await etcd.wait(f"{RECORDS}a", record(FIRST), timeout=TOLD_WITHIN)
            words = f"type {SECOND} has its configs where type {FIRST} has them: {CONFIGS}"
            await until(lambda: list(monitor.problems()) == [(f"template {SECOND}_monitoring", words)], TOLD_WITHIN)
            assert [resource.type for resource in monitor.resources()] == [FIRST]
            etcd.txn(config("b"))
            await etcd.wait(f"{RECORDS}b", record(FIRST), timeout=TOLD_WITHIN)
            etcd.delete(f"{TEMPLATES}{FIRST}_monitoring")
            await etcd.wait(f"{RECORDS}a", record(SECOND), timeout=TOLD_WITHIN)
            assert not list(monitor.problems())
            etcd.delete(f"{CONFIGS}a")
            await etcd.wait(f"{RECORDS}a", None, timeout=TOLD_WITHIN)

    run(main)


@virtual
async def test_one_that_takes_the_other_s_place_at_once_is_served_at_once_though_a_record_is_frozen() -> None:
    etcd = MemoryEtcd()
    etcd.txn(template(SECOND) | config("a") | config("b") | {STATE: site.UP})
    etcd.put(f"/ha_monitor/maintenance/{SECOND}/b", {})
    async with etcd.monitor():
        await etcd.wait(f"{RECORDS}a", record(SECOND), timeout=TOLD_WITHIN)
        etcd.txn(template(FIRST), [f"{TEMPLATES}{SECOND}_monitoring"])
        for id_ in "ab":
            await etcd.wait(f"{RECORDS}{id_}", record(FIRST), timeout=TOLD_WITHIN)


class Late(HeldBack):
    """One to which a transaction that puts a record of the type comes late."""

    def __init__(self, type_: str) -> None:
        super().__init__(RECORDS)
        self.due, self.waiting = anyio.Event(), 0
        self._about = json.dumps(type_).encode()

    def connect(self, url: str, access: Access) -> MemoryStubs:
        stubs = super().connect(url, access)
        run_txn = stubs.kv.Txn

        async def txn(request: Any, **options: Any) -> Any:
            if any(self._about in operation.request_put.value for operation in request.success):
                self.waiting += 1
                await self.due.wait()
            return await run_txn(request, **options)

        stubs.kv.Txn = txn
        return stubs


@pytest.mark.parametrize("replaces", [True, False])
def test_a_write_for_the_one_that_lands_late_is_put_right_by_the_other(replaces: bool) -> None:
    async def main() -> None:
        etcd = Late(SECOND)
        etcd.txn(template(SECOND) | config("a") | {STATE: site.UP})
        async with etcd.monitor():
            await until(lambda: etcd.waiting > 0, TOLD_WITHIN)
            etcd.txn(template(FIRST), [f"{TEMPLATES}{SECOND}_monitoring"] if replaces else [])
            await etcd.wait(f"{RECORDS}a", record(FIRST), timeout=TOLD_WITHIN)
            await anyio.sleep(1)
            etcd.holds = True  # the answer comes before the watch tells of it
            etcd.due.set()
            await etcd.wait(f"{RECORDS}a", record(SECOND), timeout=TOLD_WITHIN)
            await anyio.sleep(1)
            etcd.let_go()
            await etcd.wait(f"{RECORDS}a", record(FIRST), timeout=TOLD_WITHIN)
            await anyio.sleep(100)
            assert etcd.record(f"{RECORDS}a") == record(FIRST)

    run(main)


def something(random: Random, version: int) -> tuple[dict[str, Any], list[str]]:
    """Give keys to put and keys to delete."""
    type_, id_ = random.choice([FIRST, SECOND]), random.choice("abc")
    changes: list[tuple[dict[str, Any], list[str]]] = [
        (template(type_, broken=random.random() < 0.2), []),
        (template(FIRST), [f"{TEMPLATES}{SECOND}_monitoring"]),
        (template(SECOND), [f"{TEMPLATES}{FIRST}_monitoring"]),
        ({}, [f"{TEMPLATES}{type_}_monitoring"]),
        (config(id_, version), []),
        (config(id_, version), []),
        ({}, [f"{CONFIGS}{id_}"]),
        ({STATE: random.choice([site.UP, site.DOWN])}, []),
        ({f"{RECORDS}{id_}": record(type_)}, []),
    ]
    return random.choice(changes)


@pytest.mark.parametrize("seed", range(10))
def test_whatever_comes_and_goes_the_records_are_those_of_a_fresh_monitor(seed: int) -> None:
    async def main() -> None:
        random, etcd = Random(seed), MemoryEtcd()
        etcd.put(STATE, site.UP)
        async with etcd.monitor(Settings(state_timeout=5.0)) as monitor:
            for version in range(60):
                etcd.txn(*something(random, version))
                await anyio.sleep(random.choice([0.0, 0.0005, 0.001, 0.002, 0.1, 40.0]))
            etcd.txn(template(random.choice([FIRST, SECOND])))
            await anyio.sleep(150)
            ended = etcd.items(RECORDS), list(monitor.problems())
        async with etcd.monitor(Settings(state_timeout=5.0)) as fresh:
            await fresh.synced()
            await anyio.sleep(150)
            assert ended == (etcd.items(RECORDS), list(fresh.problems()))

    run(main)
