"""A monitor that was left is gone, whatever was under way: an application may make many of them."""

from __future__ import annotations

import gc
import weakref

import anyio

from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import until


def test_nothing_is_left_of_a_monitor_whose_writes_were_never_answered() -> None:
    left: list[weakref.ref[object]] = []

    async def main() -> None:
        etcd = MemoryEtcd()
        pair = site.HaInterface()
        etcd.txn(site.ha_template() | pair.keys())
        async with etcd.monitor() as monitor:
            await etcd.wait(pair.record, site.record())
            etcd.put(pair.primary_state, site.DOWN)
            etcd.freeze()  # the watch has brought it by then
            await until(lambda: monitor.pending == 1, 1.0)
            await anyio.sleep(0.1)
            left.extend(weakref.ref(part) for part in (monitor, monitor._publisher, monitor._fleet))

    run(main)
    gc.collect()
    assert [part() for part in left] == [None] * 3
