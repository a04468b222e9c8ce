"""Alarms of etcd in virtual time: how soon one is reported without a write, and how many requests that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import grpc
import pytest
from aetcd import rpc

from ha_monitor.testing import MemoryEtcd
from ha_monitor.watch.alarms import PAUSE, PAUSE_WHILE_RAISED
from tests.testing.fleet import Fleet, ready, until
from tests.testing.test_faults import virtual

if TYPE_CHECKING:
    from ha_monitor.etcd.connection import Access
    from ha_monitor.testing.stubs import MemoryStubs

WORDS = "etcd alarm NOSPACE (member 1): database space exceeded, etcd refuses writes"
MINUTES = 30


class CountingEtcd(MemoryEtcd):
    """Counts requests of its status, and refuses them with :attr:`refusal`."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.connections = 0
        self.refusal: grpc.aio.AioRpcError | None = None

    def connect(self, url: str, access: Access) -> MemoryStubs:
        self.connections += 1
        stubs = super().connect(url, access)
        make = stubs.maintenance.Status

        def status(request: Any, **options: Any) -> Any:
            self.requests += 1
            if self.refusal is not None:
                raise self.refusal
            return make(request, **options)

        stubs.maintenance.Status = status
        return stubs


@virtual
async def test_an_alarm_is_reported_and_cleared_without_a_write(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ha_monitor")
    fleet = Fleet()
    async with fleet.monitor(publish="none") as monitor:
        await monitor.synced()
        caplog.clear()
        fleet.etcd.fill_up()
        await until(lambda: monitor.readiness().warning == WORDS, PAUSE + 1.5)
        assert monitor.readiness().ready
        await anyio.sleep(10 * PAUSE)
        fleet.etcd.disarm()
        await until(lambda: not monitor.readiness().warning, PAUSE_WHILE_RAISED + 1.5)
        assert caplog.messages == [WORDS, "etcd alarm NOSPACE (member 1) is cleared"]


@virtual
async def test_a_publishing_monitor_is_not_ready_even_with_nothing_to_write() -> None:
    fleet = Fleet()
    async with fleet.monitor() as monitor:
        await fleet.right()
        fleet.etcd.fill_up()
        await until(lambda: not monitor.readiness().ready, PAUSE + 1.5)
        assert monitor.readiness().reason == f"nothing can be published: {WORDS}"
        assert monitor.readiness().warning == ""
        fleet.etcd.disarm()
        await ready(monitor, PAUSE_WHILE_RAISED + 1.5)


@virtual
async def test_alarms_are_read_rarely() -> None:
    etcd = CountingEtcd()
    fleet = Fleet(etcd=etcd)
    async with fleet.monitor() as monitor:
        await monitor.synced()
        before = etcd.requests
        await anyio.sleep(MINUTES * 60)
        assert MINUTES <= etcd.requests - before <= MINUTES * 60 / PAUSE + 1


@virtual
@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED], ids=str)
async def test_an_etcd_that_refuses_its_status_is_used_all_the_same(code: grpc.StatusCode) -> None:
    etcd = CountingEtcd()
    fleet = Fleet(etcd=etcd)
    async with fleet.monitor() as monitor:
        await fleet.right()
        connections = etcd.connections
        etcd.refusal = rpc.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details="no")
        await anyio.sleep(10 * PAUSE)
        fleet.flip(0)
        await fleet.right()
        await ready(monitor)
        assert etcd.connections == connections
