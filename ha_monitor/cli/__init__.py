"""The command ``ha-monitor``: arguments, environment, files, signals and exit codes. Nothing else reads them."""

from __future__ import annotations

import click

from ha_monitor.cli.check import check
from ha_monitor.cli.completion import completion
from ha_monitor.cli.demo import demo
from ha_monitor.cli.explain import explain
from ha_monitor.cli.load import load
from ha_monitor.cli.plan import plan
from ha_monitor.cli.render import render
from ha_monitor.cli.run import run
from ha_monitor.cli.status import status

DONE, FOUND, USAGE, REFUSED = 0, 1, 2, 3
"""Exit codes: done, a check found something, wrong usage or settings, etcd refused (auth, TLS)."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="ha-monitor", prog_name="ha-monitor")
def cli() -> None:
    """Watch HA interfaces in etcd and publish their primary/secondary status the moment it changes.

    Every option is also an environment variable HA_MONITOR_<OPTION> and a key of the YAML file that --config names.
    The command line beats the environment, which beats the file.
    """


for _command in (run, status, demo, check, render, explain, plan, load, completion):
    cli.add_command(_command)
