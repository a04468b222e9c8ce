"""Many records at once leave the event loop to others: one transaction is begun in each of its turns, at the most."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio

from ha_monitor.publish.decider import Decider
from ha_monitor.publish.filling import LOOKS
from ha_monitor.publish.publisher import IN_FLIGHT
from ha_monitor.publish.transaction import COMPARISONS_IN_A_TRANSACTION
from ha_monitor.testing import MemoryEtcd
from tests.support import site
from tests.testing.fleet import until

if TYPE_CHECKING:
    import pytest

    from ha_monitor.etcd.connection import Access
    from ha_monitor.testing.stubs import MemoryStubs

RECORDS = 2 * IN_FLIGHT * COMPARISONS_IN_A_TRANSACTION


class Counted(MemoryEtcd):
    """Counts the transactions that are begun in each turn of the event loop."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0
        self.begun: Counter[int] = Counter()

    async def count_turns(self) -> None:
        while True:
            self.turn += 1
            await asyncio.sleep(0)

    def connect(self, url: str, access: Access) -> MemoryStubs:
        stubs = super().connect(url, access)
        make = stubs.kv.Txn

        def txn(*request: Any, **options: Any) -> Any:
            self.begun[self.turn] += 1
            return make(*request, **options)

        stubs.kv.Txn = txn
        return stubs


def test_transactions_are_begun_one_in_a_turn() -> None:
    async def main() -> None:
        etcd = Counted()
        etcd.txn(site.ha_template())
        for _ in range(RECORDS):
            etcd.txn(site.HaInterface().keys())
        counting = asyncio.ensure_future(etcd.count_turns())
        async with etcd.monitor():
            await until(lambda: etcd.begun.total() >= RECORDS // COMPARISONS_IN_A_TRANSACTION, 30.0, lambda: etcd.begun)
        counting.cancel()
        assert set(etcd.begun.values()) == {1}

    anyio.run(main)


def test_records_that_are_right_are_decided_on_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    decided: Counter[int] = Counter()
    decide = Decider.decide

    async def main() -> None:
        etcd = Counted()
        etcd.txn(site.ha_template())
        for _ in range(3 * LOOKS):
            pair = site.HaInterface()
            etcd.txn({**pair.keys(), pair.record: site.record()})
        counting = asyncio.ensure_future(etcd.count_turns())

        def counted(self: Decider, *arguments: Any) -> Any:
            decided[etcd.turn] += 1
            return decide(self, *arguments)

        monkeypatch.setattr(Decider, "decide", counted)
        async with etcd.monitor():
            await until(lambda: decided.total() >= 3 * LOOKS, 30.0, lambda: decided)
        counting.cancel()
        assert max(decided.values()) <= LOOKS
        assert not etcd.begun

    anyio.run(main)
