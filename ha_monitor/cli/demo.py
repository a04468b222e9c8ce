"""``ha-monitor demo``: see failovers on this machine, with an etcd of its own."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING, get_args

import anyio
import click

from ha_monitor.cli.http import hosts, listener, url
from ha_monitor.cli.logs import set_up
from ha_monitor.cli.options import TextOption
from ha_monitor.cli.progress import progress, until_synced
from ha_monitor.cli.table import board, console_here, draws, transition_line
from ha_monitor.demo.etcd_process import EtcdMissing, running_etcd
from ha_monitor.demo.play import play_on, play_once
from ha_monitor.demo.site import INTERFACES, sample_site
from ha_monitor.errors import HaMonitorError
from ha_monitor.etcd.client import EtcdClient, open_client
from ha_monitor.model import Change, Resync
from ha_monitor.monitor import HaMonitor
from ha_monitor.settings import Settings, SiteLayout
from ha_monitor.transition import transition_shape
from ha_monitor.web.shapes import resource_shape

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from rich.console import Console
    from rich.live import Live

_LISTEN = "127.0.0.1:8080"
_TICK = 0.5  # seconds between two drawings, at most: "since" goes on


@click.command()
@click.option("--once", is_flag=True, help="Play one failover, print each status as it changes, and end; no HTTP.")
@click.option(
    "--listen",
    cls=TextOption,
    envvar="HA_MONITOR_LISTEN",
    metavar="HOST:PORT",
    help=f"Address for HTTP; empty: no HTTP. [default: {_LISTEN}, or another port if that is taken]",
)
@click.option(
    "--layout",
    type=click.Choice(get_args(SiteLayout)),
    default="esi",
    envvar="HA_MONITOR_LAYOUT",
    help="Whose keys and records these are. [default: esi]",
)
def demo(*, once: bool, listen: str | None, layout: SiteLayout) -> None:
    """Start an etcd in a temporary folder, fill it with sample HA interfaces, and show failovers until Ctrl-C."""
    set_up("console", "error")
    listening = None if once else _listener(listen)
    try:
        with listening or contextlib.nullcontext():
            play = functools.partial(_once, layout) if once else functools.partial(_show, listening, layout)
            anyio.run(_until_signal, play)
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
async def _stage(layout: SiteLayout) -> AsyncIterator[tuple[EtcdClient, HaMonitor]]:
    """Set up etcd, sample site and monitor, and tell how far that is."""
    async with contextlib.AsyncExitStack() as stack:
        with progress(_say) as shown:
            shown.tell("starting an etcd of its own ...")
            address = await stack.enter_async_context(running_etcd())
            settings = Settings(etcd=(address,), layout=layout)
            client = await stack.enter_async_context(open_client(settings))
            count = await client.put_many((key, value.encode()) for key, value in sample_site(layout).items())
            _say(f"etcd {client.version} on {address}: {count} keys, {len(INTERFACES)} HA interfaces")
            monitor = await stack.enter_async_context(HaMonitor(settings))
            await until_synced(monitor, shown)
        yield client, monitor


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")  # not click's echo: it would write through a line that is drawn


async def _once(layout: SiteLayout) -> None:
    async with _stage(layout) as (client, monitor):
        await play_once(client, monitor, click.echo, layout)


async def _show(listening: socket.socket | None, layout: SiteLayout) -> None:
    console = console_here()
    async with _stage(layout) as (client, monitor), anyio.create_task_group() as tasks:
        tasks.start_soon(play_on, client, layout)
        if listening is not None:
            from ha_monitor.web.app import create_app
            from ha_monitor.web.server import serve

            tasks.start_soon(serve, create_app(monitor, hosts=hosts(listening, Settings())), listening)
            _say(f"the page is on {url(listening)}/")
        where = "" if listening is None else f"; the page: {url(listening)}/"
        await (_live(console, monitor, where) if draws(console) else _lines(monitor))


async def _lines(monitor: HaMonitor) -> None:
    async with monitor.changes() as changes:
        async for change in changes:
            if isinstance(change, Change):
                click.echo(transition_line(transition_shape(change)))
                sys.stdout.flush()


async def _live(console: Console, monitor: HaMonitor, where: str) -> None:
    from rich.live import Live

    last: deque[str] = deque(maxlen=6)
    async with monitor.changes() as changes:
        with Live(console=console, screen=False, auto_refresh=False) as live:
            while not changes.ended:
                taken = changes.take()
                if not isinstance(taken, Resync):
                    last.extend(transition_line(transition_shape(change)) for change in taken)
                _draw(live, monitor, last, where)
                with anyio.move_on_after(_TICK):
                    await changes.wait()


def _draw(live: Live, monitor: HaMonitor, last: Sequence[str], where: str) -> None:
    from rich.console import Group

    found = [monitor.get(type_, id_) for type_, id_ in monitor.roll.find(order="health")]
    letters = "".join(codes for _, codes in monitor.roll.codes())
    shown = [resource_shape(resource) for resource in found if resource is not None]
    table = board("", last, letters, shown, live.console.width)
    live.update(Group(table, f"failovers by chance, every 2 s; Ctrl-C ends{where}"), refresh=True)
