"""``ha-monitor plan``: what would be published otherwise if some keys were put."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.jsonout import print_json
from ha_monitor.cli.keyfile import read_changes
from ha_monitor.cli.once import QUIET_BUT_PUBLISH, data_option, snapshot, wait_option
from ha_monitor.cli.options import settings_options
from ha_monitor.cli.planned import as_items, notes, show
from ha_monitor.cli.table import console_here
from ha_monitor.plan.planner import plan as make_plan
from ha_monitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import TextIOWrapper

    from ha_monitor.plan.report import Plan
    from ha_monitor.settings import Settings


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@settings_options(without=QUIET_BUT_PUBLISH)
@data_option
@wait_option
@click.option("--all", "everything", is_flag=True, help="Print all resources that change, not 20 of each kind.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of all that changes.")
def plan(
    file: TextIOWrapper, settings: Settings, data: TextIOWrapper | None, wait: float, *, everything: bool, as_json: bool
) -> None:
    """Tell what would be otherwise if the keys of FILE were put into etcd; nothing is written.

    FILE holds a JSON object {KEY: VALUE} as for load; - is standard input.
    Everything in etcd is read at one revision and evaluated without and with these keys, each time to what it comes
    to once every timeout has passed and every record that others read is published.

    Exit code 1 where any resource would appear, end, or have another status, active side, problem, status of an entry
    or published record, or any template another problem; 0 where nothing changes.
    """
    if data is not None and data.name == file.name == "<stdin>":
        raise click.UsageError("FILE and --data can't both be standard input")
    sys.exit(anyio.run(_plan, settings, data, wait, read_changes(file), everything, as_json))


async def _plan(
    settings: Settings,
    data: TextIOWrapper | None,
    wait: float,
    changes: Mapping[str, bytes | None],
    everything: bool,
    as_json: bool,
) -> int:
    planned: Plan = await make_plan(settings, await snapshot(settings, data, wait), changes)
    for words in notes(planned):
        click.echo(printable(words), err=True)
    if as_json:
        print_json(as_items(planned))
    else:
        show(console_here(), planned, everything=everything)
    return 0 if planned.is_empty else 1
