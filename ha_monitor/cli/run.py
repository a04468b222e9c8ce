"""``ha-monitor run``: the service."""

from __future__ import annotations

import contextlib
import logging
import signal
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli.http import listener, url
from ha_monitor.cli.logs import set_up
from ha_monitor.cli.options import settings_options
from ha_monitor.model import Change, Resync
from ha_monitor.monitor import HaMonitor

if TYPE_CHECKING:
    import socket

    from ha_monitor.settings import Settings

log = logging.getLogger("ha_monitor")


@click.command()
@settings_options()
def run(settings: Settings) -> None:
    """Watch etcd and publish, until SIGTERM or SIGINT."""
    set_up(settings.log_format, settings.log_level)
    listening = listener(settings.listen)
    with listening or contextlib.nullcontext():
        anyio.run(_serve, settings, listening)


async def _serve(settings: Settings, listening: socket.socket | None) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with HaMonitor(settings) as monitor, anyio.create_task_group() as tasks:
            tasks.start_soon(_log_changes, monitor)
            if listening is not None:
                from ha_monitor.web.app import create_app
                from ha_monitor.web.server import serve

                tasks.start_soon(serve, create_app(monitor), listening)
                log.info("HTTP on %s", url(listening))
            async for number in signals:
                log.info("%s: stopping", signal.Signals(number).name)
                break
            tasks.cancel_scope.cancel()


async def _log_changes(monitor: HaMonitor) -> None:
    """Write a line for each transition."""
    async with monitor.changes() as changes:
        await monitor.synced()
        resources = sum(1 for _ in monitor.resources())
        problems = sum(1 for _ in monitor.problems())
        log.info("synced: %d resources, %d problems", resources, problems)
        async for change in changes:
            if isinstance(change, Resync):
                log.warning("%d changes came faster than they could be logged", change.missed)
            else:
                log.info("%s", _line(change), extra=_fields(change))


def _line(change: Change) -> str:
    return (
        f"{change.type}/{change.id} {change.entry}: {change.old or 'new'} -> {change.new or 'gone'}"
        f" (status {change.status}, active {change.active or 'none'}, revision {change.revision})"
    )


def _fields(change: Change) -> dict[str, object]:
    return {
        "type": change.type,
        "id": change.id,
        "entry": change.entry,
        "old": change.old,
        "new": change.new,
        "status": change.status,
        "active": change.active,
        "revision": change.revision,
    }
