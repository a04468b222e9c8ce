"""HTTP that goes out, by what the environment says of proxies and authorities; and what is said where it can't."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import anyio
import pytest

from ha_monitor.errors import SettingsError
from ha_monitor.outward import open_client
from tests.support.etcd import free_port
from tests.support.hooks import Endpoint
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path

ORDINARY = "localhost,10.0.0.0/8,fd00::/8,[fe80::]/10,*.internal, ::1,127.0.0.1"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the environment says already."""
    for name in os.environ:
        if name.lower().endswith("_proxy") or name.startswith("SSL_CERT_"):
            monkeypatch.delenv(name)


def paths(url: str, endpoint: Endpoint) -> list[str]:
    """Post to a URL, and give the paths that an endpoint was asked for."""

    async def post() -> None:
        async with open_client(url) as client:
            await client.post(url)

    anyio.run(post)
    return [request["path"] for request in endpoint.requests]


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_is_asked_but_for_the_hosts_that_are_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", ORDINARY)
    with Endpoint() as proxy, Endpoint() as direct:
        monkeypatch.setenv(variable, f"127.0.0.1:{proxy.port}")
        assert paths("http://nowhere.invalid/x", proxy) == ["http://nowhere.invalid/x"]
        assert paths(direct.url, direct) == ["/changes?token=hidden"]
        assert len(proxy.requests) == 1


@pytest.mark.parametrize("host", ["[::1]", "LOCALHOST", "a.internal", "10.0.0.0"])
def test_hosts_without_a_proxy_are_named_in_many_ways(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "ftp://unusable")
    for names in ("::1,localhost,.internal,10.0.0.0", "[::1],localhost:8443,internal,10.0.0.0:8443", "*"):
        monkeypatch.setenv("NO_PROXY", names)
        open_client(f"https://{host}:8443/x")


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:hidden@proxy:1080", "ftp://proxy", "http://proxy:hidden", "http://me:hid/den@proxy", "http://",
        "http://proxy:99999", "http://xn--a:1", "http://[fd00::/8]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_that_can_not_be_one_is_named_without_its_password(
    variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(SettingsError) as told:
        open_client("https://host/x")
    assert str(told.value).startswith(f"{variable}: it is not http://HOST:PORT, ")
    assert "hid" not in str(told.value)


def test_authorities_that_can_not_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    for file, words in ((tmp_path / "none.pem", "No such file or directory"), (empty, "no certificate or crl found")):
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        with pytest.raises(SettingsError, match=f"^SSL_CERT_FILE {file}: .*{words}"):
            open_client("HTTPS://host/x")
        open_client("http://host/x")  # where nobody has a certificate


def test_the_command_says_so_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://proxy")
    monkeypatch.setenv("NO_PROXY", ORDINARY)
    asked = f"http://127.0.0.1:{free_port()}"
    for arguments in (["run", "--webhook", "https://host/x"], ["status", "--url", "https://host"]):
        ended = command(*arguments)
        assert ended.returncode == 2
        assert b"HTTPS_PROXY: it is not http://HOST:PORT" in ended.stderr
    assert b"nobody answers at" in command("status", "--url", asked).stderr
