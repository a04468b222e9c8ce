"""The set-ups that tests can ask for work with the etcd under test, whatever its version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from aetcd import rpc

from tests.support import snapshots
from tests.support.binaries import graduated, version
from tests.support.cluster import SIZE, Cluster
from tests.support.etcd import CALL, Etcd
from tests.support.proxy import GrpcProxy
from tests.support.tokens import jwt_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUMP = 1_000_000


@pytest.fixture
def made() -> Iterator[Callable[..., Etcd]]:
    """Make servers of a test's own and start them."""
    servers: list[Etcd] = []

    def make(*options: str, unix: bool = False) -> Etcd:
        servers.append(Etcd(*options, unix=unix))
        return servers[-1].start()

    yield make
    for server in servers:
        server.close()


def _cluster_id(url: str) -> int:
    with grpc.insecure_channel(url.removeprefix("http://")) as channel:
        return int(rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"/a"), timeout=CALL).header.cluster_id)


def test_the_server_takes_the_option_by_the_name_of_its_version(made: Callable[..., Etcd]) -> None:
    if version() < (3, 5, 0):
        pytest.skip("3.4 has no option for the interval of progress notifications")
    made(graduated("--watch-progress-notify-interval"), "100ms")


def test_a_grpc_proxy_passes_reads_on_and_can_be_restarted(etcd: Etcd) -> None:
    etcd.put("/a", "1")
    with GrpcProxy(etcd.url) as proxy:
        through = Etcd(port=proxy.port)
        try:
            assert through.get("/a") == b"1"
            proxy.stop()
            proxy.start()
            assert through.get("/a") == b"1"
        finally:
            through.close()


def test_a_unix_socket_is_served_beside_the_port(made: Callable[..., Etcd]) -> None:
    server = made(unix=True)
    server.put("/a", "1")
    with grpc.insecure_channel(server.unix_url) as channel:
        answer = rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"/a"), timeout=CALL)
    assert [kv.value for kv in answer.kvs] == [b"1"]


def test_tokens_can_be_jwt(made: Callable[..., Etcd], tmp_path: Path) -> None:
    server = made(*jwt_options(tmp_path))
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        auth = rpc.AuthStub(channel)
        auth.UserAdd(rpc.AuthUserAddRequest(name="root", password="pw"), timeout=CALL)
        auth.UserGrantRole(rpc.AuthUserGrantRoleRequest(user="root", role="root"), timeout=CALL)
        auth.AuthEnable(rpc.AuthEnableRequest(), timeout=CALL)
    server.user = ("root", "pw")
    server.put("/a", "1")
    assert server.get("/a") == b"1"
    assert server.metadata[0][1].count(".") == 2
    assert snapshots.save(server, tmp_path / "snapshot").stat().st_size > 0


@pytest.mark.parametrize("token", [snapshots.TOKEN, "another"])
@pytest.mark.parametrize("bump", [0, BUMP])
def test_a_snapshot_is_restored_with_the_cluster_id_of_its_token(
    made: Callable[..., Etcd], tmp_path: Path, bump: int, token: str
) -> None:
    if bump and not snapshots.can_bump():
        pytest.skip("etcd up to 3.4.23 and 3.5.1 restores without --bump-revision")
    server = made()
    server.put("/a", "1")
    before, cluster_id = server.revision(), _cluster_id(server.url)
    saved = snapshots.save(server, tmp_path / "snapshot")
    server.put("/a", "2")
    server.stop()
    snapshots.restore(server, saved, bump=bump, token=token)
    server.start()
    assert (server.get("/a"), server.revision()) == (b"1", before + bump)
    assert (_cluster_id(server.url) == cluster_id) == (token == snapshots.TOKEN)


def test_a_cluster_is_restored_member_by_member(tmp_path: Path) -> None:
    cluster = Cluster()
    client = cluster.client()
    try:
        cluster.start()
        client.put("/a", "1")
        saved = snapshots.save(client, tmp_path / "snapshot")
        client.put("/a", "2")
        cluster.kill(*range(SIZE))
        for member in range(SIZE):
            snapshots.restore_member(cluster, member, saved)
        cluster.start()
        assert client.get("/a") == b"1"
    finally:
        client.close()
        cluster.close()
