"""SIGTERM at any moment ends the service within 5 s with 0, and nothing but log lines on stderr."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.fleet import DOWN, STATES, UP, fleet
from tests.support.etcd import Etcd
from tests.support.relay import Relay
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import StartService
    from tests.faults.conftest import Watched


@pytest.mark.parametrize("moment", ["idle", "in a storm", "while etcd is down", "while etcd is frozen"])
def test_sigterm_ends_cleanly(own_etcd: Etcd, watch: Callable[..., Watched], moment: str) -> None:
    watched = watch(own_etcd, count=60)
    if moment == "in a storm":
        for value in (DOWN, UP) * 5:
            watched.flip(*range(60), value=value)
    elif moment == "while etcd is down":
        own_etcd.kill()
        watched.unready()
    elif moment == "while etcd is frozen":
        own_etcd.freeze()
    try:
        watched.service.stop()  # checks the time, the exit code and stderr
    finally:
        if moment == "while etcd is frozen":
            own_etcd.thaw()


def test_sigterm_while_nobody_listens_where_etcd_should_be_ends_cleanly(service: StartService) -> None:
    nobody = Etcd()
    try:
        service(etcd=nobody, ready=False).wait_alive().stop()
    finally:
        nobody.close()


def test_sigterm_while_a_connection_is_made_that_says_nothing_ends_cleanly(etcd: Etcd, service: StartService) -> None:
    with Relay(etcd.port) as relay:
        relay.stall()
        service(etcd=relay, ready=False).wait_alive().stop()


@pytest.fixture(scope="module")
def large_etcd() -> Iterator[Etcd]:
    """A server whose list takes a while."""
    server = Etcd()
    try:
        server.start()
        for start in range(0, 60_000, 128):
            server.txn({f"{STATES}x{number}": UP for number in range(start, start + 128)})
        keys = list(fleet(2_000).items())
        for start in range(0, len(keys), 128):
            server.txn(dict(keys[start : start + 128]))
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("bytes_of_the_list", [100_000, 1_000_000, 3_000_000])
def test_sigterm_in_the_middle_of_a_list_ends_cleanly(
    large_etcd: Etcd, service: StartService, bytes_of_the_list: int
) -> None:
    with Relay(large_etcd.port) as relay:
        relay.stall_after(bytes_of_the_list)
        running = service(etcd=relay, ready=False).wait_alive()
        relay.wait_stalled()
        running.stop()


@pytest.mark.skipif(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, reason="these tests run under nohup themselves")
def test_a_terminal_that_is_closed_ends_it_as_cleanly(etcd: Etcd, service: StartService, tmp_path: Path) -> None:
    status_file = tmp_path / "status.json"
    service("--status-file", str(status_file)).stop(signal.SIGHUP)
    assert json.loads(status_file.read_text())["reason"] == "ha_monitor has ended"


def test_under_nohup_it_goes_on_without_its_terminal(etcd: Etcd) -> None:
    running = Service(etcd.url, before=["nohup"])
    try:
        running.wait_ready()
        status = Path("/proc", str(running.pid), "status").read_text()
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
        assert ignored & 1 << signal.SIGHUP - 1
        running.stop()
    finally:
        running.kill()
