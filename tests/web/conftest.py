"""A running service and a client that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import StartService
    from tests.support.etcd import Etcd


@pytest.fixture
def pairs(etcd: Etcd) -> list[site.HaInterface]:
    """HA interfaces, by id: both sides up, a failover, degraded, down, without any state, with a problem."""
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
def client(pairs: list[site.HaInterface], service: StartService) -> Iterator[httpx.Client]:
    """Asks a service that watches them."""
    with httpx.Client(base_url=service().url, timeout=10.0) as client:
        yield client
