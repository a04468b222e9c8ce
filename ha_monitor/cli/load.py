"""``ha-monitor load``: puts a JSON object of keys and values into etcd."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.once import QUIET
from ha_monitor.cli.options import settings_options
from ha_monitor.errors import EtcdError, EtcdRefused
from ha_monitor.etcd.client import open_client
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from io import TextIOWrapper

    from ha_monitor.settings import Settings


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@settings_options(without=QUIET)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar="S",
    help="seconds to wait for etcd",
)
def load(file: TextIOWrapper, settings: Settings, wait: float) -> None:
    """Put the keys of a JSON object {KEY: VALUE} into etcd; FILE may be - for standard input.

    A value that is text is put as it is, any other as compact JSON. Exit code 1 where etcd could not be reached.
    """
    try:
        items = json.load(file)
    except ValueError as error:
        raise click.UsageError(f"{file.name}: not JSON: {error}") from error
    if not isinstance(items, dict):
        raise click.UsageError(f"{file.name}: it has to hold one JSON object of keys and values")
    values = [(key, _value(value)) for key, value in items.items()]
    sys.exit(anyio.run(_load, settings, values, wait))


def _value(value: object) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


async def _load(settings: Settings, values: list[tuple[str, bytes]], wait: float) -> int:
    backoff = Backoff()
    fault: EtcdError | None = None
    with anyio.move_on_after(wait):
        async with open_client(settings) as client:
            while True:
                try:
                    count = await client.put_many(values)
                except EtcdRefused:
                    raise
                except EtcdError as error:
                    fault = error
                    await anyio.sleep(backoff.delay())
                else:
                    click.echo(f"{count} keys put")
                    return 0
    click.echo(f"given up after {wait:g} s: {fault or 'no answer'}", err=True)
    return 1
