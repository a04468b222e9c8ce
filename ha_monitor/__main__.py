"""``python -m ha_monitor``, and the console script."""

from __future__ import annotations

import sys

from ha_monitor.cli import cli, refusal
from ha_monitor.cli.streams import prepare_streams
from ha_monitor.errors import EtcdRefused, GroupRefused


def main() -> None:
    """Run the command and exit with its code."""
    prepare_streams()
    try:
        cli(prog_name="ha-monitor")
    except (EtcdRefused, GroupRefused) as error:
        words, code = refusal(error)
        sys.stderr.write(f"{words}\n")
        sys.exit(code)


if __name__ == "__main__":
    main()
