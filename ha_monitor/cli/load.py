"""``ha-monitor load``: puts a JSON object of keys and values into etcd, and deletes those that are ``null``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.files import check_access
from ha_monitor.cli.keyfile import read_changes
from ha_monitor.cli.once import QUIET, NoAnswer, wait_option
from ha_monitor.cli.options import settings_options
from ha_monitor.errors import EtcdError, EtcdNoSpace, EtcdRefused, EtcdUnavailable
from ha_monitor.etcd.client import open_client
from ha_monitor.watch.backoff import Backoff

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from io import TextIOWrapper

    from ha_monitor.settings import Settings

    _Change = tuple[str, bytes | None]

_BYTES = 1024 * 1024
"""Most that is put at once: etcd refuses requests above 1.5 MiB (its ``--max-request-bytes`` default)."""


@click.command()
@click.argument("file", type=click.File(encoding="utf-8"))
@settings_options(without=QUIET)
@wait_option
def load(file: TextIOWrapper, settings: Settings, wait: float) -> None:
    """Put the keys of a JSON object {KEY: VALUE} into etcd; FILE may be - for standard input.

    A value that is text is put as it is, null deletes the key, and any other is put as compact JSON. Exit code 1
    where etcd did not take the keys, 3 where it did not answer.
    """
    check_access(settings)
    sys.exit(anyio.run(_load, settings, list(read_changes(file).items()), wait))


def _batches(values: Iterable[_Change]) -> Iterator[list[_Change]]:
    """Give the keys in portions that fit into one request each; what is too large by itself stands alone."""
    batch: list[_Change] = []
    size = 0
    for key, value in values:
        more = len(key.encode()) + len(value or b"")
        if batch and size + more > _BYTES:
            yield batch
            batch, size = [], 0
        batch.append((key, value))
        size += more
    if batch:
        yield batch


async def _load(settings: Settings, values: list[_Change], wait: float) -> int:
    batches = list(_batches(values))
    backoff = Backoff()
    fault: EtcdError | None = None
    count = 0
    with anyio.move_on_after(wait) as patience:
        async with open_client(settings) as client:
            while count < len(values):
                try:
                    count += await client.put_many(batches[0])
                except (EtcdUnavailable, EtcdNoSpace) as error:
                    fault = error
                    await anyio.sleep(backoff.delay())
                except EtcdRefused:
                    raise
                except EtcdError as error:  # such as a value that is too large: another try meets the same
                    click.echo(f"{error} ({count} of {len(values)} keys put)", err=True)
                    return 1
                else:
                    del batches[0]
                    backoff.reset()
                    patience.deadline = anyio.current_time() + wait
        deleted = sum(value is None for _, value in values)
        click.echo(f"{count - deleted} keys put" + (f", {deleted} deleted" if deleted else ""))
        return 0
    raise NoAnswer(wait, f"{fault or 'no answer'} ({count} of {len(values)} keys put)")
