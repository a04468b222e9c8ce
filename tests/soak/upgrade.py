"""A cluster of three etcds that is upgraded member by member, version by version, under constant changes.

``python -m tests.soak.upgrade --seconds 600 --members 3 --versions "3.5.30 3.6 3.7"``. It follows etcd's own order:
one member at a time, the next version only once the whole cluster has the one before. Ends with 1 where a monitor is
not ready other than for the restart of an etcd member, where a record is late or wrong, or where a write was wrong at
its own revision.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import httpx

from tests.etcds.bring import bring, sources_of, versions_of
from tests.soak.canary import Canary, Watchdog
from tests.support.binaries import Version, version_of
from tests.support.cluster import SIZE, Cluster
from tests.support.group import Changes, Group, under_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.etcds.sources import Source

PATH = "3.5.30 3.6 3.7"
"""The upgrade that is made where no other is asked for."""

STEP = 60.0  # seconds that a cluster may take to agree on its new version, or a member to take a snapshot
_READY_AGAIN = 5.0  # seconds after a member answers again in which a monitor has to be ready again
_V2_ENTRIES_GONE: Version = (3, 7, 0)  # it panics on entries of 3.5 in the log, unless a snapshot of 3.6 is behind them


class Upgrade:
    """The cluster, the monitors on it, and what is measured on the way."""

    def __init__(self, servers: Sequence[str], members: int) -> None:
        """Start the cluster with the first version.

        :param servers: paths of the etcd binaries, from the version to begin with to the last one.
        :param members: monitors in a group.
        """
        self._servers = servers
        self._stack = ExitStack()
        self.cluster = Cluster(servers[0])
        self._stack.callback(self.cluster.close)
        self.cluster.start()
        self.etcd = self._stack.enter_context(closing(self.cluster.client_of_all()))
        self.group = self._stack.enter_context(closing(Group(self.etcd, url=self.cluster.url)))
        self._monitors = members

    def close(self) -> None:
        """End all of it."""
        self._stack.close()

    def run(self, seconds: float) -> dict[str, object]:
        """Go through all versions in about so many seconds; return the figures.

        Raises ``AssertionError`` where something was not as it has to be.
        """
        changes, canary = Changes(self.etcd, Random()), Canary(self.etcd)
        since = changes.fill()
        canary.fill()
        for _ in range(self._monitors):
            self.group.start()
        self.group.wait_shared()
        self.group.wait_right()
        watchdog = Watchdog(self.group.members, canary)
        pause = seconds / (1 + SIZE * (len(self._servers) - 1))
        with watchdog, under_changes(self.group, changes, since):
            time.sleep(pause)  # the load itself is the test: nothing is waited for
            for number, server in enumerate(self._servers[1:], start=1):
                following = self._servers[number + 1] if number + 1 < len(self._servers) else None
                self._upgrade(server, following, watchdog, pause)
        for member in self.group.members:
            member.stop()
        assert not watchdog.wrong, "\n".join(watchdog.wrong[:20])
        return {
            "versions": [".".join(map(str, version_of(server))) for server in self._servers],
            "changes": changes.count,
            **watchdog.figures(),
        }

    def _upgrade(self, server: str, following: str | None, watchdog: Watchdog, pause: float) -> None:
        """Bring each member to a version, and make the cluster fit for the one after it."""
        leaves_entries = following is not None and version_of(following) >= _V2_ENTRIES_GONE
        self.cluster.options = ("--snapshot-count", "20") if leaves_entries else ()
        for member in range(SIZE):
            with watchdog.allowed(f"member {member} to {version_of(server)}", _READY_AGAIN):
                self.cluster.stop(member)
                self.cluster.servers[member] = server
                self.cluster.start(member)
            time.sleep(pause)
        agreed = self._wait_agreed(version_of(server))
        if leaves_entries:
            self._wait_snapshots(agreed)

    def _wait_agreed(self, version: Version) -> float:
        """Wait until every member says that the cluster has a version; return the time of that, as files have it."""
        give_up, wanted = time.monotonic() + STEP, f"{version[0]}.{version[1]}.0"
        for url in self.cluster.urls:
            while (said := httpx.get(f"{url}/version").json()["etcdcluster"]) != wanted:
                assert time.monotonic() < give_up, f"{url} says {said}, not {wanted}"
                time.sleep(0.1)
        return time.time()

    def _wait_snapshots(self, since: float) -> None:
        """Wait until every member has taken a snapshot since a time; the changes that go on bring it about."""
        give_up = time.monotonic() + STEP
        for member in range(SIZE):
            folder = Path(self.cluster.data(member), "member", "snap")
            while not any(path.stat().st_mtime > since for path in folder.glob("*.snap")):
                assert time.monotonic() < give_up, f"member {member} takes no snapshot"
                time.sleep(0.1)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--members", type=int, default=3, help="monitors in a group")
    versions_of(parser)
    given = parser.parse_args()
    given.versions = given.versions or PATH
    upgrade = Upgrade(paths(sources_of(parser, given)), given.members)
    try:
        print(json.dumps(upgrade.run(given.seconds)))
    finally:
        upgrade.close()


def paths(sources: list[Source]) -> list[str]:
    """Return the server binaries of these sources; ends the program where one can't be had."""
    problems = bring(sources)
    if problems:
        sys.exit("\n".join(problems))
    return [str(source.find()) for source in sources]


if __name__ == "__main__":
    main()
