"""Watch streams that bring what happened in another order than it did: each prefix has one of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import anyio

from ha_monitor import Settings
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.etcd.channel import Access
    from ha_monitor.testing.stubs import MemoryStubs

STATE_TIMEOUT = 5.0


class HeldBack(MemoryEtcd):
    """Brings the events of one prefix only once they are let go."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.holds = False
        self._prefix = prefix.encode()
        self._held: list[tuple[Callable[[Any], None], Any]] = []

    def connect(self, url: str, access: Access) -> MemoryStubs:
        stubs = super().connect(url, access)
        open_stream = stubs.watch.Watch

        def watch(**options: Any) -> Any:
            stream = open_stream(**options)
            bring = stream.reply

            def reply(message: Any) -> None:
                if self.holds and message.events and message.events[0].kv.key.startswith(self._prefix):
                    self._held.append((bring, message))
                else:
                    bring(message)

            stream.reply = reply
            return stream

        stubs.watch = SimpleNamespace(Watch=watch)
        return stubs

    def let_go(self) -> None:
        assert self._held, "there was nothing to hold back"
        self.holds = False
        for bring, message in self._held:
            bring(message)


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
