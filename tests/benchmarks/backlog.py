"""Many changes until every verdict is right: all at once after a pause, or as fast as etcd takes them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tests.benchmarks.figures import Row
from tests.benchmarks.side import SETTLED, Side

if TYPE_CHECKING:
    from tests.benchmarks.rows import Bench

NOTHING = "aetcd, doing nothing"


async def rows(bench: Bench) -> list[Row]:
    """Changes a second, from the moment the process goes on, beside their floors."""
    changes, puts = _rows(bench, 1.2, NOTHING)
    bare = Row("the same", "changes/s", None, floor_is="bare stub, values decoded", product=changes.product)
    for _ in range(bench.rounds):
        changes.floor.append(await rate(bench, "nothing"))
        bare.floor.append(await rate(bench, "decoding"))
        changes.product.append(await rate(bench, "verdicts"))
        puts.floor.append(await rate(bench, "nothing", single=True))
        puts.product.append(await rate(bench, "verdicts", single=True))
    return [changes, bare, puts]


async def followed(bench: Bench) -> list[Row]:
    """The same of the product alone; and a storm, followed as it comes by product, floor and prototype."""
    changes, puts = _rows(bench)
    what = f"storm of {bench.events:,} changes, as fast as etcd takes them"
    storms = {
        "verdicts": Row(f"{what} → verdicts", "changes/s", None),
        "nothing": Row(f"the same → {NOTHING}", "changes/s", None),
        "prototype": Row("the same → the prototype", "changes/s", None),
    }
    for _ in range(bench.rounds):
        changes.product.append(await rate(bench, "verdicts"))
        puts.product.append(await rate(bench, "verdicts", single=True))
        for role, storm in storms.items():
            storm.product.append(await rate(bench, role, frozen=False))
    return [*storms.values(), changes, puts]


def _rows(bench: Bench, target: float | None = None, floor_is: str = "") -> tuple[Row, Row]:
    changes, puts = (
        Row(f"backlog of {what} → verdicts", "changes/s", target, at_most=False, floor_is=floor_is)
        for what in (f"{bench.events:,} changes", f"{bench.events // 4:,} single puts")
    )
    return changes, puts


async def rate(bench: Bench, role: str, *, single: bool = False, frozen: bool = True) -> float:
    """Give the changes a second of a role: of transactions, or of a quarter as many single puts.

    :param frozen: whether it gets them all at once, when they are written, or as they come.
    """
    fleet, writer = bench.fleet, bench.writer
    events = bench.events // 4 if single else bench.events
    last = {"verdicts": (), "prototype": (fleet.ids[-1],)}.get(role, (fleet.sides[-1][0],))
    async with Side(role, bench.etcd.url, *last) as side:
        await side.hear("ready")
        await asyncio.sleep(SETTLED)
        began = time.monotonic()
        if frozen:
            side.freeze()
        await (writer.put_each if single else writer.write)(fleet.flips(events))
        await writer.put(fleet.flip(fleet.n - 1, 0))
        if frozen:
            began = time.monotonic()
            side.thaw()
        seconds = (await side.hear("last"))["at"] - began
        if role == "verdicts":
            verdicts = (await side.hear("verdicts"))["verdicts"]
            assert verdicts == fleet.verdicts(bench.etcd), "a verdict is not what etcd says"
        return float(events / seconds)
