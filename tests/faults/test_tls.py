"""TLS with client certificates; and what is said where it can't be had."""

from __future__ import annotations

import datetime
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.support.authority import Authority
from tests.support.etcd import Etcd
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Watched


def test_a_client_certificate_is_shown_and_believed(
    secure: Etcd, authority: Authority, watch: Callable[..., Watched]
) -> None:
    watched = watch(secure, *authority.options(*authority.issue("monitor")))
    watched.flip(1)
    watched.right()


def test_who_forgets_the_s_is_told(secure: Etcd) -> None:
    ended = command("load", "-", "--etcd", f"http://127.0.0.1:{secure.port}", "--wait", "0.5", stdin=b'{"/a": "b"}')
    assert ended.returncode == 3
    assert b"if it wants TLS, it is https://" in ended.stderr


def test_a_renewed_certificate_is_read_at_the_next_connection(
    secure: Etcd, authority: Authority, watch: Callable[..., Watched]
) -> None:
    cert, key = authority.issue("monitor")
    watched = watch(secure, *authority.options(cert, key))
    expired, expired_key = authority.issue("expired", not_after=yesterday())
    shutil.copy(expired, cert)
    shutil.copy(expired_key, key)
    secure.kill()
    watched.unready(saying="connect to")  # a new connection, which reads the files
    secure.start()
    watched.unready(saying="TLS: ")
    fresh, fresh_key = authority.issue("fresh")
    shutil.copy(fresh, cert)
    shutil.copy(fresh_key, key)
    watched.ready()
    watched.flip(2)
    watched.right()


@pytest.mark.parametrize("length", [0, 100], ids=["empty", "half written"])
@pytest.mark.parametrize("which", ["ca", "cert", "key"])
def test_a_file_that_is_just_being_copied_over_is_read_again(
    secure: Etcd, authority: Authority, watch: Callable[..., Watched], which: str, length: int
) -> None:
    cert, key = authority.issue("monitor")
    ca = authority.folder / "its-own-ca.pem"
    shutil.copy(authority.ca, ca)
    path = {"ca": ca, "cert": cert, "key": key}[which]
    watched = watch(secure, "--etcd-ca", str(ca), "--etcd-cert", str(cert), "--etcd-key", str(key))
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    secure.kill()
    watched.unready(saying=str(path))  # a new connection, which reads the files
    secure.start()
    watched.unready(saying=str(path))
    path.write_bytes(whole)
    watched.ready()
    watched.flip(2)
    watched.right()


def yesterday() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)


def test_a_wrong_authority_at_the_start_ends_with_exit_code_3(
    secure: Etcd, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    cert, key = authority.issue("monitor")
    ended = command("run", "--etcd", secure.url, "--listen", "", *stranger.options(cert, key))
    assert ended.returncode == 3, ended.stderr
    assert b"TLS" in ended.stderr
    assert b"Traceback" not in ended.stderr


def test_a_member_whose_certificate_is_of_another_authority_is_left_for_the_next(
    secure: Etcd, authority: Authority, watch: Callable[..., Watched], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    cert, key = stranger.issue("server")
    credentials = grpc.ssl_channel_credentials(stranger.ca.read_bytes())
    other = Etcd("--cert-file", str(cert), "--key-file", str(key), credentials=credentials)
    try:
        both = SimpleNamespace(url=f"{other.start().url},{secure.url}")
        watched = watch(secure, *authority.options(*authority.issue("monitor")), through=both)
        watched.flip(1)
        watched.right()
    finally:
        other.close()


@pytest.mark.parametrize("line", [["run", "--listen", ""], ["check"], ["plan", "-"], ["load", "-"]], ids=" ".join)
def test_a_file_that_is_missing_is_told_by_its_name(secure: Etcd, authority: Authority, line: list[str]) -> None:
    cert, key = authority.issue("monitor")
    key.unlink()
    ended = command(*line, "--etcd", secure.url, *authority.options(cert, key), stdin=b"{}")
    assert ended.returncode == 2
    assert f"--etcd-key {key}: No such file or directory" in ended.stderr.decode()
