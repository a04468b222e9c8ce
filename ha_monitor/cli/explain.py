"""``ha-monitor explain``: why one resource is what it is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import click
import msgspec
from click.core import ParameterSource

from ha_monitor.cli.explained import show
from ha_monitor.cli.once import QUIET_BUT_PUBLISH, data_option, snapshot, wait_option
from ha_monitor.cli.options import settings_options
from ha_monitor.cli.remote import Absent, consistent_option, remote, token_option, url_option
from ha_monitor.cli.table import console_here
from ha_monitor.monitor import HaMonitor
from ha_monitor.text import legible
from ha_monitor.transition import encode
from ha_monitor.web.explained import explanation_shape

if TYPE_CHECKING:
    from io import TextIOWrapper
    from pathlib import Path

    from ha_monitor.settings import Settings
    from ha_monitor.web.explained import Explanation


@click.command()
@click.argument("type_", metavar="TYPE")
@click.argument("id_", metavar="ID")
@url_option
@token_option
@settings_options(without=QUIET_BUT_PUBLISH)
@data_option
@wait_option
@consistent_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(
    type_: str, id_: str, url: str, token_file: Path | None, settings: Settings, data: TextIOWrapper | None,
    wait: float, *, consistent: bool, as_json: bool,
) -> None:  # fmt: skip
    """Tell why a resource is what it is: config, parameters, entries, states, verdict, record; nothing is written.

    A running monitor is asked, at --url. With --etcd or --etcd-discovery-srv on the command line, or with --data,
    everything there is evaluated for this one answer instead; since when something is so, and who holds a write up,
    only a running monitor knows. Exit code 1 where there is no such resource.
    """
    for segment in (type_, id_):
        if not segment or "/" in segment:
            raise Absent(f"there is no {type_} {id_}: type and id are one path segment each")
    if _asks_a_monitor(data):
        told = anyio.run(_remote, url, token_file, type_, id_, consistent)
    elif consistent and data is not None:
        raise click.UsageError("--consistent asks etcd for its revision, --data asks no etcd: give one of them")
    else:  # an etcd is read as of now
        told = anyio.run(_here, settings, data, wait, type_, id_)
    if as_json:
        click.echo(msgspec.json.format(encode(told), indent=2))
    else:
        show(console_here(), told)
    sys.exit(0)


def _asks_a_monitor(data: TextIOWrapper | None) -> bool:
    """Tell whom to ask. An etcd in the environment is that of the monitor beside us, which knows more."""
    context = click.get_current_context()
    given = {
        name
        for name in ("url", "etcd", "etcd_discovery_srv", "data")
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }  # fmt: skip
    if "url" in given and len(given) > 1:
        raise click.UsageError(
            "--url asks a running monitor, --etcd, --etcd-discovery-srv and --data evaluate here: give one of them"
        )
    return "url" in given or (not given and data is None)


async def _remote(url: str, token_file: Path | None, type_: str, id_: str, consistent: bool) -> Explanation:
    async with remote(url, token_file, consistent=consistent) as monitor:
        return await monitor.explain(type_, id_)


async def _here(settings: Settings, data: TextIOWrapper | None, wait: float, type_: str, id_: str) -> Explanation:
    async with HaMonitor(settings, keys=await snapshot(settings, data, wait)) as monitor:
        await monitor.synced()
        told, absent = monitor.explain(type_, id_), monitor.absent(type_, id_)
    if told is None:
        raise Absent(legible(absent))
    return explanation_shape(told)
