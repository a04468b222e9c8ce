"""A monitor for the time of one question: nothing written, asked once everything is evaluated."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from ha_monitor.cli.keyfile import read_keys
from ha_monitor.cli.logs import set_up
from ha_monitor.cli.progress import progress, until_synced
from ha_monitor.monitor import HaMonitor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from io import TextIOWrapper

    from ha_monitor.settings import Settings

QUIET = (
    "listen", "http_token_file", "status_file", "status_file_on_stop", "publish", "log_format", "log_level",
    "hook", "webhook", "webhook_secret_file", "hook_state", "hook_timeout", "hook_parallel",
)  # fmt: skip
"""Settings that have no meaning for a question."""

data_option = click.option(
    "--data",
    type=click.File(encoding="utf-8"),
    envvar="HA_MONITOR_DATA",
    metavar="FILE",
    help="Take the keys from a file, as load does, and ask no etcd; - for standard input.",
)


@contextlib.asynccontextmanager
async def evaluated(settings: Settings, data: TextIOWrapper | None) -> AsyncIterator[HaMonitor]:
    """Give a monitor that has evaluated everything in etcd, or in a file of keys, and publishes nothing.

    etcd is waited for; why it is waited for is said on stderr now and then.
    """
    set_up("console", "error")
    keys = None if data is None else dict(read_keys(data))
    async with HaMonitor(settings.model_copy(update={"publish": "none"}), keys=keys) as monitor:
        with progress(lambda words: click.echo(words, err=True)) as shown:
            await until_synced(monitor, shown)
        yield monitor
