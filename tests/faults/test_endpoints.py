"""How etcd is named: without a scheme, with one in any case, by a socket; each reaches a real one."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.faults.fleet import RECORDS, fleet
from tests.support.authority import Authority
from tests.support.etcd import Etcd, free_port
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.conftest import Watched

SOCKET = "etcd.sock:1"
"""Where etcd listens, in its own folder: up to 3.5 it takes nothing but a name with a colon and a number."""


def listening(*options: str, tls: Authority | None = None) -> Etcd:
    """Give an etcd that listens on a port and on a socket."""
    port = free_port()
    urls = f"https://127.0.0.1:{port},unixs://{SOCKET}" if tls else f"http://127.0.0.1:{port},unix://{SOCKET}"
    credentials = grpc.ssl_channel_credentials(tls.ca.read_bytes()) if tls else None
    return Etcd("--listen-client-urls", urls, *options, port=port, credentials=credentials)


def socket_of(etcd: Etcd) -> str:
    return f"{etcd.folder}/{SOCKET}"


@pytest.fixture
def local() -> Iterator[Etcd]:
    etcd = listening()
    try:
        yield etcd.start()
    finally:
        etcd.close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def served(authority: Authority, *hosts: str) -> Etcd:
    """Give an etcd with TLS, and a certificate for some hosts."""
    cert, key = authority.issue("server", hosts=hosts)
    return listening("--cert-file", str(cert), "--key-file", str(key), tls=authority)


@pytest.fixture
def secure(authority: Authority) -> Iterator[Etcd]:
    """One whose certificate is for the address and for the name of the socket."""
    etcd = served(authority, "127.0.0.1", "etcd.sock")
    try:
        yield etcd.start()
    finally:
        etcd.close()


def test_a_monitor_on_a_socket_publishes_and_comes_back_after_a_restart(
    local: Etcd, watch: Callable[..., Watched]
) -> None:
    watched = watch(local, through=SimpleNamespace(url=f"unix://{socket_of(local)}"))
    watched.flip(1)
    watched.right()
    local.kill()
    watched.unready(saying="etcd.sock")
    Path(socket_of(local)).unlink(missing_ok=True)  # 3.4 does not listen where a socket was left behind
    local.start()
    watched.flip(2)
    watched.ready()
    watched.right()


@pytest.mark.parametrize("form", ["127.0.0.1:{port}", "HTTP://127.0.0.1:{port}/", "unix:{socket}", "UNIX://{socket}"])
def test_every_form_reaches_an_etcd_without_tls(local: Etcd, form: str) -> None:
    endpoint = form.format(port=local.port, socket=socket_of(local))
    ended = command("load", "-", "--etcd", endpoint, stdin=b'{"/a": "b"}')
    assert ended.returncode == 0, ended.stderr
    assert local.get("/a") == b"b"


@pytest.mark.parametrize("form", ["127.0.0.1:{port}", "HTTPS://127.0.0.1:{port}", "unix://{socket}", "unixs:{socket}"])
def test_every_form_reaches_an_etcd_with_tls_where_a_ca_is_given(secure: Etcd, authority: Authority, form: str) -> None:
    endpoint = form.format(port=secure.port, socket=socket_of(secure))
    ended = command("load", "-", "--etcd", endpoint, "--etcd-ca", str(authority.ca), stdin=b'{"/a": "b"}')
    assert ended.returncode == 0, ended.stderr
    assert secure.get("/a") == b"b"


def test_the_certificate_behind_a_socket_has_to_be_for_the_name_of_its_file(authority: Authority) -> None:
    etcd = served(authority, "127.0.0.1")
    try:
        etcd.start()
        line = ("--etcd", f"unixs://{socket_of(etcd)}", "--etcd-ca", str(authority.ca))
        ended = command("run", *line, "--listen", "")
        assert ended.returncode == 3
        assert b"TLS" in ended.stderr
        assert b"etcd.sock" in ended.stderr
    finally:
        etcd.close()


COMMANDS = [
    ["check"],
    ["render", "ha_interface", "ha1"],
    ["explain", "ha_interface", "ha1"],
    ["plan", "-"],
    ["load", "-"],
]


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line[0])
def test_every_command_that_asks_etcd_takes_a_socket(local: Etcd, line: list[str]) -> None:
    local.txn(fleet(2))
    ended = command(*line, "--etcd", f"unix://{socket_of(local)}", stdin=json.dumps({"/a": "b"}).encode())
    assert ended.returncode == 0, ended.stderr
    assert RECORDS.encode() in ended.stdout or line[0] != "explain"
