"""``ha-monitor check``: every monitoring template and resource in an etcd."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.once import QUIET, evaluated
from ha_monitor.cli.options import settings_options

if TYPE_CHECKING:
    from ha_monitor.settings import Settings


@click.command()
@settings_options(without=QUIET)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of the problems.")
def check(settings: Settings, *, as_json: bool) -> None:
    """Evaluate everything in an etcd and print a line for each problem; nothing is written.

    Exit code 1 where there is a problem.
    """
    sys.exit(anyio.run(_check, settings, as_json))


async def _check(settings: Settings, as_json: bool) -> int:
    async with evaluated(settings) as monitor:
        problems = list(monitor.problems())
        resources = sum(1 for _ in monitor.resources())
    if as_json:
        click.echo(json.dumps([{"where": where, "problem": words} for where, words in problems], indent=2))
    else:
        for where, words in problems:
            click.echo(f"{where}: {words}")
        click.echo(f"{resources} resources, {len(problems)} problems", err=True)
    return 1 if problems else 0
