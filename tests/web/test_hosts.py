"""By which names a monitor on loopback is answered to: a page of the web has no way in by a name of its own."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from ha_monitor import Settings
from ha_monitor.cli.http import hosts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.web.conftest import Shown

PATHS = ("/", "/page/page.js", "/api/v1/summary", "/api/v1/events", "/probe/ha_interface/x", "/metrics", "/nothing")


def status(url: str, host: str) -> int:
    return httpx.get(url, headers={"Host": host}).status_code


@pytest.mark.parametrize("path", PATHS)
def test_another_name_is_refused_in_words(shown: Shown, path: str) -> None:
    answer = shown.client.get(path, headers={"Host": "rebound.example:8080"})
    assert answer.status_code == 421
    assert "'rebound.example:8080'" in answer.json()["error"]
    assert "--http-host" in answer.json()["error"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("LOCALHOST.:8080", 200),
        ("page.localhost:1", 200),
        ("127.0.0.1", 200),
        ("192.0.2.7:80", 200),
        ("[::1]", 200),
        ("[::1]:8080", 200),
        ("", 421),
        ("localhost.example", 421),
        ("notlocalhost", 421),
        ("127.0.0.1.example:8080", 421),
        ("[rebound.example]", 421),
    ],
)
def test_localhost_and_addresses_are_answered_to(shown: Shown, host: str, expected: int) -> None:
    assert shown.client.get("/api/v1/summary", headers={"Host": host}).status_code == expected


def test_the_probes_of_an_orchestrator_may_ask_by_any_name(shown: Shown) -> None:
    for path in ("/healthz", "/readyz"):
        assert shown.client.get(path, headers={"Host": "pod.example"}).status_code == 200


def test_names_that_are_set_are_answered_to(etcd: Etcd, service: StartService) -> None:
    url = f"{service('--http-host', 'Monitor.example,other', '--http-host', 'third').url}/api/v1/summary"
    for host in ("monitor.example", "MONITOR.example:443", "other", "third:1"):
        assert status(url, host) == 200
    assert status(url, "example") == 421


def test_who_has_the_token_may_ask_by_any_name(etcd: Etcd, service: StartService, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cret")
    url = f"{service('--http-token-file', str(token)).url}/api/v1/summary"
    assert httpx.get(url, headers={"Host": "any.example"}, auth=("", "s3cret")).status_code == 200


def test_beyond_loopback_any_name_is_answered_to() -> None:
    with socket.socket() as everywhere, socket.socket(socket.AF_INET6) as here:
        everywhere.bind(("0.0.0.0", 0))  # nobody listens
        here.bind(("::1", 0))
        assert hosts(everywhere, Settings()) is None
        assert hosts(here, Settings()) == ()
