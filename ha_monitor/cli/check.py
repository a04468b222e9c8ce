"""``ha-monitor check``: every monitoring template and resource in an etcd."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.jsonout import print_json
from ha_monitor.cli.once import QUIET, data_option, evaluated
from ha_monitor.cli.options import settings_options
from ha_monitor.text import printable

if TYPE_CHECKING:
    from io import TextIOWrapper

    from ha_monitor.monitor import HaMonitor
    from ha_monitor.settings import Settings


@click.command()
@settings_options(without=QUIET)
@data_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of the problems.")
def check(settings: Settings, data: TextIOWrapper | None, *, as_json: bool) -> None:
    """Evaluate everything in an etcd, or in a file, and print a line for each problem; nothing is written.

    With --json: a list of {"type", "id", "template", "problem"}; a template without a resource type has no type
    and no id. Exit code 1 where there is a problem.
    """
    sys.exit(anyio.run(_check, settings, data, as_json))


async def _check(settings: Settings, data: TextIOWrapper | None, as_json: bool) -> int:
    async with evaluated(settings, data) as monitor:
        problems = list(monitor.problems())
        named = [_named(monitor, where) | {"problem": words} for where, words in problems] if as_json else []
        resources = sum(1 for _ in monitor.resources())
    if as_json:
        print_json(named)
    else:
        for where, words in problems:
            click.echo(printable(f"{where}: {words}"))
        click.echo(f"{resources} resources, {len(problems)} problems", err=True)
    return 1 if problems else 0


def _named(monitor: HaMonitor, where: str) -> dict[str, str | None]:
    """Take apart where a problem is: ``plugin X``, ``template X``, ``type X``, or ``TYPE/ID``, frozen or not."""
    if where.startswith("plugin "):
        return {"type": None, "id": None, "template": None}
    if where.startswith("type "):
        return {"type": where.removeprefix("type "), "id": None, "template": None}
    where = where.removeprefix("maintenance ")
    if where.startswith("template "):
        return {"type": None, "id": None, "template": where.removeprefix("template ")}
    type_, _, id_ = where.partition("/")
    resource = monitor.get(type_, id_)
    return {"type": type_, "id": id_, "template": None if resource is None else resource.template}
