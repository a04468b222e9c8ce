"""Tests the failover handler of ``route.py``: on an etcd in memory, in virtual time, with no server and no waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from route import follow

from ha_monitor import Settings
from ha_monitor.testing import MemoryEtcd, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

PORTS = "/monitoring/v2.0/er_physical_interfaces"
UP, DOWN = {"interface": "UP"}, {"interface": "DOWN"}
TEMPLATE = """
primary:
  type: etcd_reader
  etcd_type: er_physical_interface
  etcd_id: {{ primary_interface_id }}
secondary:
  type: etcd_reader
  etcd_type: er_physical_interface
  etcd_id: {{ secondary_interface_id }}
"""
SIDES = ("primary_interface_id", "secondary_interface_id")


def envelope(body: object) -> object:
    return {"body": body, "version": 1, "marked_for_deletion": False}


SITE = {
    "/config/v2.0/heat_templates/ha_interface_monitoring": envelope(
        {
            "id": "ha_interface_monitoring",
            "handler": "monitoring_worker",
            "template_file": TEMPLATE,
            "parameter_mappings": {side: {"field": side} for side in SIDES},
        }
    ),
    "/config/v2.0/ha_interfaces/tokyo": envelope(
        {"id": "tokyo", "primary_interface_id": "p", "secondary_interface_id": "s"}
    ),
    f"{PORTS}/p": UP,
    f"{PORTS}/s": UP,
}


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Have time jump to what is due next, in every test and fixture here."""
    return "asyncio", {"loop_factory": VirtualLoop}


@pytest.fixture
def etcd() -> MemoryEtcd:
    etcd = MemoryEtcd()
    etcd.txn(SITE)
    return etcd


class Routes:
    """Stands for what sends the traffic."""

    def __init__(self) -> None:
        self.all: list[str | None] = []
        self._news = anyio.Event()

    async def __call__(self, side: str | None) -> None:
        self.all.append(side)
        self._news.set()

    async def next(self, within: float) -> str | None:
        """Wait for another side; give it."""
        with anyio.fail_after(within):
            await self._news.wait()
        self._news = anyio.Event()
        return self.all[-1]


@pytest.fixture
async def routes(etcd: MemoryEtcd) -> AsyncIterator[Routes]:
    """Run the handler; the primary side is active."""
    routes = Routes()
    async with etcd.monitor(Settings(state_timeout=60.0)) as monitor, anyio.create_task_group() as tasks:
        tasks.start_soon(follow, monitor, "tokyo", routes)
        assert await routes.next(within=5) == "primary"
        yield routes
        tasks.cancel_scope.cancel()


async def test_traffic_follows_the_active_side(etcd: MemoryEtcd, routes: Routes) -> None:
    etcd.put(f"{PORTS}/p", DOWN)
    assert await routes.next(within=1) == "secondary"
    etcd.txn({f"{PORTS}/p": UP, f"{PORTS}/s": DOWN})
    assert await routes.next(within=1) == "primary"


async def test_a_state_that_is_gone_counts_after_its_timeout(etcd: MemoryEtcd, routes: Routes) -> None:
    etcd.put(f"{PORTS}/s", DOWN)
    etcd.delete(f"{PORTS}/p")
    assert await routes.next(within=1) is None  # nobody knows
    etcd.put(f"{PORTS}/s", UP)
    assert await routes.next(within=1) == "secondary"
    await etcd.wait("/monitoring/v2.0/ha_interfaces/tokyo", {"primary": "FAIL", "secondary": "UP", "version": 1})


async def test_no_traffic_while_etcd_can_not_be_heard(etcd: MemoryEtcd, routes: Routes) -> None:
    etcd.freeze()
    assert await routes.next(within=10) is None
    etcd.put(f"{PORTS}/p", DOWN)
    await anyio.sleep(600)
    etcd.thaw()
    assert await routes.next(within=10) == "secondary"


async def test_an_outage_of_ten_minutes_and_a_history_that_is_gone(etcd: MemoryEtcd, routes: Routes) -> None:
    etcd.go_down()
    assert await routes.next(within=10) is None
    etcd.put(f"{PORTS}/p", DOWN)
    etcd.put(f"{PORTS}/p", UP)
    etcd.compact()
    await anyio.sleep(600)
    etcd.come_up()
    assert await routes.next(within=10) == "primary"
