"""The command ``ha-monitor``: arguments, environment, files, signals and exit codes. Nothing else reads them."""

from __future__ import annotations

from importlib import import_module

import click

from ha_monitor.errors import EtcdRefused, GroupRefused

DONE, FOUND, USAGE, REFUSED = 0, 1, 2, 3
"""Exit codes: done, a check found something, wrong usage or settings, etcd refused (auth, TLS)."""


def refusal(error: EtcdRefused | GroupRefused) -> tuple[str, int]:
    """Give the words for what ends a start, and the exit code."""
    return (f"etcd refused: {error}", REFUSED) if isinstance(error, EtcdRefused) else (f"group refused: {error}", USAGE)


class _Commands(click.Group):
    """Commands in the order of their use, each imported from the file of its name once it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them."""
        return ["run", "status", "demo", "check", "render", "explain", "plan", "load", "completion"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = getattr(import_module(f"ha_monitor.cli.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="ha-monitor", prog_name="ha-monitor")
def cli() -> None:
    """Watch HA interfaces in etcd and publish their primary/secondary status the moment it changes.

    Every option is also an environment variable HA_MONITOR_<OPTION> and a key of the YAML file that --config names.
    The command line beats the environment, which beats the file.
    """
