"""The addresses of a name: whoever asks for them does not wait for a resolver that hangs, and neither does the loop."""

from __future__ import annotations

import socket
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from ha_monitor.wire.resolver import resolve

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_an_address_is_its_own_and_needs_no_thread(host: str) -> None:
    before = threading.active_count()
    assert [found[4][:2] for found in await resolve(host, 2379)] == [(host, 2379)]
    assert threading.active_count() == before


async def test_a_name_has_those_that_the_system_knows() -> None:
    assert ("127.0.0.1", 2379) in [found[4] for found in await resolve("localhost", 2379)]


async def test_a_name_that_can_be_none() -> None:
    with pytest.raises((OSError, ValueError)):
        await resolve("x" * 64, 2379)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_resolver_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    goes_on, asked = threading.Event(), socket.getaddrinfo

    def hang(host: str, *arguments: Any, **options: Any) -> Any:
        if not options["flags"]:
            goes_on.wait(20)
            if fails:
                raise socket.gaierror
        return asked("127.0.0.1" if not options["flags"] else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with anyio.move_on_after(0.01) as scope:
        await resolve("etcd.example", 2379)
    assert scope.cancelled_caught
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "resolver"]
    assert thread.daemon
    goes_on.set()
    thread.join(20)
    await anyio.lowlevel.checkpoint()  # what it found is told to nobody
