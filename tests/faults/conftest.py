"""What the fault tests share: waiting for readiness and for the oracle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.fleet import DOWN, STATES, difference, expected, fleet, standing
from tests.support.authority import Authority
from tests.support.etcd import Etcd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Reachable
    from tests.support.service import Service

TOLD_WITHIN = 10.0
"""Seconds in which losing etcd has to show in /readyz."""


class Watched:
    """A fleet in an etcd, and a service that publishes it."""

    def __init__(self, etcd: Etcd, service: Service, count: int) -> None:
        self.etcd = etcd
        self.service = service
        self.count = count

    def flip(self, *numbers: int, value: str = DOWN, side: str = "p") -> None:
        """Write states; again where an election took the first try with it."""
        for _ in range(5):
            try:
                self.etcd.txn({f"{STATES}{side}{number}": value for number in numbers})
            except grpc.RpcError:
                continue
            return
        pytest.fail("etcd takes no writes")

    def right(self, timeout: float = 30.0) -> None:
        """Wait until what is published equals a fresh evaluation of all of etcd."""
        until = time.monotonic() + timeout
        while True:  # by reading: a watch of the tests' own would have to survive the faults, too
            items = self.etcd.items("/")
            if standing(items) == expected(items):
                return
            if time.monotonic() > until:
                pytest.fail(f"after {timeout:g} s: {difference(standing(items), expected(items))}")
            time.sleep(0.05)

    def counted(self, name: str) -> dict[str, int]:
        """Give a metric's counter of each prefix."""
        families = text_string_to_metric_families(self.service.get("/metrics")[1].decode())
        found = next(family for family in families if family.name == name)
        return {
            sample.labels["prefix"]: int(sample.value) for sample in found.samples if sample.name.endswith("_total")
        }

    def ready(self, timeout: float = 30.0) -> None:
        """Wait until the service says that it is ready."""
        self._readyz(200, timeout)

    def unready(self, timeout: float = TOLD_WITHIN, saying: str = "") -> str:
        """Wait until the service says that it is not ready, for that reason; give its words."""
        words: str = self._readyz(503, timeout, saying)["reason"]
        return words

    def stays_as_it_is(self, record: str, value: object) -> None:
        """Find a record unchanged for as long as the service takes for several tries to reach etcd."""
        until = time.monotonic() + 3.0
        while time.monotonic() < until:
            assert self.etcd.record(record) == value
            time.sleep(0.1)

    def stays_ready(self, seconds: float) -> None:
        """Ask for so long whether the service is ready, and find that it always is."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = httpx.get(f"{self.service.url}/readyz", timeout=10.0)
            assert answer.status_code == 200, answer.text
            time.sleep(0.1)

    def _readyz(self, status: int, timeout: float, saying: str = "") -> Any:
        until = time.monotonic() + timeout
        while True:
            answer = httpx.get(f"{self.service.url}/readyz", timeout=10.0)
            if answer.status_code == status and saying in answer.json()["reason"]:
                return answer.json()
            if time.monotonic() > until:
                pytest.fail(f"/readyz is {answer.status_code} after {timeout:g} s: {answer.text}")
            time.sleep(0.05)


@pytest.fixture
def make_etcd() -> Iterator[Callable[..., Etcd]]:
    """Start servers of this test's own, by their options; each ends with the test."""
    started: list[Etcd] = []

    def make(*options: str) -> Etcd:
        started.append(Etcd(*options))
        return started[-1].start()

    yield make
    for etcd in started:
        etcd.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def secure(authority: Authority) -> Iterator[Etcd]:
    """An etcd that wants a client certificate of the authority."""
    etcd = authority.etcd()
    try:
        yield etcd.start()
    finally:
        etcd.close()


@pytest.fixture
def watch(service: Any) -> Callable[..., Watched]:
    """Give a function that fills an etcd with a fleet and starts a service on it."""

    def start(etcd: Etcd, *args: str, count: int = 20, through: Reachable | None = None) -> Watched:
        keys = list(fleet(count).items())
        for begin in range(0, len(keys), 100):
            etcd.txn(dict(keys[begin : begin + 100]))
        watched = Watched(etcd, service(*args, etcd=through or etcd), count)
        watched.right()
        return watched

    return start
