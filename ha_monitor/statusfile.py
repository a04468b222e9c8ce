"""Every resource's status in one JSON file, for the program next door: whole at any moment, and never silently stale.

.. code-block:: json

    {"ready": true, "reason": "", "written_at": "2026-03-01T03:12:05.120Z", "revision": 42,
     "proven_at": "2026-03-01T03:12:05.019Z", "resources": {"ha_interface": {"ID": {
      "name": "", "status": "DEGRADED", "active": "secondary", "since": "2026-03-01T03:12:05.118Z", "version": 1,
      "problem": null, "entries": {"primary": "DOWN", "secondary": "UP"}, "stale": false, "maintenance": null}}}}}

Before anything was proven, and where no run before left any, there are no ``written_at``, ``revision``, ``proven_at``.

``ready`` is false as long as what it says can't be vouched for: before the first list, while etcd can't be heard, and
after the end. It is written on change only. While nothing changes, the file's modification time goes on: it is when all
of it was last proven right, so that a reader can tell an old file by its age.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import msgspec

from ha_monitor.files import KeptFile
from ha_monitor.text import legible, rfc3339

if TYPE_CHECKING:
    from pathlib import Path

    from ha_monitor.model import Readiness, Resource
    from ha_monitor.monitor import HaMonitor

_LOOK = 0.5  # seconds between two looks at what no change tells: readiness, and problems
_AGAIN = 5.0  # seconds until a write that failed is tried again
_AT_ONCE = 200  # resources that are encoded before others have a turn


class _Entry(msgspec.Struct):
    name: str
    status: str
    active: str | None
    since: str | None
    version: int | None
    problem: str | None
    entries: dict[str, str]
    stale: bool
    maintenance: str | None


async def keep_status_file(monitor: HaMonitor, path: Path, *, remove: bool) -> None:
    """Keep the file up to date until cancelled; then say in it that nobody does any longer, or remove it.

    What an earlier run left is marked at once. Where the file can't be written, a warning says so, and it is tried
    again every few seconds.
    """
    file = _File(path)
    try:
        file.disown("ha_monitor is starting")
        await _follow(monitor, file)
    finally:
        if remove:
            file.remove()
        else:
            file.disown("ha_monitor has ended")


async def _follow(monitor: HaMonitor, file: _File) -> None:
    async with monitor.changes() as changes:
        await _until_synced(monitor, file)
        seen: object = None
        vouches = False  # the file says that it is ready
        rests_until = 0.0  # on the loop's clock
        while not changes.ended:
            # The words of an outage go on changing with its retries; its first ones are kept.
            readiness = monitor.readiness()
            now = monitor.generation, readiness.ready
            rests = rests_until - anyio.current_time()
            if now == seen:
                if not file.date(monitor.proven_at):
                    seen = None  # somebody took it away, or its folder can't be written: the next write tells
            elif rests <= 0 or (vouches and not readiness.ready):
                began = anyio.current_time()
                if await _write(monitor, readiness, file):
                    seen, vouches = now, readiness.ready
                    # A storm of changes to a large site is to cost a tenth of a core here.
                    rests_until = anyio.current_time() + 10 * (anyio.current_time() - began)
                else:
                    await anyio.sleep(_AGAIN)
            if rests > 0:
                await anyio.sleep(min(rests, _LOOK))
            else:
                with anyio.move_on_after(_LOOK):
                    await changes.wait()
            changes.take()


async def _write(monitor: HaMonitor, readiness: Readiness, file: _File) -> bool:
    """Write what is so at this moment; tell whether that went well."""
    proven_at = monitor.proven_at
    proof = {"revision": monitor.revision, "proven_at": rfc3339(proven_at)}
    resources = await _resources(monitor)
    says = {"ready": readiness.ready, "reason": legible(readiness.reason), "resources": resources}
    if not await file.write(says, proof):
        return False
    file.date(proven_at)
    return True


async def _until_synced(monitor: HaMonitor, file: _File) -> None:
    """Wait for the first list, and say why it is waited for."""
    said, pause = "", _LOOK
    while True:
        with anyio.move_on_after(pause):
            await monitor.synced()
            return
        reason = legible(monitor.readiness().reason)
        if reason and reason != said:
            await anyio.to_thread.run_sync(file.disown, reason)
        said, pause = reason, _AGAIN  # the words of an outage go on changing with its retries


async def _resources(monitor: HaMonitor) -> dict[str, dict[str, _Entry]]:
    found: dict[str, dict[str, _Entry]] = {}
    for number, resource in enumerate(monitor.resources(), 1):
        found.setdefault(legible(resource.type), {})[legible(resource.id)] = _entry(resource)
        if number % _AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
    return found


def _entry(resource: Resource) -> _Entry:
    return _Entry(
        legible(resource.name),
        resource.status.value,
        resource.active,
        rfc3339(resource.since),
        resource.version,
        resource.problem and legible(resource.problem),
        {name: entry.status.value for name, entry in resource.entries.items()},
        resource.stale,
        None if resource.maintenance is None else legible(resource.maintenance.reason),
    )


class _File:
    def __init__(self, path: Path) -> None:
        self._file = KeptFile(path, "status file", 0o644)  # the reader is another user
        self._said: bytes | None = None
        self._dated = 0.0

    async def write(self, says: dict[str, Any], proof: dict[str, Any]) -> bool:
        """Write what it is to say, where that is something else than it says; tell whether that went well.

        :param proof: is written as well, and is no reason to write.
        """
        encoded = msgspec.json.encode(says)
        if encoded == self._said:
            return True
        content = msgspec.json.encode({**says, **proof, "written_at": rfc3339(time.time())})
        written = await anyio.to_thread.run_sync(self._file.attempt, lambda: self._file.replace(content))
        if written:
            self._said, self._dated = encoded, 0.0
        return written

    def date(self, proven_at: float) -> bool:
        """Have the file bear the time at which all that it says was last proven; tell whether that went well."""
        if proven_at == self._dated:  # and not less: a clock that was ahead is set back
            return True
        self._dated = proven_at
        try:
            os.utime(self._file.path, (proven_at, proven_at))
        except OSError:
            self._said = None
            return False
        return True

    def disown(self, reason: str) -> None:
        """Have what stands there say that it can't be vouched for."""

        def mark() -> None:
            try:
                stands = msgspec.json.decode(self._file.path.read_bytes(), type=dict[str, Any])
            except (FileNotFoundError, msgspec.DecodeError):
                stands = {"resources": {}}
            self._file.replace(msgspec.json.encode({**stands, "ready": False, "reason": reason}))

        self._file.attempt(mark)
        self._said = None

    def remove(self) -> None:
        """Take it away."""
        self._file.attempt(lambda: self._file.path.unlink(missing_ok=True))
