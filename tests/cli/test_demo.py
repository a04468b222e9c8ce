"""``ha-monitor demo``: what it shows, and that nothing of it is left behind, however it ends."""

from __future__ import annotations

import itertools
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from ha_monitor.demo import etcd_process
from tests.support.etcd import free_port
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder that temporary ones are made in."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def assert_nothing_is_left(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    assert subprocess.run(["pgrep", "-af", str(folder)], capture_output=True, check=False).stdout == b""


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "ha_monitor", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """Read on until a line has these words."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return line
    raise AssertionError(f"no line with {words!r}: {lines}")


def test_the_demo_plays_one_failover_and_leaves_nothing_behind(folder: Path) -> None:
    ended = command("demo", "--once")
    assert ended.returncode == 0, ended.stderr
    statuses = re.findall(r"^\S+ +(UP|DEGRADED|DOWN) +active: (\w+)", ended.stdout.decode(), re.MULTILINE)
    assert statuses == [
        ("UP", "primary"),
        ("DEGRADED", "secondary"),
        ("DOWN", "none"),
        ("DEGRADED", "secondary"),
        ("UP", "primary"),
    ]
    assert_nothing_is_left(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize(
    ("words", "arguments"),
    [("starting an etcd", ("--once",)), ("starting an etcd", ()), ("->", ("--listen", ""))],
    ids=["at the start of one failover", "at the start", "in the middle"],
)
def test_a_signal_ends_it_cleanly(folder: Path, words: str, arguments: tuple[str, ...], number: signal.Signals) -> None:
    process = start(*arguments)
    try:
        line_with(process, words)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert_nothing_is_left(folder)


def test_it_answers_over_http_where_it_is_told_to() -> None:
    address = f"127.0.0.1:{free_port()}"
    process = start("--listen", address)
    try:
        line = line_with(process, "the page is on")
        assert f"http://{address}" in line
        assert httpx.get(f"http://{address}/healthz").json() == {"alive": True}
        assert httpx.get(f"http://{address}/readyz").json()["ready"] is True
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def test_without_an_address_there_is_no_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HA_MONITOR_LISTEN", "")
    process = start()
    try:
        assert process.stdout is not None
        before = "".join(itertools.takewhile(lambda line: "->" not in line, process.stdout))
        assert "HA interfaces" in before
        assert "the page is on" not in before
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_was_asked_for_and_is_taken_is_told_in_words(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = command("demo", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert ended.returncode == 2
    assert b"in use" in ended.stderr
    assert_nothing_is_left(folder)


def test_an_etcd_that_does_not_run_here_is_told_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_program = folder / "etcd"
    no_program.write_text("")
    monkeypatch.setattr(etcd_process, "binary", lambda: no_program)
    with pytest.raises(etcd_process.EtcdMissing, match="does not run here"):
        etcd_process._start(folder / "data")
