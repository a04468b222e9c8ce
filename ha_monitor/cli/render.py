"""``ha-monitor render``: what one resource renders to."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import anyio
import click

from ha_monitor.cli.jsonout import print_json
from ha_monitor.cli.once import QUIET, data_option, evaluated, wait_option
from ha_monitor.cli.options import settings_options
from ha_monitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import TextIOWrapper

    from ha_monitor.settings import Settings


@click.command()
@click.argument("type_", metavar="TYPE")
@click.argument("id_", metavar="ID")
@settings_options(without=QUIET)
@data_option
@wait_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def render(type_: str, id_: str, settings: Settings, data: TextIOWrapper | None, wait: float, *, as_json: bool) -> None:
    """Show what a resource renders to: parameters, document, entries, keys it hangs on; nothing is written.

    Exit code 1 where there is no such resource.
    """
    sys.exit(anyio.run(_render, settings, data, wait, type_, id_, as_json))


async def _render(
    settings: Settings, data: TextIOWrapper | None, wait: float, type_: str, id_: str, as_json: bool
) -> int:
    async with evaluated(settings, data, wait) as monitor:
        shown = monitor.rendering(type_, id_)
    if shown is None:
        click.echo(f"there is no {type_} {id_} with a monitoring template", err=True)
        return 1
    if as_json:
        print_json(shown)
    else:
        _print(shown)
    return 0


def _print(shown: Mapping[str, Any]) -> None:
    for line in _lines(shown):
        click.echo(printable(line))


def _lines(shown: Mapping[str, Any]) -> Iterator[str]:
    yield f"{shown['type']} {shown['id']} (version {shown['version']}, template {shown['template']})"
    yield from ("", "parameters")
    for name, value in shown["parameters"].items():
        yield f"  {name} = {json.dumps(value, ensure_ascii=False, default=str)}"
    yield from ("", "document")
    for line in (shown["document"] or "").splitlines():
        yield f"  {line}"
    yield from ("", "entries")
    for name, props in shown["entries"].items():
        yield f"  {name}: {json.dumps(props, ensure_ascii=False, default=str)}"
    yield from ("", "depends on")
    for key in shown["depends_on"]:
        yield f"  {key}"
    if shown["problem"]:
        yield from ("", f"problem: {shown['problem']}")
