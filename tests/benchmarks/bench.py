"""``make bench``: every row of the table of targets, product and floor in turn, as a table and as JSON."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from tests.benchmarks.figures import as_json, show, side_by_side
from tests.benchmarks.fleet import Fleet, Writer
from tests.benchmarks.rows import Bench
from tests.support.etcd import Etcd

if TYPE_CHECKING:
    from tests.benchmarks.figures import Row

AT_A_TENTH = ("heard", "published", "burst", "backlog", "prototype", "fairness", "poller")
AT_FULL_SIZE = ("start", "memory", "churn", "idle", "backlog", "prototype", "fairness")
GROWTH = ("start", "memory", "idle", "followed", "heard")


async def at(n: int, names: tuple[str, ...], arguments: argparse.Namespace) -> list[Row]:
    """Take some rows with n interfaces in an etcd of their own."""
    names = tuple(name for name in names if not arguments.rows or name in arguments.rows)
    if not names:
        return []
    etcd = Etcd("--quota-backend-bytes", str(8 << 30)).start()
    try:
        fleet, writer = Fleet(n), Writer(etcd)
        try:
            await writer.write(fleet.items())
            await writer.write(fleet.records())
            bench = Bench(etcd, fleet, writer, arguments.rounds, latencies=arguments.latencies, events=arguments.events)
            rows: list[Row] = []
            for name in names:
                print(f"{n:,} interfaces: {name} ...", file=sys.stderr)
                fleet.learn(etcd)
                rows += await getattr(bench, name)()
            return rows
        finally:
            await writer.close()
    finally:
        etcd.close()


async def measure(arguments: argparse.Namespace) -> int:
    """Take all rows; gives 1 where a target is missed."""
    if arguments.growth:
        sizes = (arguments.n // 100, arguments.n // 10, arguments.n)
        growth = [await at(n, GROWTH, arguments) for n in sizes]
        side_by_side(growth, [f"n = {n:,}" for n in sizes])
        return 0
    small = await at(arguments.n // 10, AT_A_TENTH, arguments)
    show(small, f"n = {arguments.n // 10:,}")
    large = await at(arguments.n, AT_FULL_SIZE, arguments)
    show(large, f"n = {arguments.n:,}")
    if arguments.json:
        document = {
            "n": arguments.n, "rounds": arguments.rounds, "python": platform.python_version(),
            "small": as_json(small), "large": as_json(large),
        }  # fmt: skip
        await anyio.Path(arguments.json).write_text(json.dumps(document, indent=2) + "\n")
    return int(any(row.met is False for row in (*small, *large)))


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("-n", type=int, default=100_000, help="HA interfaces; latencies are taken at a tenth of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latencies", type=int, default=1_000, help="changes put one by one, for each latency")
    parser.add_argument("--events", type=int, default=200_000, help="of a backlog")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--rows", nargs="*", help="only these")
    parser.add_argument("--growth", action="store_true", help="some rows at a hundredth, a tenth and all of n instead")
    return anyio.run(measure, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
