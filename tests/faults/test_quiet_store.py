"""A store in which nobody writes anything: ready it is, and stays, whatever etcd went through before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.fleet import fleet
from tests.faults.operate import compact
from tests.support.proxy import GrpcProxy
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StartService
    from tests.faults.conftest import Watched
    from tests.support.etcd import Etcd

pytestmark = pytest.mark.thorough

SEVERAL_CHECKS = 9.0
"""Seconds in which several health checks fall, and after which a watch without a reply would have been given up."""


@pytest.mark.parametrize("publish", ["esi", "none"])
def test_a_monitor_that_finds_all_records_right_stays_ready(
    etcd: Etcd, watch: Callable[..., Watched], service: StartService, publish: str
) -> None:
    watched = watch(etcd)
    watched.service.stop()
    watched.service = service("--publish", publish)
    watched.stays_ready(SEVERAL_CHECKS)
    assert watched.counted("ha_monitor_watch_reconnects") == dict.fromkeys(
        watched.counted("ha_monitor_watch_reconnects"), 0
    )


@pytest.mark.parametrize("fault", ["killed", "frozen", "compacted"])
def test_after_a_fault_it_is_ready_again_though_nobody_writes(
    own_etcd: Etcd, watch: Callable[..., Watched], fault: str
) -> None:
    with Relay(own_etcd.port) as relay:
        watched = watch(own_etcd, through=relay)
        if fault == "killed":
            own_etcd.kill()
            watched.unready()
            own_etcd.start()
        elif fault == "frozen":
            own_etcd.freeze()
            watched.unready()
            own_etcd.thaw()
        else:
            relay.cut()
            watched.unready()
            compact(own_etcd)
            relay.flow()
        watched.ready()
        watched.stays_ready(SEVERAL_CHECKS)
        watched.service.stop()


def test_behind_a_grpc_proxy_it_stays_ready_publishes_and_survives_the_proxy(
    own_etcd: Etcd, watch: Callable[..., Watched]
) -> None:
    """Such a proxy answers no progress request and serves watches from its own cache."""
    own_etcd.txn(fleet(5))
    with GrpcProxy(own_etcd.url) as proxy:
        watched = watch(own_etcd, through=proxy, count=5)
        own_etcd.put("/elsewhere", "1")  # so that the store is ahead of every watch
        watched.stays_ready(SEVERAL_CHECKS)
        watched.flip(1, 2)
        watched.right()
        proxy.stop()
        watched.unready()
        watched.flip(3)
        proxy.start()
        watched.ready()
        watched.right()
        watched.service.stop()
