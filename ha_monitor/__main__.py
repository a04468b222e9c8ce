"""``python -m ha_monitor``, and the console script."""

from __future__ import annotations

import sys

from ha_monitor.cli import REFUSED, USAGE, cli
from ha_monitor.errors import EtcdRefused, GroupRefused


def main() -> None:
    """Run the command and exit with its code."""
    try:
        cli(prog_name="ha-monitor")
    except EtcdRefused as error:
        sys.stderr.write(f"etcd refused: {error}\n")
        sys.exit(REFUSED)
    except GroupRefused as error:
        sys.stderr.write(f"group refused: {error}\n")
        sys.exit(USAGE)


if __name__ == "__main__":
    main()
