"""``ha-monitor run``: the service."""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
import sys
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

import anyio
import click

from ha_monitor.cli import refusal
from ha_monitor.cli.collector import collect_rarely, keep_out_of_it
from ha_monitor.cli.files import check_access, kept_file
from ha_monitor.cli.hooks import check_hooks
from ha_monitor.cli.http import check_token, hosts, listener, url
from ha_monitor.cli.logs import set_up_apart
from ha_monitor.cli.memory import give_back
from ha_monitor.cli.notify import LOOK, keep_notified
from ha_monitor.cli.openfiles import allow_all
from ha_monitor.cli.options import settings_options
from ha_monitor.cli.progress import progress, until_synced
from ha_monitor.errors import EtcdRefused, GroupRefused
from ha_monitor.hooks.service import Hooks
from ha_monitor.model import Change, Resync, Status
from ha_monitor.monitor import HaMonitor
from ha_monitor.statusfile import keep_status_file
from ha_monitor.text import duration

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from ha_monitor.settings import Settings

log = logging.getLogger("ha_monitor")

AT_ONCE, PAUSE = 10, 0.01
"""Lines that are logged in one go, and the seconds before that: what is published goes before what is said of it, and a
line written at once holds up the record by 0.1 ms (measured). Chosen: 1,000 lines a second are more than anybody reads,
and take 4 % of a core."""

MANY, PATIENCE = 128, 1.0
"""Records on their way for which lines wait, and the seconds that they do so at the most, until there are fewer again.
Chosen: more than one transaction of etcd has, and a second."""


@click.command()
@settings_options()
def run(settings: Settings) -> None:
    """Watch etcd and publish, until SIGTERM, SIGINT or SIGHUP."""
    with set_up_apart(settings.log_format, settings.log_level):
        try:
            _run(settings)
        except (EtcdRefused, GroupRefused) as error:
            if settings.log_format == "console":
                raise
            words, code = refusal(error)
            log.error("%s", words)  # whoever reads JSON reads nothing else
            sys.exit(code)


def _run(settings: Settings) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who ignores it leaves that to us, and then no hook has an exit code
    check_token(settings.http_token_file)
    check_hooks(settings)
    kept = {
        "status_file": kept_file("--status-file", settings.status_file),
        "hook_state": kept_file("--hook-state", settings.hook_state),
    }
    settings = settings.model_copy(update=kept)
    collect_rarely()
    allow_all()
    log.info("ha_monitor %s: etcd %s; %s", version("ha-monitor"), _cluster(settings), _work(settings))
    listening = listener(settings.listen)
    with listening or contextlib.nullcontext():
        check_access(settings)
        anyio.run(_serve, settings, listening, backend_options={"use_uvloop": find_spec("uvloop") is not None})


def _cluster(settings: Settings) -> str:
    """Say which etcd it is, as far as that is known before any is reached."""
    discovery = settings.discovery
    return ", ".join(settings.etcd) if discovery is None else f"by DNS SRV records of {discovery.domain}"


def _work(settings: Settings) -> str:
    """Say what this service does, in a few words."""
    types = f"types {', '.join(settings.types)}" if settings.types else "all types"
    publishes = "publishes nothing" if settings.publish == "none" else f"publishes as {settings.publish}"
    group = f", in group {settings.group}" if settings.group else ""
    return f"{types}; {publishes}{group}"


async def _serve(settings: Settings, listening: socket.socket | None) -> None:
    ends = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as nohup has it
        ends.append(signal.SIGHUP)
    with anyio.open_signal_receiver(*ends) as signals:
        async with HaMonitor(settings) as monitor, anyio.create_task_group() as tasks:
            tasks.start_soon(keep_out_of_it, monitor)
            tasks.start_soon(give_back, monitor)
            tasks.start_soon(_log_changes, monitor, settings.log_format == "console")
            tasks.start_soon(_log_readiness, monitor)
            if settings.status_file is not None:
                keep = functools.partial(keep_status_file, remove=settings.status_file_on_stop == "remove")
                tasks.start_soon(keep, monitor, settings.status_file)
            hooks = Hooks(monitor, settings)
            tasks.start_soon(hooks.run)
            if listening is not None:
                from ha_monitor.web.app import create_app
                from ha_monitor.web.server import serve

                names = hosts(listening, settings)
                app = create_app(monitor, settings.http_token_file, hooks.measures, names)
                tasks.start_soon(serve, app, listening)
                log.info("HTTP on %s", url(listening))
            tasks.start_soon(keep_notified, monitor)
            async for number in signals:
                log.info("%s: stopping", signal.Signals(number).name)
                break
            tasks.cancel_scope.cancel()
    log.info("stopped")


async def _log_changes(monitor: HaMonitor, draw: bool) -> None:
    """Write a line for each transition, and now and then how far the first list is."""
    async with monitor.changes() as changes:
        with progress(log.info, draw=draw) as shown:
            await until_synced(monitor, shown)
        resources, problems = monitor.progress().resources, list(monitor.problems())
        log.info("synced: %d resources, %d problems", resources, len(problems))
        for where, words in problems:
            if where.startswith(("type ", "maintenance ")):  # of any other, there is a line already
                log.warning("%s: %s", where, words)
        busy_until: float | None = None
        try:
            while not changes.ended:
                await changes.wait()
                await anyio.sleep(PAUSE)
                if monitor.pending <= MANY:
                    busy_until = None
                elif busy_until is None:
                    busy_until = anyio.current_time() + PATIENCE
                if busy_until is None or busy_until <= anyio.current_time():
                    _log(changes.take(AT_ONCE))
        finally:
            _log(changes.take())  # what was published just before the end


async def _log_readiness(monitor: HaMonitor) -> None:
    """Write a line when what is said can't be trusted any more, and when it can again, until cancelled."""
    await monitor.synced()
    fault, since = "", 0.0
    while True:
        readiness = monitor.readiness()
        if readiness.reason and not fault:
            since = anyio.current_time()
            log.warning("not ready: %s", readiness.reason)
        elif fault and readiness.ready:
            log.info("ready again, after %s", duration(anyio.current_time() - since))
        fault = readiness.reason
        await anyio.sleep(LOOK)


def _log(changes: Sequence[Change] | Resync) -> None:
    if isinstance(changes, Resync):
        log.warning("%d changes came faster than they could be logged", changes.missed)
        return
    for change in changes:
        level = _level(change)
        if log.isEnabledFor(level):
            log.log(level, "%s", _line(change), extra=_fields(change))


def _level(change: Change) -> int:
    """Give what somebody may be woken for a level of its own; what is only said of all, and is said once, the least."""
    if change.blind:
        return logging.DEBUG
    return logging.WARNING if change.new in (Status.DOWN, Status.FAIL) else logging.INFO


def _line(change: Change) -> str:
    reason = f": {change.reason}" if change.reason else ""
    return (
        f"{change.type}/{change.id} {change.entry}: {change.old or 'new'} -> {change.new or 'gone'}{reason}"
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
        "reason": change.reason,
    }
