"""``python -m ha_monitor``, and the console script."""

from __future__ import annotations

import sys

from ha_monitor.cli import REFUSED, cli
from ha_monitor.errors import EtcdRefused


def main() -> None:
    """Run the command and exit with its code."""
    try:
        cli(prog_name="ha-monitor")
    except EtcdRefused as error:
        sys.stderr.write(f"etcd refused: {error}\n")
        sys.exit(REFUSED)


if __name__ == "__main__":
    main()
