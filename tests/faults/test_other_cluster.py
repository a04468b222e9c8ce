"""A cluster is known by its id: members of others are left, and a restored one is followed as its operator says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import grpc
import pytest
from aetcd import rpc

from tests.faults.fleet import CONFIGS, DOWN, RECORDS, STATES, fleet
from tests.support import snapshots
from tests.support.cluster import SIZE, Cluster
from tests.support.etcd import CALL, Etcd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import StartService
    from tests.faults.conftest import Watched

pytestmark = pytest.mark.thorough

BUMP = 1_000_000_000


def cluster_id(etcd: Etcd) -> str:
    """Give the id of a server's cluster as etcd logs it."""
    with grpc.insecure_channel(etcd.url.removeprefix("http://")) as channel:
        header = rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"\0"), timeout=CALL).header
    return f"{header.cluster_id:x}"


def together(*etcds: Etcd) -> SimpleNamespace:
    return SimpleNamespace(url=",".join(etcd.url for etcd in etcds))


def test_a_member_of_another_cluster_is_left_and_never_taken_for_a_replaced_store(
    make_etcd: Callable[..., Etcd], watch: Callable[..., Watched]
) -> None:
    ours, other = make_etcd(), make_etcd()
    watched = watch(ours, through=together(ours, other))
    ids = cluster_id(ours), cluster_id(other)
    ours.kill()
    watched.unready(saying=f"belongs to cluster {ids[1]}, not to {ids[0]}")
    ours.start()
    watched.ready()
    watched.flip(1)
    watched.right()
    assert other.items("/") == {}
    left = [line for line in watched.service.log.splitlines() if "etcd member left" in line]
    assert len(left) == 1, left
    assert all(id_ in left[0] for id_ in ids)
    assert "replaced" not in watched.service.log


def test_the_cluster_that_a_setting_names_is_followed_whichever_answers_first(
    make_etcd: Callable[..., Etcd], service: StartService
) -> None:
    other, ours = make_etcd(), make_etcd()
    ours.txn(fleet(3))
    service("--etcd-cluster-id", cluster_id(ours), etcd=together(other, ours))
    ours.wait_record(f"{RECORDS}ha1", {"primary": "UP", "secondary": "UP", "version": 1})
    assert other.items("/") == {}


def test_a_restored_cluster_with_another_id_is_followed_once_its_operator_says_so(
    make_etcd: Callable[..., Etcd], watch: Callable[..., Watched], tmp_path: Path
) -> None:
    etcd = make_etcd()
    watched = watch(etcd)
    before = cluster_id(etcd)
    kept = snapshots.save(etcd, tmp_path / "snapshot")
    watched.flip(1)
    watched.right()
    etcd.kill()
    snapshots.restore(etcd, kept, token="another")
    etcd.start()
    after = cluster_id(etcd)
    assert after != before
    watched.unready(saying=f"belongs to cluster {after}, not to {before}")
    etcd.put(f"{STATES}s2", DOWN)
    watched.stays_as_it_is(f"{RECORDS}ha2", {"primary": "UP", "secondary": "UP", "version": 1})
    etcd.put(f"/ha_monitor/successor-of/{before}", "no")
    watched.stays_as_it_is(f"{RECORDS}ha2", {"primary": "UP", "secondary": "UP", "version": 1})
    etcd.put(f"/ha_monitor/successor-of/{before}", "yes\n")
    watched.ready()
    watched.right()
    assert f"cluster {after} succeeds {before}" in watched.service.log


@pytest.mark.parametrize("bump", [0, BUMP], ids=["plain", "bumped"])
def test_a_store_restored_under_the_same_id_is_listed_again(
    make_etcd: Callable[..., Etcd], watch: Callable[..., Watched], tmp_path: Path, bump: int
) -> None:
    if bump and not snapshots.can_bump():
        pytest.skip("this version's restore has no --bump-revision")
    etcd = make_etcd()
    watched = watch(etcd)
    kept = snapshots.save(etcd, tmp_path / "snapshot")
    etcd.delete(f"{CONFIGS}ha3")
    watched.flip(1)
    watched.right()
    etcd.kill()
    snapshots.restore(etcd, kept, bump=bump)
    etcd.start()
    etcd.put(f"{STATES}s2", DOWN)
    watched.ready()
    watched.right()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("bump", [0, BUMP], ids=["plain", "bumped"])
def test_a_cluster_of_three_is_restored_member_by_member(
    cluster: Cluster, watch: Callable[..., Watched], tmp_path: Path, bump: int
) -> None:
    if bump and not snapshots.can_bump():
        pytest.skip("this version's restore has no --bump-revision")
    client = cluster.client()
    try:
        watched = watch(client, through=cluster, count=5)
        kept = snapshots.save(client, tmp_path / "snapshot")
        watched.flip(1)
        watched.right()
        cluster.kill(*range(SIZE))
        watched.unready()
        for member in range(SIZE):
            snapshots.restore_member(cluster, member, kept, bump=bump)
        cluster.start()
        watched.flip(2)
        watched.ready()
        watched.right()
        watched.service.stop()
    finally:
        client.close()
