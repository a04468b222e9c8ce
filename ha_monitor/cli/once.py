"""A monitor for the time of one question: nothing written, asked once everything is evaluated."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli import REFUSED
from ha_monitor.cli.collector import collect_rarely
from ha_monitor.cli.files import check_access
from ha_monitor.cli.keyfile import read_keys
from ha_monitor.cli.logs import set_up
from ha_monitor.cli.progress import progress, until_synced
from ha_monitor.errors import EtcdUnavailable
from ha_monitor.etcd.client import open_client
from ha_monitor.monitor import HaMonitor
from ha_monitor.text import printable
from ha_monitor.watch.backoff import Backoff
from ha_monitor.watch.snapshot import Snapshot, read_snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from io import TextIOWrapper

    from ha_monitor.settings import Settings

_SAY = 5.0  # seconds between two lines that say that etcd is waited for

QUIET = (
    "listen", "http_token_file", "http_host", "status_file", "status_file_on_stop", "publish", "log_format",
    "log_level", "hook", "webhook", "webhook_secret_file", "hook_state", "hook_timeout", "hook_parallel",
)  # fmt: skip
"""Settings that have no meaning for a question."""

QUIET_BUT_PUBLISH = tuple(name for name in QUIET if name != "publish")
"""The same for a question about what would be published."""

data_option = click.option(
    "--data",
    type=click.File(encoding="utf-8"),
    envvar="HA_MONITOR_DATA",
    metavar="FILE",
    help="Take the keys from a file, as load does, and ask no etcd; - for standard input.",
)


wait_option = click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    metavar="S",
    envvar="HA_MONITOR_WAIT",
    help="Seconds to wait for etcd, each time that it does not answer. Exit code 3 when they are over.",
)


class NoAnswer(click.ClickException):
    """etcd has not answered for as long as ``--wait`` says. Exit code 3."""

    exit_code = REFUSED

    def __init__(self, wait: float, why: str) -> None:
        """Say for how many seconds it was waited for, and what came of the last try."""
        super().__init__(printable(f"given up after {wait:g} s: {why}"))


@contextlib.asynccontextmanager
async def evaluated(
    settings: Settings, data: TextIOWrapper | Mapping[str, bytes] | None, wait: float
) -> AsyncIterator[HaMonitor]:
    """Give a monitor that has evaluated everything in etcd, or in a file of keys, and publishes nothing.

    Why etcd is waited for is said on stderr now and then.

    :param data: the file, or its keys.
    :param wait: seconds that etcd is waited for; then :class:`NoAnswer` is raised.
    """
    set_up("console", "error")
    if data is None:
        check_access(settings)
    keys = data if data is None or isinstance(data, Mapping) else read_keys(data)
    async with HaMonitor(settings.model_copy(update={"publish": "none"}), keys=keys) as monitor:
        with progress(lambda words: click.echo(words, err=True)) as shown:
            if not await until_synced(monitor, shown, wait):
                raise NoAnswer(wait, monitor.readiness().reason)
        yield monitor


async def snapshot(settings: Settings, data: TextIOWrapper | None, wait: float) -> Snapshot:
    """Give everything that is in etcd under the prefixes of the settings, at one revision; or in a file of keys.

    etcd is waited for as by :func:`evaluated`. Raises :class:`NoAnswer`.
    """
    set_up("console", "error")
    collect_rarely()
    if data is not None:
        return Snapshot.of(read_keys(data))
    check_access(settings)
    return await read(settings, settings.keyspace.roots, wait)


async def read(settings: Settings, prefixes: Iterable[str], wait: float, *, keys_only: bool = False) -> Snapshot:
    """Read all keys under some prefixes, of the first member that answers. Raises :class:`NoAnswer`, and what refuses.

    :param wait: seconds that etcd is waited for, each time that it does not answer.
    """
    backoff, said, fault = Backoff(), 0.0, "no answer"
    async with open_client(settings) as client:
        with anyio.move_on_after(wait) as patience:
            while True:
                try:
                    return await read_snapshot(
                        client, prefixes, keys_only=keys_only, on_page=lambda: _go_on(patience, wait)
                    )
                except EtcdUnavailable as error:
                    fault = f"etcd can't be heard: {error}"
                if anyio.current_time() >= said + _SAY:
                    said = anyio.current_time()
                    click.echo(printable(f"waiting: {fault}"), err=True)
                await anyio.sleep(backoff.delay())
    raise NoAnswer(wait, fault)


def _go_on(patience: anyio.CancelScope, wait: float) -> None:
    """Wait as long again: something has come."""
    patience.deadline = anyio.current_time() + wait
