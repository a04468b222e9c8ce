"""``ha-monitor status``: a running monitor as a table, once or live."""

from __future__ import annotations

import functools
import signal
from typing import TYPE_CHECKING

import anyio
import click
import msgspec

from ha_monitor.cli.remote import consistent_option, remote, token_option, url_option
from ha_monitor.cli.table import board, console_here, print_trimmed
from ha_monitor.cli.watch import watch_lines, watch_live
from ha_monitor.text import local_time

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path
    from typing import TypeAlias

    from ha_monitor.cli.remote import Query, Remote

    _Show: TypeAlias = Callable[[Remote, Query], Awaitable[None]]


@click.command()
@url_option
@token_option
@click.option("--type", "type_", default="", metavar="TYPE", help="Only this resource type.")
@click.option(
    "--status",
    type=click.Choice(["UP", "DEGRADED", "DOWN", "UNKNOWN", "PROBLEM"], case_sensitive=False),
    help="Only this status.",
)
@click.option("--search", default="", metavar="TEXT", help="Only what has this in its name, id, type or problem.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Lines of the table, at the most."
)
@consistent_option
@click.option("--watch", is_flag=True, help="Go on: the table live, with what changed last on top.")
@click.option("--json", "as_json", is_flag=True,
              help="Print all of it as JSON; with --watch, a line for each change.")  # fmt: skip
def status(
    url: str, token_file: Path | None, type_: str, status: str | None, search: str, limit: int,
    *, consistent: bool, watch: bool, as_json: bool,
) -> None:  # fmt: skip
    """Show a running monitor's resources, what is not healthy first.

    Exit code 1 where the monitor gives no answer.
    """
    if watch and consistent:
        raise click.UsageError("--consistent is for one answer, --watch goes on: give one of them")
    query: Query = {"type": type_, "status": status or "", "q": search}
    shows: dict[tuple[bool, bool], _Show] = {
        (False, False): _once,
        (False, True): _all,
        (True, False): watch_live,
        (True, True): functools.partial(watch_lines, as_json=True),
    }
    show = shows[watch, as_json]
    anyio.run(_run, url, token_file, consistent, show, query if as_json else {**query, "limit": limit})


async def _run(url: str, token_file: Path | None, consistent: bool, show: _Show, query: Query) -> None:
    """Show it, to the end or until a signal."""
    fault: BaseException | None = None
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with remote(url, token_file, consistent=consistent) as monitor, anyio.create_task_group() as tasks:

            async def stop() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(stop)
            try:
                await show(monitor, query)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the task group would wrap it: nobody reads on, say
                fault = error
            tasks.cancel_scope.cancel()
    if fault is not None:
        raise fault


async def _all(monitor: Remote, query: Query) -> None:
    look = await monitor.everything(query)
    whole = {
        "ready": look.ready.ready, "reason": look.ready.reason, "warning": look.ready.warning, "group": look.group,
        "resources": look.shown.resources,
    }  # fmt: skip
    click.echo(msgspec.json.format(msgspec.json.encode(whole), indent=2))


async def _once(monitor: Remote, query: Query) -> None:
    look = await monitor.look(query)
    console = console_here()
    print_trimmed(
        console, board(look.fault, (), look.letters, look.shown.resources, console.width, look.group, look.warning)
    )
    if (shown := len(look.shown.resources)) < look.shown.total:
        console.print(f"{shown:,} of {look.shown.total:,} shown; --limit, --type, --status and --search choose")
    if not look.fault and look.proven_at is not None:
        at = local_time(look.proven_at)
        console.print(f"right up to revision {look.shown.revision}, proven at {at}", style="dim", highlight=False)
