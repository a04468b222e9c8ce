"""``ha-monitor demo``: see failovers on this machine, with an etcd of its own."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import signal
import sys
import time
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.http import listener, url
from ha_monitor.cli.logs import set_up
from ha_monitor.cli.table import resources_table
from ha_monitor.demo.etcd_process import EtcdMissing, running_etcd
from ha_monitor.demo.play import play_on, play_once
from ha_monitor.demo.site import INTERFACES, sample_site
from ha_monitor.errors import HaMonitorError
from ha_monitor.etcd.client import EtcdClient, open_client
from ha_monitor.model import Change, Resync
from ha_monitor.monitor import HaMonitor
from ha_monitor.settings import Settings

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable

    from rich.console import Console
    from rich.live import Live

_LISTEN = "127.0.0.1:8080"


@click.command()
@click.option("--once", is_flag=True, help="Play one failover, print each status as it changes, and end; no HTTP.")
@click.option(
    "--listen",
    envvar="HA_MONITOR_LISTEN",
    metavar="HOST:PORT",
    help=f"Address for HTTP; empty: no HTTP. [default: {_LISTEN}, or another port if that is taken]",
)
def demo(*, once: bool, listen: str | None) -> None:
    """Start an etcd in a temporary folder, fill it with sample HA interfaces, and show failovers until Ctrl-C."""
    set_up("console", "error")
    listening = None if once else _listener(listen)
    try:
        with listening or contextlib.nullcontext():
            anyio.run(_until_signal, _once if once else functools.partial(_show, listening))
    except EtcdMissing as error:
        raise click.UsageError(str(error)) from error
    except HaMonitorError as error:
        raise click.ClickException(str(error)) from error


def _listener(listen: str | None) -> socket.socket | None:
    """Bind the port that was asked for; where none was, one that can be had, and no HTTP without its extra."""
    if listen is not None:
        return listener(listen)
    if importlib.util.find_spec("uvicorn") is None or importlib.util.find_spec("starlette") is None:
        return None
    try:
        return listener(_LISTEN)
    except click.UsageError:
        return listener(_LISTEN.partition(":")[0] + ":0")


async def _until_signal(play: Callable[[], Awaitable[None]]) -> None:
    """Play to the end, or until a signal; either way what was started is ended and removed."""
    fault: HaMonitorError | None = None
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async with anyio.create_task_group() as tasks:

            async def stop() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(stop)
            try:
                await play()
            except HaMonitorError as error:  # the task group would wrap it
                fault = error
            tasks.cancel_scope.cancel()
    if fault is not None:
        raise fault


@contextlib.asynccontextmanager
async def _stage() -> AsyncIterator[tuple[EtcdClient, HaMonitor]]:
    """Set up etcd, sample site and monitor, with a line for each on the way."""
    click.echo("starting an etcd of its own ...", err=True)
    async with running_etcd() as address:
        settings = Settings(etcd=(address,))
        async with open_client(settings) as client:
            count = await client.put_many((key, value.encode()) for key, value in sample_site().items())
            click.echo(f"etcd {client.version} on {address}: {count} keys, {len(INTERFACES)} HA interfaces", err=True)
            async with HaMonitor(settings) as monitor:
                await monitor.synced()
                yield client, monitor


async def _once() -> None:
    async with _stage() as (client, monitor):
        await play_once(client, monitor, click.echo)


async def _show(listening: socket.socket | None) -> None:
    from rich.console import Console

    console = Console()
    async with _stage() as (client, monitor), anyio.create_task_group() as tasks:
        tasks.start_soon(play_on, client)
        if listening is not None:
            from ha_monitor.web.app import create_app
            from ha_monitor.web.server import serve

            tasks.start_soon(serve, create_app(monitor), listening)
            click.echo(f"HTTP on {url(listening)}: /healthz and /readyz", err=True)
        await (_live(console, monitor) if console.is_terminal else _lines(monitor))


async def _lines(monitor: HaMonitor) -> None:
    async with monitor.changes() as changes:
        async for change in changes:
            if isinstance(change, Change):
                click.echo(f"{_at(change.at)}  {_words(change)}")
                sys.stdout.flush()


async def _live(console: Console, monitor: HaMonitor) -> None:
    from rich.live import Live

    last: list[str] = []
    with Live(console=console, screen=False, auto_refresh=False) as live:
        _draw(live, monitor, last)
        async with monitor.changes() as changes:
            async for change in changes:
                if not isinstance(change, Resync):
                    last.append(f"{_at(change.at)}  {_words(change)}")
                    del last[:-6]
                _draw(live, monitor, last)


def _draw(live: Live, monitor: HaMonitor, last: list[str]) -> None:
    from rich.console import Group
    from rich.text import Text

    table = resources_table(monitor.resources(), "failovers by chance, every 2 s; Ctrl-C ends")
    live.update(Group(table, Text("\n".join(last))), refresh=True)


def _words(change: Change) -> str:
    return (
        f"{change.type} {change.id}: {change.entry} {change.old or 'new'} -> {change.new or 'gone'},"
        f" now {change.status}, active {change.active or 'none'}"
    )


def _at(at: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(at))
