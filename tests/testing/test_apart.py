"""Watch streams that bring what happened in another order than it did: each prefix has one of its own."""

from __future__ import annotations

import anyio

from ha_monitor import Settings
from ha_monitor.testing import run
from tests.support import site
from tests.testing.held_back import HeldBack

STATE_TIMEOUT = 5.0


def test_a_record_is_not_deleted_on_the_word_of_a_template_that_is_gone_by_then() -> None:
    async def main() -> None:
        etcd, pair = HeldBack(site.TEMPLATES), site.HaInterface()
        etcd.txn(site.ha_template())
        async with etcd.monitor(Settings(state_timeout=STATE_TIMEOUT)) as monitor:
            await monitor.synced()
            etcd.txn(site.template("ha_interface_monitoring", "{% endif %}"))
            etcd.txn(pair.keys() | {pair.record: site.record()})  # as another monitor left it
            await etcd.wait(pair.record, None)
            etcd.holds = True
            etcd.delete(site.template_key("ha_interface_monitoring"))
            etcd.put(pair.record, site.record())  # of whoever serves the type from now on
            await anyio.sleep(2 * STATE_TIMEOUT)
            assert etcd.record(pair.record) == site.record()
            etcd.let_go()
            await anyio.sleep(2 * STATE_TIMEOUT)
            assert monitor.get("ha_interface", pair.id) is None
            assert etcd.record(pair.record) == site.record()

    run(main)
