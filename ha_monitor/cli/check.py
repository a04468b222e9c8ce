"""``ha-monitor check``: every monitoring template and resource in an etcd."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.folders import compare
from ha_monitor.cli.jsonout import print_json
from ha_monitor.cli.keyfile import read_keys
from ha_monitor.cli.once import QUIET, data_option, evaluated, read, wait_option
from ha_monitor.cli.options import settings_options
from ha_monitor.errors import EtcdError
from ha_monitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from io import TextIOWrapper

    from ha_monitor.cli.folders import Findings
    from ha_monitor.monitor import HaMonitor
    from ha_monitor.settings import Settings


@click.command()
@settings_options(without=QUIET)
@data_option
@wait_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of the problems.")
def check(settings: Settings, data: TextIOWrapper | None, wait: float, *, as_json: bool) -> None:
    """Evaluate everything in an etcd, or in a file, and print a line for each problem; nothing is written.

    With --json: a list of {"type", "id", "template", "problem"}; a template without a resource type has no type
    and no id. Folders of configs without a template, and types whose status gohan ignores, are listed on stderr. Exit
    code 1 if there is a problem, or no resource, or a template without any config beside configs of unknown type.
    """
    sys.exit(anyio.run(_check, settings, data, wait, as_json))


async def _check(settings: Settings, data: TextIOWrapper | None, wait: float, as_json: bool) -> int:
    keys = None if data is None else read_keys(data)
    async with evaluated(settings, keys, wait) as monitor:
        resources = sum(1 for _ in monitor.resources())
        found = await _folders(settings, keys, monitor, resources, wait)
        problems = [*monitor.problems(), *_twice(monitor), *found.problems]
        named = [_named(monitor, where) | {"problem": words} for where, words in problems] if as_json else []
    for words in (*settings.catalog.notes, *found.notes):
        click.echo(printable(words), err=True)
    if as_json:
        print_json(named)
    else:
        for where, words in problems:
            click.echo(printable(f"{where}: {words}"))
        click.echo(f"{resources} resources, {len(problems)} problems", err=True)
    return 1 if problems or found.unsure else 0


async def _folders(
    settings: Settings, data: Mapping[str, bytes] | None, monitor: HaMonitor, resources: int, wait: float
) -> Findings:
    """Compare the folders that contain configs with the folders that are monitored."""
    keyspace, fault = settings.keyspace, ""
    try:
        keys = data if data is not None else await _keys(settings, wait)
    except EtcdError as error:  # the user's role may allow single folders only
        keys, fault = (), f"folders without a template are not reported: listing {keyspace.config_roots[0]}: {error}"
    templates = monitor.templates
    found = compare(
        keys, keyspace, settings.catalog, served=templates.served(), templated=templates.types(), resources=resources
    )
    if fault:
        found.notes.insert(0, fault)
    return found


async def _keys(settings: Settings, wait: float) -> Iterable[str]:
    found = await read(settings, settings.keyspace.config_roots, wait, keys_only=True)
    return [key.decode("utf-8", "surrogateescape") for key in found.items]


def _twice(monitor: HaMonitor) -> Iterator[tuple[str, str]]:
    for type_, id_, (counts, *others) in monitor.twice():
        yield f"{type_}/{id_}", f"it has several configs: {counts} is used, {', '.join(others)} is older"


def _named(monitor: HaMonitor, where: str) -> dict[str, str | None]:
    """Take apart where a problem is: ``plugin X``, ``template X``, ``type X``, or ``TYPE/ID``, frozen or not."""
    if where.startswith(("plugin ", "schema-file ")) or where in ("schemas", "namespaces", "templates"):
        return {"type": None, "id": None, "template": None}
    for kind in ("type ", "schema "):
        if where.startswith(kind):
            return {"type": where.removeprefix(kind), "id": None, "template": None}
    where = where.removeprefix("maintenance ")
    if where.startswith("template "):
        return {"type": None, "id": None, "template": where.removeprefix("template ")}
    type_, _, id_ = where.partition("/")
    resource = monitor.get(type_, id_)
    return {"type": type_, "id": id_, "template": None if resource is None else resource.template}
