"""The soak: random changes and random faults for as long as one likes, and the oracle again and again.

``python -m tests.soak.soak --seconds 1800 --seed 7 --members 3``; the seed is printed, and gives the same changes and
faults again (not the same timing). Ends with 1 where what is published differs from a fresh evaluation of all of etcd,
where a member of a group has written a record that was wrong at the revision of its write, or where an answer over HTTP
was older than it says.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import secrets
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import grpc

from tests.faults.operate import compact, disarm, raise_no_space
from tests.soak import members as single
from tests.soak import stores
from tests.soak.changes import change, whole_site
from tests.soak.gohan import SoakGohan
from tests.soak.sampler import Sampler, Timeline
from tests.support import site
from tests.support.etcd import Etcd
from tests.support.group import Group
from tests.support.history import Recorder
from tests.support.oracle import differences
from tests.support.relay import Relay
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTLED_WITHIN = 30.0
"""Seconds after a fault in which all has to be right again; it takes one or two on a machine that is not busy."""


_STATE_TIMEOUT = ("--state-timeout", "0.3")


class Soak:
    """One etcd, one service or the members of a group, each behind a relay, and somebody who does things to them."""

    def __init__(self, seed: int, members: int = 1) -> None:
        """Start all of it."""
        self.random = Random(seed)
        self.changes = 0
        self.checks = 0
        self.faults: collections.Counter[str] = collections.Counter()
        self.etcd = Etcd().start()
        self.relays = [Relay(self.etcd.port).__enter__() for _ in range(members)]
        for puts, deletes in whole_site(self.random):
            self.etcd.txn(puts, deletes)
        self.gohan = SoakGohan(self.etcd, self.random)
        self._has_beginner = False
        """A member has begun since the last check."""
        self.recorder = Recorder(self.etcd, Timeline)
        self.group: Group | None = None
        if members > 1:
            self.group = Group(self.etcd, options=_STATE_TIMEOUT)
            self.services = [self.group.begin(relay.url) for relay in self.relays]
        else:
            self.services = [Service(self.relays[0].url, *_STATE_TIMEOUT)]
        self.sampler = Sampler(self.etcd, lambda: self.services, Random(seed))

    def run(self, seconds: float) -> dict[str, object]:
        """Go on for so long; gives the figures. Raises ``AssertionError`` where something is not right."""
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
        for service in self.services:
            service.stop()
        return figures

    def _figures(self, at_start: float) -> dict[str, object]:
        return {
            "changes": self.changes,
            "faults": dict(self.faults),
            "checks": self.checks,
            "differences": 0,  # the first one ends the soak
            "writes held against history": self.recorder.writes,
            "answers held against history": self.sampler.samples,
            "of them not ready": self.sampler.unready,
            "MiB at start": at_start,
            "MiB at end": self._memory(),
        }

    def close(self) -> None:
        """End all of it."""
        self.sampler.end()
        for service in self.services:
            service.kill()
        self.recorder.end()
        self.gohan.end()
        for relay in self.relays:
            relay.__exit__(None, None, None)
        self.etcd.close()

    def _memory(self) -> float:
        """Give the resident memory of the largest service in MiB."""
        statuses = [Path(f"/proc/{service.pid}/status").read_text() for service in self.services]
        return max(round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1) for status in statuses)

    def begin_again(self, number: int) -> None:
        """Start another member where one has ended, behind the same relay."""
        assert self.group is not None
        self.group.lose(self.services[number])
        self.services[number] = self.group.begin(self.relays[number].url)
        self._has_beginner = True

    # -- one round: changes, a fault among them, and the oracle

    def _round(self) -> None:
        self.change(self.random.randint(1, 200))
        if self.random.random() < 0.7:
            faults: list[Callable[[Soak], None]] = [
                Soak._crash, Soak._frozen, Soak._half_open, Soak._cut, Soak._compacted, Soak._no_space,
                *stores.FAULTS,
            ]  # fmt: skip
            if self.group is not None:
                faults += single.FAULTS
            fault = self.random.choice(faults)
            self.faults[fault.__name__.strip("_").replace("_", " ")] += 1
            fault(self)
        self.change(self.random.randint(1, 100))
        self._check()

    def change(self, count: int) -> None:
        """Make so many changes."""
        for _ in range(count):
            puts, deletes = change(self.random)
            try:
                self.etcd.txn(puts, [key for key in deletes if key not in puts])
                if self.random.random() < 0.2:
                    self.gohan.act()
            except grpc.RpcError:  # the fault of this round has hit our write, too
                continue
            self.changes += 1

    def _check(self) -> None:
        """Wait until all is right, and hold all that was written against history."""
        self.settle()
        self.recorder.catch_up()
        wrong = self.sampler.wrong(self.recorder.judge)
        if self.group is not None:  # a service without a group writes what is right a few milliseconds later
            wrong += self.recorder.wrong
        assert not wrong, "\n".join([*wrong[:10], self._logs()])
        self.checks += 1

    def settle(self) -> None:
        """Wait until all are ready, each has its share, and what is published is right."""
        for service in self.services:
            service.wait_ready(SETTLED_WITHIN)
        if (
            self._has_beginner
        ):  # while a template can't be used, one that begins knows of no record that it is the group's
            self.etcd.txn(site.ha_template())
            self._has_beginner = False
        until = time.monotonic() + SETTLED_WITHIN
        while wrong := differences(self.etcd.items("/")) or self.gohan.wrong():
            assert time.monotonic() < until, f"{'; '.join(wrong)}\n{self._logs()}"
            time.sleep(0.05)
        if self.group is not None:
            self.group.wait_shared(SETTLED_WITHIN)

    @contextlib.contextmanager
    def another_history(self) -> Iterator[None]:
        """Give the time in which a store becomes another one: the history of each is recorded by itself.

        gohan has to begin anew as soon as it is there.
        """
        self.recorder.end()
        self.gohan.end()
        yield
        self.recorder.begin()
        self.sampler.another_history()

    def _logs(self) -> str:
        return "\n".join(service.log[-4000:] for service in self.services)

    def pause(self) -> None:
        """Let a fault last: mostly for a moment, now and then for longer than every deadline."""
        time.sleep(self.random.uniform(0.1, 2.0) if self.random.random() < 0.85 else self.random.uniform(8.0, 12.0))

    # -- the faults

    def _relays(self, what: Callable[[Relay], None]) -> None:
        for relay in self.relays:
            what(relay)

    def _crash(self) -> None:
        self.etcd.kill()
        self.pause()
        self.etcd.start()

    def _frozen(self) -> None:
        self.etcd.freeze()
        self.pause()
        self.etcd.thaw()

    def _half_open(self) -> None:
        self._relays(Relay.stall)
        self.change(30)
        self.pause()
        self._relays(Relay.flow)

    def _cut(self) -> None:
        for _ in range(self.random.randint(1, 5)):
            self._relays(Relay.cut)
            self.change(30)
            self._relays(Relay.flow)
            self.change(5)

    def _compacted(self) -> None:
        self._relays(Relay.cut)
        self.change(50)
        self.recorder.catch_up()
        compact(self.etcd)
        self.pause()
        self._relays(Relay.flow)

    def _no_space(self) -> None:
        raise_no_space(self.etcd)
        self.pause()
        disarm(self.etcd)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    parser.add_argument("--members", type=int, default=1, help="of a group; 1: one service without a group")
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    soak = Soak(given.seed, given.members)
    try:
        print(json.dumps(soak.run(given.seconds)))
    finally:
        soak.close()


if __name__ == "__main__":
    main()
