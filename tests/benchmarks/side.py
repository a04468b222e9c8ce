"""A measured process, as the one who measures sees it: what it says, how to stop its clock, what it takes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from typing_extensions import Self

SETTLED = 1.0  # seconds from ready to the first measurement
PATIENCE = 60.0  # seconds for one line; what takes longer is broken, not slow
LINE = 64 << 20  # bytes


class Side:
    """A role of :mod:`tests.benchmarks.sides` in a process of its own, for the time of an ``async with`` block."""

    def __init__(self, role: str, *arguments: str) -> None:
        self._command = [sys.executable, "-m", "tests.benchmarks.sides", role, *arguments]
        self._process: asyncio.subprocess.Process

    async def __aenter__(self) -> Self:
        """Start it."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, limit=LINE)
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Let it end; it is ended where it does not."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.communicate(), 20.0)
        except asyncio.TimeoutError:
            self._process.kill()
            await self._process.communicate()

    async def hear(self, what: str) -> dict[str, Any]:
        """Wait for the next line that has this figure; gives the line."""
        assert self._process.stdout is not None
        while True:
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)
            if not line:
                raise RuntimeError(f"{self._command}: ended without {what!r}")
            said: dict[str, Any] = json.loads(line)
            if what in said:
                return said

    async def revision(self, revision: int) -> float:
        """Wait until it says that it has a revision; gives when it had it."""
        while (said := await self.hear("revision"))["revision"] < revision:
            pass
        return float(said["at"])

    def freeze(self) -> None:
        """Stop its clock."""
        os.kill(self._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    @property
    def process(self) -> psutil.Process:
        """What the system knows of it."""
        return psutil.Process(self._process.pid)
