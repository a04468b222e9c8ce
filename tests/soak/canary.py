"""What is looked at all the time while etcd is upgraded: is each monitor ready, and how late is a record?"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING

import grpc

from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from tests.support.etcd import Etcd
    from tests.support.service import Service

LATE = 5.0
"""Seconds from a change to its record that are too many; it takes milliseconds while etcd answers."""

_LOOK = 0.1  # seconds between two looks


class Canary:
    """A pair that nothing else changes; its state is flipped, and its record waited for."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd
        self._pair = site.HaInterface("ha-canary", "p-canary", "s-canary")
        self._down = False
        self._written: float | None = None
        """When the last flip was written, on the monotonic clock; ``None`` once its record is there."""

    def fill(self) -> None:
        """Put its keys."""
        self._etcd.txn(self._pair.keys())

    def look(self) -> float | None:
        """Flip the state, or look for the record of the last flip; return how long that has been missing, or took.

        ``None`` where the state was flipped just now, or etcd does not answer.
        """
        with contextlib.suppress(grpc.RpcError):
            if self._written is None:
                self._etcd.put(self._pair.primary_state, site.UP if self._down else site.DOWN)
                self._down, self._written = not self._down, time.monotonic()
                return None
            record = self._etcd.get(self._pair.record)
            taken = time.monotonic() - self._written
            if record is not None and json.loads(record) == site.record("DOWN" if self._down else "UP"):
                self._written = None
            return taken
        return None


class Watchdog:
    """Looks at the monitors and the canary in threads of its own; a context manager. Collects what must not be."""

    def __init__(self, monitors: Sequence[Service], canary: Canary) -> None:
        self._monitors = monitors
        self._canary = canary
        self.wrong: list[str] = []
        """What was not as it has to be."""
        self._allowed_until = 0.0  # on the monotonic clock
        self._step = "before the first upgrade"
        self._looks = self._flips = self._unready = 0
        self._slowest = 0.0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each, daemon=True) for each in (self._readiness, self._records)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30.0)

    @contextlib.contextmanager
    def allowed(self, step: str, afterwards: float) -> Iterator[None]:
        """Let a monitor be not ready in a block, and for so many seconds after it."""
        self._step, self._allowed_until = step, float("inf")
        yield
        self._allowed_until = time.monotonic() + afterwards

    def figures(self) -> dict[str, object]:
        """Return what was seen: how often it was looked, how long all of it lasted, in seconds."""
        return {
            "looks at readiness": self._looks,
            "of them not ready, at a restart": self._unready,
            "flips of the canary": self._flips,
            "slowest record, seconds": round(self._slowest, 3),
        }

    def _readiness(self) -> None:
        while not self._stop.wait(_LOOK):
            for number, monitor in enumerate(self._monitors):
                begun = time.monotonic()
                try:
                    status, body = monitor.get("/readyz")
                except OSError as error:
                    status, body = 0, str(error).encode()
                self._looks += 1
                if status == 200:
                    continue
                if begun <= self._allowed_until:
                    self._unready += 1
                else:
                    self.wrong.append(f"after {self._step}: monitor {number} is not ready: {body.decode()}")

    def _records(self) -> None:
        while not self._stop.wait(_LOOK):
            taken = self._canary.look()
            if taken is None:
                continue
            self._flips += 1
            self._slowest = max(self._slowest, taken)
            if taken > LATE and time.monotonic() > self._allowed_until:
                self.wrong.append(f"after {self._step}: a record is missing for {taken:.1f} s")
