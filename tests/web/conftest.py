"""A running service and a client that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import site
from tests.support.etcd import Etcd
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartService


def six_pairs(etcd: Etcd) -> list[site.HaInterface]:
    """Put HA interfaces, by id: both sides up, a failover, degraded, down, without any state, with a problem."""
    pairs = sorted((site.HaInterface() for _ in range(6)), key=lambda pair: pair.id)
    up, failover, degraded, down, unknown, problem = pairs
    etcd.txn(
        site.ha_template()
        | up.keys()
        | failover.keys(primary=site.DOWN)
        | degraded.keys(secondary=site.DOWN)
        | down.keys(primary=site.DOWN, secondary=site.DOWN)
        | unknown.keys(primary=None, secondary=None)
        | problem.keys(version="x")
    )
    return pairs


@pytest.fixture
def pairs(etcd: Etcd) -> list[site.HaInterface]:
    """Six HA interfaces: see :func:`six_pairs`."""
    return six_pairs(etcd)


@pytest.fixture
def client(pairs: list[site.HaInterface], service: StartService) -> Iterator[httpx.Client]:
    """Asks a service that watches them."""
    with httpx.Client(base_url=service().url, timeout=10.0) as client:
        yield client


class Shown:
    """A service on six pairs that nobody changes, for tests that only look."""

    def __init__(self, client: httpx.Client, pairs: list[site.HaInterface]) -> None:
        self.client, self.pairs = client, pairs


@pytest.fixture(scope="module")
def shown() -> Iterator[Shown]:
    etcd = Etcd()
    try:
        pairs = six_pairs(etcd.start())
        service = Service(etcd.url)
        try:
            with httpx.Client(base_url=service.wait_ready().url, timeout=10.0) as client:
                yield Shown(client, pairs)
            service.stop()
        finally:
            service.kill()
    finally:
        etcd.close()
