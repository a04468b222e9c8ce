"""A type that can't be evaluated as fast as it changes is named, with how far behind it is; the others go on."""

from __future__ import annotations

import asyncio
import itertools
import re
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from ha_monitor import Settings
from ha_monitor.testing import MemoryEtcd, pass_time, run
from tests.support import site
from tests.testing.fleet import ready

if TYPE_CHECKING:
    from ha_monitor.etcd.connection import Access
    from ha_monitor.testing.stubs import MemoryStubs

MANY = 1_000
TURN = 0.05
"""Seconds that each turn of the event loop takes while the machine is slow."""

AGAIN = 3
"""Turns after which the template is another one, so that there is always something left to render."""


def test_a_type_whose_resources_wait_for_too_long_is_named_and_no_other() -> None:
    async def main() -> None:
        etcd, one = MemoryEtcd(), site.HaInterface("ha0", "p0", "s0")
        etcd.txn(site.ha_template() | site.reader_template("calm") | one.keys())
        etcd.txn({site.config_key("calms", "calm0"): site.envelope({"id": "calm0", "port_id": "p0"})})
        for number in range(1, MANY):
            etcd.txn(
                {site.config_key("ha_interfaces", f"ha{number}"): site.envelope({**one.body, "id": f"ha{number}"})}
            )
        async with etcd.monitor(Settings(publish="none")) as monitor:
            await ready(monitor)
            for turn in itertools.count():
                if not monitor.readiness().ready:
                    break
                if turn % AGAIN == 0:
                    etcd.txn(site.template("ha_interface_monitoring", f"{site.PAIR}# {turn}\n"))
                pass_time(TURN)
                await anyio.lowlevel.checkpoint()
            reason = monitor.readiness().reason
            words = r"(1[2-9] s and \d+ revisions behind etcd: \d+ of its resources wait to be evaluated)"
            found = re.fullmatch(f"ha_interface is {words}", reason)
            assert found, reason
            assert ("type ha_interface", f"it is {found[1]}") in list(monitor.problems())
            slow, calm = monitor.get("ha_interface", "ha0"), monitor.get("calm", "calm0")
            assert slow is not None
            assert calm is not None
            assert (slow.stale, calm.stale) == (True, False)
            await ready(monitor)
            assert not any(where.startswith("type ") for where, _ in monitor.problems())

    run(main)


def test_a_process_that_was_slow_for_a_moment_says_nothing_of_it() -> None:
    async def main() -> None:
        etcd, one = MemoryEtcd(), site.HaInterface()
        etcd.txn(site.ha_template() | one.keys())
        async with etcd.monitor() as monitor:
            await ready(monitor)
            for _ in range(3):
                pass_time(3.0)
                await anyio.sleep(5.0)
                assert monitor.readiness().ready, monitor.readiness()

    run(main)


class HeldUp(MemoryEtcd):
    """One whose client is held up for some seconds whenever it has just asked for the store's revision."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def connect(self, url: str, access: Access) -> MemoryStubs:
        stubs = super().connect(url, access)
        make = stubs.kv.Range

        def ask(request: Any, **options: Any) -> Any:
            if self.seconds and request.limit == 1:
                asyncio.get_running_loop().call_soon(pass_time, self.seconds)
            return make(request, **options)

        stubs.kv.Range = ask
        return stubs


@pytest.mark.parametrize("seconds", [1.0, 4.5, 8.0])
def test_what_holds_the_process_up_is_not_taken_for_silence_of_etcd(seconds: float) -> None:
    async def main() -> None:
        etcd = HeldUp()
        etcd.txn(site.ha_template() | site.HaInterface().keys())
        async with etcd.monitor() as monitor:
            await ready(monitor)
            streams = [watch.reconnects for watch in monitor.measures().watches]
            etcd.seconds = seconds
            await anyio.sleep(100.0)
            etcd.seconds = 0.0
            await ready(monitor, 5.0)
            assert [watch.reconnects for watch in monitor.measures().watches] == streams

    run(main)
