"""Endpoints from DNS SRV records: found at the start, found again where they moved, and DNS that is down."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import dns.rcode
import grpc
import pytest

from ha_monitor.etcd.discovery import Discovery
from tests.faults.fleet import fleet
from tests.support.authority import Authority
from tests.support.etcd import Etcd, free_port
from tests.support.nameserver import Nameserver, Srv
from tests.support.relay import Relay
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.conftest import StartService
    from tests.faults.conftest import Watched
    from tests.support.service import Service

pytestmark = pytest.mark.thorough

BY_DNS = SimpleNamespace(url=None)
PLAIN, SECURE = "_etcd-client._tcp.site.example", "_etcd-client-ssl._tcp.site.example"


@pytest.fixture
def nameserver() -> Iterator[Nameserver]:
    with Nameserver() as serving:
        yield serving


def options(nameserver: Nameserver) -> Sequence[str]:
    return "--etcd-discovery-srv", "site.example", "--etcd-discovery-nameserver", nameserver.address


def wait_for(said: Callable[[], str], words: str) -> None:
    """Wait until something is said."""
    until = time.monotonic() + 15.0
    while words not in said():
        assert time.monotonic() < until, said()
        time.sleep(0.02)


def reason(service: Service) -> str:
    """Say why a service is not ready."""
    words: str = json.loads(service.get("/readyz")[1])["reason"]
    return words


def test_a_monitor_finds_its_etcd_and_finds_it_again_where_it_moved(
    own_etcd: Etcd, nameserver: Nameserver, watch: Callable[..., Watched]
) -> None:
    with Relay(own_etcd.port) as there, Relay(own_etcd.port) as elsewhere:
        nameserver.records = {PLAIN: [Srv(there.port)]}
        watched = watch(own_etcd, *options(nameserver), through=BY_DNS)
        watched.flip(1)
        watched.right()
        wait_for(lambda: watched.service.log, f"etcd endpoints found by DNS: http://localhost:{there.port}")
        nameserver.records = {PLAIN: [Srv(elsewhere.port)]}
        there.cut()
        wait_for(lambda: watched.service.log, f"etcd endpoints found by DNS: http://localhost:{elsewhere.port}")
        watched.flip(2)
        watched.right()
        watched.ready()


def test_dns_that_is_down_ends_no_service(etcd: Etcd, nameserver: Nameserver, service: StartService) -> None:
    nameserver.silent = True
    running = service(*options(nameserver), etcd=BY_DNS, ready=False).wait_alive()
    wait_for(lambda: reason(running), "DNS did not answer")
    nameserver.silent, nameserver.rcode = False, dns.rcode.SERVFAIL
    wait_for(lambda: reason(running), f"DNS lookup of {SECURE} failed")
    nameserver.rcode = dns.rcode.NOERROR
    wait_for(lambda: reason(running), "DNS has no records")
    nameserver.records = {PLAIN: [Srv(etcd.port)]}
    running.wait_ready()


def test_members_that_are_known_are_tried_again_while_dns_is_down(
    own_etcd: Etcd, nameserver: Nameserver, watch: Callable[..., Watched]
) -> None:
    nameserver.records = {PLAIN: [Srv(own_etcd.port)]}
    watched = watch(own_etcd, *options(nameserver), through=BY_DNS)
    nameserver.rcode = dns.rcode.SERVFAIL
    asked = nameserver.asked[SECURE]
    own_etcd.kill()
    wait_for(lambda: "yes" if nameserver.asked[SECURE] > asked else "DNS is not asked", "yes")
    own_etcd.start()
    watched.flip(1)
    watched.ready()
    watched.right()


def test_dns_is_not_asked_while_a_member_answers(etcd: Etcd, nameserver: Nameserver, service: StartService) -> None:
    etcd.txn(fleet(2))
    nameserver.records = {PLAIN: [Srv(etcd.port)]}
    service(*options(nameserver), etcd=BY_DNS)
    assert nameserver.asked == {SECURE: 1, PLAIN: 1}


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[Etcd, Authority]]:
    authority = Authority(tmp_path)
    cert, key = authority.issue("server", hosts=("localhost", "127.0.0.1"))
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes())
    etcd = Etcd("--cert-file", str(cert), "--key-file", str(key), credentials=credentials)
    try:
        yield etcd.start(), authority
    finally:
        etcd.close()


def test_where_there_are_records_with_tls_no_other_is_used(
    secure: tuple[Etcd, Authority], etcd: Etcd, nameserver: Nameserver
) -> None:
    etcd.delete("/a")
    nameserver.records = {SECURE: [Srv(secure[0].port)], PLAIN: [Srv(etcd.port)]}
    line = ("load", "-", *options(nameserver), "--etcd-ca", str(secure[1].ca))
    ended = command(*line, stdin=b'{"/a": "b"}')
    assert ended.returncode == 0, ended.stderr
    assert secure[0].get("/a") == b"b"
    assert etcd.get("/a") is None


def test_who_wants_tls_is_not_connected_without_it(
    secure: tuple[Etcd, Authority], etcd: Etcd, nameserver: Nameserver
) -> None:
    nameserver.records = {PLAIN: [Srv(etcd.port)]}
    ended = command("run", *options(nameserver), "--listen", "", "--etcd-ca", str(secure[1].ca))
    assert ended.returncode == 3
    assert f"DNS has no records {SECURE}, only endpoints without TLS".encode() in ended.stderr


COMMANDS = [
    ["check"],
    ["render", "ha_interface", "ha1"],
    ["explain", "ha_interface", "ha1"],
    ["plan", "-"],
    ["load", "-"],
]


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line[0])
def test_every_command_that_asks_etcd_finds_it_by_dns(etcd: Etcd, nameserver: Nameserver, line: list[str]) -> None:
    etcd.txn(fleet(2))
    nameserver.records = {"_etcd-client-blue._tcp.site.example": [Srv(etcd.port)]}
    stdin = json.dumps({"/a": "b"}).encode()
    ended = command(*line, *options(nameserver), "--etcd-discovery-srv-name", "blue", stdin=stdin)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.anyio
async def test_members_come_in_the_order_of_rfc_2782(nameserver: Nameserver) -> None:
    nameserver.records = {
        PLAIN: [Srv(4, "d.", 20), Srv(1, "a.", 5), Srv(2, "b.", 10, 50), Srv(3, "c.", 10, 50), Srv(5, ".", 1)]
    }
    discovery = Discovery("site.example", nameserver=nameserver.address)
    found = {tuple(await discovery.look_up()) for _ in range(40)}
    first, second, third, fourth = "http://a:1", "http://b:2", "http://c:3", "http://d:4"
    assert found == {(first, second, third, fourth), (first, third, second, fourth)}


@pytest.mark.anyio
@pytest.mark.parametrize("domain", ["site.example", "site.example."])
async def test_records_of_a_service_with_a_name_have_it_in_theirs(nameserver: Nameserver, domain: str) -> None:
    nameserver.records = {"_etcd-client-ssl-blue._tcp.site.example": [Srv(free_port(), "etcd-1.site.example.")]}
    (found,) = await Discovery(domain, "blue", nameserver.address).look_up()
    assert found.startswith("https://etcd-1.site.example:")
    assert set(nameserver.asked) == {"_etcd-client-ssl-blue._tcp.site.example"}
