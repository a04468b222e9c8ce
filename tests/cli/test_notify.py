"""What systemd hears: the test is the service manager, with a socket of its own."""

from __future__ import annotations

import os
import socket
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.etcd import Etcd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.service import Service

PATIENCE = 30.0  # seconds that one message may take to come


class Manager:
    """Starts a service and hears what it says; ``heard`` are the messages so far, each with its lines."""

    def __init__(self, name: str, service: StartService) -> None:
        self.heard: list[list[str]] = []
        self._name, self._service = name, service
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self._socket.settimeout(PATIENCE)

    def start(self, etcd: Etcd, *, ready: bool = True, **variables: str) -> Service:
        """Start it with the socket's name and these variables, which nothing else gets: etcd says READY as well."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"NOTIFY_SOCKET": self._name, **variables}.items():
                patch.setenv(name, value)
            running = self._service(etcd=etcd, ready=False)
        return running.wait_ready() if ready else running

    def hear(self) -> list[str]:
        """Wait for the next message."""
        try:
            message = self._socket.recv(4096).decode().split("\n")
        except TimeoutError:
            raise AssertionError(f"nothing more after {self.heard}") from None
        self.heard.append(message)
        return message

    def hear_until(self, wanted: Callable[[str], bool]) -> str:
        """Wait for a message with such a line; gives that line."""
        while True:
            for line in self.hear():
                if wanted(line):
                    return line

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path, service: StartService) -> Iterator[Manager]:
    """A manager, with its socket in a folder or outside of any."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@ha-monitor-test-{uuid.uuid4()}"
    manager = Manager(name, service)
    yield manager
    manager.close()


path_only = pytest.mark.parametrize("manager", ["path"], indirect=True)


def test_a_service_that_waits_for_etcd_has_started(manager: Manager) -> None:
    nobody = Etcd()
    try:
        running = manager.start(nobody, ready=False)
        ready, status = manager.hear()
        assert ready == "READY=1"
        assert status.startswith("STATUS=not ready: etcd can't be heard: ")
        assert running.get("/healthz")[0] == 200
        manager.hear_until(lambda line: line.startswith("STATUS=not ready: ") and "Connection refused" in line)
        running.stop()
        manager.hear_until(lambda line: line == "STOPPING=1")
    finally:
        nobody.close()


@path_only
def test_the_status_turns_with_readiness(manager: Manager, own_etcd: Etcd) -> None:
    own_etcd.txn(site.ha_template() | site.HaInterface().keys() | site.HaInterface().keys(version="x"))
    running = manager.start(own_etcd)
    manager.hear_until(lambda line: line == "STATUS=ready: 2 resources, 1 problem")
    own_etcd.kill()
    manager.hear_until(lambda line: line.startswith("STATUS=not ready: "))
    own_etcd.start()
    manager.hear_until(lambda line: line == "STATUS=ready: 2 resources, 1 problem")
    running.stop()
    manager.hear_until(lambda line: line == "STOPPING=1")
    kinds = [message[0].partition("=")[0] for message in manager.heard]
    assert (kinds[0], set(kinds[1:-1]), kinds[-1]) == ("READY", {"STATUS"}, "STOPPING")


@path_only
def test_the_watchdog_is_fed_again_and_again(manager: Manager, etcd: Etcd) -> None:
    manager.start(etcd, WATCHDOG_USEC="100000")
    for _ in range(5):
        manager.hear_until(lambda line: line == "WATCHDOG=1")
    assert manager.heard[0][0] == "READY=1"


@path_only
def test_the_watchdog_of_another_process_is_not_fed(manager: Manager, etcd: Etcd) -> None:
    etcd.txn(site.ha_template() | site.HaInterface().keys())
    running = manager.start(etcd, WATCHDOG_USEC="1000", WATCHDOG_PID=str(os.getpid()))
    manager.hear_until(lambda line: line == "STATUS=ready: 1 resource, 0 problems")
    etcd.txn(site.HaInterface().keys())  # it is told with the next look, hundreds of signs of life later
    manager.hear_until(lambda line: line == "STATUS=ready: 2 resources, 0 problems")
    running.stop()
    manager.hear_until(lambda line: line == "STOPPING=1")
    assert ["WATCHDOG=1"] not in manager.heard


def test_a_socket_that_is_not_there_is_one_warning(
    etcd: Etcd, service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    running = service()
    running.stop()
    assert running.last_log.count("NOTIFY_SOCKET") == 1
    assert f"NOTIFY_SOCKET {tmp_path / 'nobody'}: No such file or directory" in running.last_log


def test_without_a_manager_nothing_is_said(etcd: Etcd, service: StartService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    running = service()
    running.stop()
    assert "NOTIFY" not in running.last_log
    assert "ha_monitor.cli.notify" not in running.last_log
