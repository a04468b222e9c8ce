"""The rows of the prototype, which does the least: what of a figure is the way of working itself, beside its floor."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from tests.benchmarks import backlog
from tests.benchmarks.figures import Row
from tests.benchmarks.side import Side

if TYPE_CHECKING:
    from tests.benchmarks.rows import Bench


async def rows(bench: Bench) -> list[Row]:
    """Take all of them."""
    heard = Row("prototype: PUT → change, p50", "ms", None, floor_is="bare watch")
    return [
        await _backlog(bench),
        await bench.heard_by("prototype", heard),
        await _published(bench),
        await _burst(bench),
    ]


async def _backlog(bench: Bench) -> Row:
    row = Row("prototype: backlog", "events/s", None, floor_is="aetcd, doing nothing")
    for _ in range(bench.rounds):
        row.floor.append(await backlog.rate(bench, "nothing"))
        row.product.append(await backlog.rate(bench, "prototype"))
    return row


async def _published(bench: Bench) -> Row:
    row = Row("prototype: PUT → record, p50", "ms", None, floor_is="bare put-watch-put-watch")
    for _ in range(bench.rounds):
        async with Side("chain", bench.etcd.url) as bare, Side("publishing", bench.etcd.url) as side:
            await bare.hear("ready")
            await side.hear("ready")
            floor, product = await bench.records_in_turn()
            row.floor.append(statistics.median(floor))
            row.product.append(statistics.median(product))
    return row


async def _burst(bench: Bench) -> Row:
    count = bench.at_once
    row = Row("prototype: records at once", "records/s", None, floor_is="bare 128-put transactions")
    for _ in range(bench.rounds):
        row.floor.append(await bench.written(count))
        async with Side("publishing", bench.etcd.url) as side:
            await side.hear("ready")
            row.product.append(count / await bench.burst_of(side.process, count))
    return row
