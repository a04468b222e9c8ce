"""A group of monitors as processes, and somebody who changes what they watch all the time."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import grpc
from aetcd import rpc

from tests.support import site
from tests.support.history import Lineage
from tests.support.oracle import differences
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random
    from typing import Any

    from tests.support.etcd import Etcd

TTL = 2.0
"""Seconds of a lease: the least that etcd gives."""

PATIENCE = 30.0  # seconds that anything may take on a busy machine
KEYS = "/ha_monitor/edge/"


class Changes:
    """Flips states, writes configs anew, ends pairs and brings them back, in a thread, until told to stop."""

    def __init__(self, etcd: Etcd, random: Random, pairs: int = 30) -> None:
        self.pairs = [site.HaInterface(f"ha-{number}", f"p-{number}", f"s-{number}") for number in range(pairs)]
        self.count = 0
        self._etcd = etcd
        self._random = random
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def fill(self) -> int:
        """Put the whole site; gives the revision."""
        keys = site.ha_template()
        for pair in self.pairs:
            keys |= pair.keys()
        return self._etcd.txn(keys)

    def begin(self) -> None:
        """Change things from now on."""
        self._thread.start()

    def end(self) -> None:
        """Change nothing any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _go_on(self) -> None:
        while not self._stop.wait(self._random.expovariate(200)):
            self.one()

    def one(self) -> None:
        """Change something; where etcd takes no writes just now, nothing."""
        pair = self._random.choice(self.pairs)
        dice = self._random.random()
        with contextlib.suppress(grpc.RpcError):
            if dice < 0.9:
                key = self._random.choice((pair.primary_state, pair.secondary_state))
                self._etcd.put(key, self._random.choice((site.UP, site.DOWN)))
            elif dice < 0.97:
                self._etcd.put(pair.config, pair.envelope(self._random.randint(1, 99)))
            else:
                self._etcd.delete(pair.config)
            self.count += 1


class Group:
    """Members of one group, each a process."""

    def __init__(
        self, etcd: Etcd, *, shards: int = 4, ttl: float = TTL, url: str = "", options: Sequence[str] = ()
    ) -> None:
        self.etcd = etcd
        self.members: list[Service] = []
        self._url = url or etcd.url
        self._options = ("--group", "edge", "--shards", str(shards), "--lease-ttl", str(ttl), *options)
        self._shards = shards
        self._started: list[Service] = []

    def start(self, url: str = "") -> Service:
        """Start one more member and wait until it is ready."""
        member = self.begin(url)
        member.wait_ready(PATIENCE)
        return member

    def begin(self, url: str = "") -> Service:
        """Start one more member."""
        member = Service(url or self._url, *self._options)
        self.members.append(member)
        self._started.append(member)
        return member

    def lose(self, member: Service) -> None:
        """Count a member no more that has ended, or is about to."""
        self.members.remove(member)

    def close(self) -> None:
        """End all."""
        for member in self._started:
            member.kill()

    # -- as etcd has it

    def owners(self) -> dict[int, str]:
        """Give who has which shard."""
        return shares(self.etcd.items(KEYS))

    def elections(self) -> dict[str, int]:
        """Give the create revision of each shard's key."""
        answer = self.etcd.range(f"{KEYS}shards/")
        return {kv.key.decode(): kv.create_revision for kv in answer.kvs}

    def leases(self) -> dict[str, int]:
        """Give the lease of each member."""
        answer = self.etcd.range(f"{KEYS}members/")
        return {kv.key.decode().rpartition("/")[2]: kv.lease for kv in answer.kvs}

    def wait_shared(self, timeout: float = PATIENCE) -> None:
        """Wait until every shard is had by a member, each has its share, and each publishes for it."""
        self.etcd.wait(KEYS, self._is_shared, timeout)
        until = time.monotonic() + timeout
        for member in self.members:
            while (status := self.status(member))["owned"] != self._share(status["id"]):
                assert time.monotonic() < until, (status, self.owners(), member.log[-3000:])
                time.sleep(0.02)

    def _share(self, member: str) -> list[int]:
        return sorted(shard for shard, owner in self.owners().items() if owner == member)

    def _is_shared(self, items: dict[str, bytes]) -> bool:
        owners = shares(items)
        members = {key.rpartition("/")[2] for key in items if key.startswith(f"{KEYS}members/")}
        counts = Counter(owners.values())
        each = [counts.get(member, 0) for member in members]
        return (
            len(members) == len(self.members)
            and sorted(owners) == list(range(self._shards))
            and set(counts) <= members
            and max(each) - min(each) <= 1
        )

    def status(self, member: Service) -> Any:
        """Give what a member says of the group."""
        return member.json("/api/v1/group")

    def wait_right(self, timeout: float = PATIENCE) -> None:
        """Wait until every record is what it has to be."""
        self.etcd.wait("/", lambda items: not differences(items), timeout)

    def grant(self, ttl: int) -> int:
        """Give a lease of ``ttl`` seconds that is no member's."""
        with grpc.insecure_channel(f"127.0.0.1:{self.etcd.port}") as channel:
            return int(rpc.LeaseStub(channel).LeaseGrant(rpc.LeaseGrantRequest(TTL=ttl), timeout=5.0).ID)

    def revoke(self, lease: int) -> None:
        """End a lease by hand."""
        with grpc.insecure_channel(f"127.0.0.1:{self.etcd.port}") as channel:
            rpc.LeaseStub(channel).LeaseRevoke(rpc.LeaseRevokeRequest(ID=lease), timeout=5.0)


def shares(items: dict[str, bytes]) -> dict[int, str]:
    """Give who has which shard, by the keys of a group."""
    prefix = f"{KEYS}shards/"
    numbers = {key.removeprefix(prefix): value.decode() for key, value in items.items() if key.startswith(prefix)}
    return {int(number): owner for number, owner in numbers.items() if number.isdecimal()}


@contextlib.contextmanager
def under_changes(group: Group, changes: Changes, since: int) -> Iterator[None]:
    """Have things changed all the time in a block; after it all has to be right, and have been at every revision."""
    changes.begin()
    try:
        yield
    finally:
        changes.end()
    group.wait_right()
    lineage = Lineage(group.etcd, since)
    assert not lineage.wrong, json.dumps(lineage.wrong[:10], indent=1)
    assert lineage.writes > 0
