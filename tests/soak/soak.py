"""The soak: random changes and random faults for as long as one likes, and the oracle again and again.

``python -m tests.soak.soak --seconds 1800 --seed 7``; the seed is printed, and gives the same changes and faults again
(not the same timing). Ends with 1 where what is published differs from a fresh evaluation of all of etcd.
"""

from __future__ import annotations

import argparse
import collections
import json
import secrets
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import grpc

from tests.faults.operate import compact, disarm, raise_no_space, wipe
from tests.soak.changes import change, whole_site
from tests.support.etcd import Etcd
from tests.support.oracle import differences
from tests.support.relay import Relay
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

SETTLED_WITHIN = 30.0
"""Seconds after a fault in which all has to be right again; it takes one or two on a machine that is not busy."""


class Soak:
    """One etcd behind a relay, one service, and somebody who does things to them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.changes = 0
        self.checks = 0
        self.faults: collections.Counter[str] = collections.Counter()
        self.etcd = Etcd().start()
        self.relay = Relay(self.etcd.port).__enter__()
        for puts, deletes in whole_site(self.random):
            self.etcd.txn(puts, deletes)
        self.service = Service(self.relay.url, "--state-timeout", "0.3", "--log-level", "info")

    def run(self, seconds: float) -> dict[str, object]:
        """Go on for so long; gives the figures. Raises ``AssertionError`` where something is not right."""
        self.service.wait_ready()
        self._check()
        at_start = self._memory()
        end = time.monotonic() + seconds
        said = time.monotonic()
        while time.monotonic() < end:
            self._round()
            if time.monotonic() - said > 30:
                said = time.monotonic()
                print(f"{end - said:.0f} s left: {self._figures(at_start)}", file=sys.stderr)
        figures = self._figures(at_start)
        self.service.stop()
        return figures

    def _figures(self, at_start: float) -> dict[str, object]:
        return {
            "changes": self.changes,
            "faults": dict(self.faults),
            "checks": self.checks,
            "differences": 0,  # the first one ends the soak
            "MiB at start": at_start,
            "MiB at end": self._memory(),
        }

    def close(self) -> None:
        """End all of it."""
        self.service.kill()
        self.relay.__exit__(None, None, None)
        self.etcd.close()

    def _memory(self) -> float:
        """Give the service's resident memory in MiB."""
        status = Path(f"/proc/{self.service.pid}/status").read_text()
        return round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)

    # -- one round: changes, a fault among them, and the oracle

    def _round(self) -> None:
        self._change(self.random.randint(1, 200))
        if self.random.random() < 0.7:
            faults: list[Callable[[], None]] = [
                self._crash, self._frozen, self._half_open, self._cut, self._compacted, self._wiped, self._no_space,
            ]  # fmt: skip
            fault = self.random.choice(faults)
            self.faults[fault.__name__.strip("_").replace("_", " ")] += 1
            fault()
        self._change(self.random.randint(1, 100))
        self._check()

    def _change(self, count: int) -> None:
        for _ in range(count):
            puts, deletes = change(self.random)
            try:
                self.etcd.txn(puts, [key for key in deletes if key not in puts])
            except grpc.RpcError:  # the fault of this round has hit our write, too
                continue
            self.changes += 1

    def _check(self) -> None:
        """Wait until it is ready and all is right."""
        self.service.wait_ready(SETTLED_WITHIN)
        until = time.monotonic() + SETTLED_WITHIN
        while wrong := differences(self.etcd.items("/")):
            if time.monotonic() > until:
                raise AssertionError("; ".join(wrong) + f"\n{self.service.log[-4000:]}")
            time.sleep(0.05)
        self.checks += 1

    def _pause(self) -> None:
        """Let a fault last: mostly for a moment, now and then for longer than every deadline."""
        time.sleep(self.random.uniform(0.1, 2.0) if self.random.random() < 0.85 else self.random.uniform(8.0, 12.0))

    # -- the faults

    def _crash(self) -> None:
        self.etcd.kill()
        self._pause()
        self.etcd.start()

    def _frozen(self) -> None:
        self.etcd.freeze()
        self._pause()
        self.etcd.thaw()

    def _half_open(self) -> None:
        self.relay.stall()
        self._change(30)
        self._pause()
        self.relay.flow()

    def _cut(self) -> None:
        for _ in range(self.random.randint(1, 5)):
            self.relay.cut()
            self._change(30)
            self.relay.flow()
            self._change(5)

    def _compacted(self) -> None:
        self.relay.cut()
        self._change(50)
        compact(self.etcd)
        self._pause()
        self.relay.flow()

    def _wiped(self) -> None:
        self.etcd.kill()
        wipe(self.etcd)
        self.etcd.start()
        if self.random.random() < 0.5:
            self._pause()
        for puts, deletes in whole_site(self.random):
            self.etcd.txn(puts, deletes)

    def _no_space(self) -> None:
        raise_no_space(self.etcd)
        self._pause()
        disarm(self.etcd)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    soak = Soak(given.seed)
    try:
        print(json.dumps(soak.run(given.seconds)))
    finally:
        soak.close()


if __name__ == "__main__":
    main()
