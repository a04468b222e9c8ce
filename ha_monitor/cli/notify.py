"""What systemd is told of a service of ``Type=notify``: started, how it stands, still alive, stopping; sd_notify(3)."""

from __future__ import annotations

import logging
import os
import socket
from typing import TYPE_CHECKING

import anyio

from ha_monitor.text import legible

if TYPE_CHECKING:
    from ha_monitor.monitor import HaMonitor

log = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds between two looks at readiness, whose turn no change tells."""

_LONGEST = 900  # characters of a status: systemd passes over datagrams of more than 4,096 bytes


async def keep_notified(monitor: HaMonitor) -> None:
    """Tell the service manager how it stands until cancelled; nothing where ``NOTIFY_SOCKET`` names none.

    Call it once HTTP is bound. A service that waits for etcd has started: what it waits for is in its status.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
        sending.setblocking(False)  # a manager that does not read must not hold up the loop
        manager = _Manager(sending, address)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_say_how_it_stands, monitor, manager)
                every = _watchdog()
                if every is not None:
                    tasks.start_soon(_say_alive, manager, every)
        finally:
            manager.say("STOPPING=1", "STATUS=stopping")


class _Manager:
    def __init__(self, sending: socket.socket, address: str) -> None:
        self._socket = sending
        # "@" stands for the null byte that the name of a socket outside of any file system begins with.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._named = address
        self._warned = False

    def say(self, *lines: str) -> bool:
        """Send these lines; tell whether that went well."""
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            if not self._warned:
                log.warning("NOTIFY_SOCKET %s: %s", self._named, error.strerror or error)
            self._warned = True
            return False
        return True


async def _say_how_it_stands(monitor: HaMonitor, manager: _Manager) -> None:
    """Say that it has started, then each new status; what could not be sent is tried again."""
    started: tuple[str, ...] = ("READY=1",)
    said = ""
    while True:
        words = _words(monitor)
        if words != said and manager.say(*started, f"STATUS={words}"):
            started, said = (), words
        await anyio.sleep(LOOK)


def _words(monitor: HaMonitor) -> str:
    readiness = monitor.readiness()
    if not readiness.ready:
        # In one line: the next one would be another message to the manager.
        return " ".join(f"not ready: {legible(readiness.reason)}".split())[:_LONGEST]
    resources, problems = len(monitor.roll.find()), len(monitor.roll.find(status="PROBLEM"))
    return f"ready: {_counted(resources, 'resource')}, {_counted(problems, 'problem')}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _watchdog() -> float | None:
    """Give the seconds between two signs of life; ``None`` where nobody waits for ours."""
    within, pid = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID")
    if not within.isdecimal() or int(within) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(within) / 1_000_000 / 2


async def _say_alive(manager: _Manager, every: float) -> None:
    """From the event loop, so that one that hangs is found out."""
    while True:
        await anyio.sleep(every)
        manager.say("WATCHDOG=1")
