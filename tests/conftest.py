"""Fixtures for every test: a real etcd, the service as a process, the recorded site."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, settings

from .support.etcd import Etcd
from .support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


class Reachable(Protocol):
    """An etcd, a cluster, or what stands before one."""

    @property
    def url(self) -> str: ...


class StartService(Protocol):
    """Starts a service with these options, on the test's etcd or another one, and waits until it is ready.

    ``cold``: as an interpreter of its own.
    """

    def __call__(
        self, *args: str, etcd: Reachable | None = None, ready: bool = True, cold: bool = False
    ) -> Service: ...


def pytest_configure() -> None:
    """Give the processes that tests start the usual SIGINT, and property tests all the time that they take.

    A shell has its background jobs ignore SIGINT. And hypothesis would fail a test whose example takes 0.2 s, or a
    second to be thought of, which it does on a busy machine.
    """
    settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("untimed")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Take back what commands that run in our own process make of the log."""
    ours, root = logging.getLogger("ha_monitor"), logging.getLogger()
    levels, handlers = (ours.level, root.level), root.handlers[:]
    yield
    for logger, level in zip((ours, root), levels, strict=True):
        logger.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    """Run what is embedded on both event loops that our users have."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="session")
def etcd_server() -> Iterator[Etcd]:
    """One server for the whole session; tests take ``etcd``, which is it, emptied."""
    server = Etcd()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def etcd(etcd_server: Etcd) -> Etcd:
    """The session's server, without any key."""
    etcd_server.delete_prefix("")
    return etcd_server


@pytest.fixture
def own_etcd() -> Iterator[Etcd]:
    """A server for this test alone: to be stopped, killed, frozen."""
    server = Etcd()
    try:
        yield server.start()
    finally:
        server.close()


@pytest.fixture
def service(request: pytest.FixtureRequest) -> Iterator[StartService]:
    """Start services; each ends with the test, and is held to a clean end."""
    started: list[Service] = []

    def start(*args: str, etcd: Reachable | None = None, ready: bool = True, cold: bool = False) -> Service:
        server: Reachable = etcd if etcd is not None else request.getfixturevalue("etcd")
        running = Service(server.url, *args, cold=cold)
        started.append(running)
        return running.wait_ready() if ready else running

    try:
        yield start
        for running in reversed(started):
            running.stop()
    finally:
        for running in started:
            running.kill()


@pytest.fixture(scope="session")
def recorded_site() -> Path:
    """The folder with a recorded etcd of a real site, which is not part of this repository."""
    named = os.environ.get("HA_MONITOR_RECORDED_SITE")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("no recorded site here: set HA_MONITOR_RECORDED_SITE to the folder of one")
    return folder
