"""Commands that ask etcd once: one that does not answer is waited for as long as ``--wait`` says, and no longer."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.etcd import free_port
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.etcd import Etcd

COMMANDS = {
    "check": ["check"],
    "render": ["render", "ha_interface", "ha1"],
    "explain": ["explain", "ha_interface", "ha1"],
    "plan": ["plan", "-"],
    "load": ["load", "-"],
}


@pytest.fixture(params=["refused", "silent"])
def nowhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of an etcd that refuses connections, and of one that takes them and says nothing."""
    if request.param == "refused":
        yield f"http://127.0.0.1:{free_port()}"
        return
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}"


@pytest.mark.parametrize("line", COMMANDS.values(), ids=COMMANDS)
def test_a_command_gives_up_with_exit_code_3_and_says_why(nowhere: str, line: list[str]) -> None:
    ended = command(*line, "--etcd", nowhere, "--wait", "0.7", stdin=b'{"/a": "b"}')
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(b"Error: given up after 0.7 s: "), ended.stderr
    assert ended.stdout == b""


def test_an_etcd_that_comes_within_that_time_is_asked(own_etcd: Etcd) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | pair.keys())
    ended = command("check", "--etcd", own_etcd.url, "--wait", "20")
    assert ended.returncode == 0, ended.stderr
    assert b"1 resource" in ended.stderr


def test_a_member_that_is_dead_takes_nothing_from_what_check_finds(own_etcd: Etcd) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | site.reader_template("port") | pair.keys())
    own_etcd.put("/config/v2.0/strangers/one", site.envelope({"id": "one"}))
    ended = command("check", "--etcd", f"127.0.0.1:{free_port()},{own_etcd.url}")
    assert b"/config/v2.0/strangers/: 1 config without a template" in ended.stderr
    assert ended.returncode == 1, ended.stderr


@pytest.mark.parametrize("wait", ["0", "-1", "soon"])
def test_a_time_that_is_none_is_refused(wait: str) -> None:
    ended = command("check", "--wait", wait)
    assert ended.returncode == 2
    assert b"--wait" in ended.stderr
