"""Runs a command for a change: the change on its standard input and in its environment, bounded in time and output.

It runs in a session of its own, so that it is ended with all that it started: after its time is over, when we end, and
what it left in the background when it ends by itself. Its id is ours until we have looked: the group is ended before
its first process is reaped, when no other group can have that id.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import subprocess
from pathlib import PurePath
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from ha_monitor.hooks.receiver import OK, Outcome
from ha_monitor.text import legible, rfc3339
from ha_monitor.transition import encode, transition_shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

    from ha_monitor.model import Change

log = logging.getLogger(__name__)

PREFIX = "HA_CHANGE_"
"""Of the variables that tell of the change. Ours begin with HA_MONITOR_, and no hook gets to see those."""

PASSED = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR")
"""What else it gets of our environment, as from cron: there may be secrets in the rest."""

POLITELY = 0.5
"""Seconds between SIGTERM and SIGKILL. Chosen: what is ended has had its time already."""

STUBBORN = 1.0
"""Seconds until a process is left that SIGKILL does not end, since the kernel does not come back with it. Chosen."""

KEPT = 4_096
"""Bytes of its output that are kept, the last ones; :data:`SAID` characters of them are said in a log line."""

SAID = 500

_PIECE, _BREATH = 65_536, 0.01  # bytes that are read in one go, a pipe's worth, and seconds until the next
_LONGEST = 4_096  # characters of a variable; Linux takes 128 KiB, and the whole is on standard input


class Command:
    """A command, as a receiver of changes."""

    def __init__(self, arguments: Sequence[str], parallel: int) -> None:
        """Prepare.

        :param arguments: the program and its arguments; no shell is between.
        :param parallel: how many may run at once.
        """
        self.name = f"hook {PurePath(arguments[0]).name}"
        self._arguments = tuple(arguments)
        self._threads = anyio.CapacityLimiter(4 * parallel)  # one waits for each, and one more where it is being ended

    async def tell(self, change: Change) -> Outcome:
        """Run it once."""
        try:
            return await self._run(change)
        except ChildProcessError:  # to run it again for that would never end, should it have done its work each time
            return Outcome("refused", "nobody knows how it ended: another has taken its exit code")
        except OSError as error:  # the program is gone, or there are no more files or processes to be had
            return Outcome("failed", error.strerror or str(error), perhaps=False)
        except RuntimeError as error:  # there are no more threads to be had
            return Outcome("failed", str(error))

    async def _run(self, change: Change) -> Outcome:
        with _Output() as output, os.fdopen(os.memfd_create("change"), "w+b") as given:
            given.write(encode(transition_shape(change)) + b"\n")
            given.seek(0)

            def begin() -> subprocess.Popen[bytes]:
                return subprocess.Popen(  # noqa: S603 - it is what the operator wants to be run
                    self._arguments, stdin=given, stdout=output.writer, stderr=output.writer,
                    env=environment(change), start_new_session=True,
                )  # fmt: skip

            process = await anyio.to_thread.run_sync(begin, limiter=self._threads)
            try:
                await self._ended(process)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._end(process)
            return OK if process.returncode == 0 else Outcome("failed", _words(process.returncode, output.last()))

    async def _ended(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it has ended, and leave it to be reaped."""
        wait = functools.partial(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        await anyio.to_thread.run_sync(wait, abandon_on_cancel=True, limiter=self._threads)

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End all of it, and reap it."""
        try:
            if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:  # noqa: ASYNC222 - WNOHANG
                _signal(process, signal.SIGTERM)
                with anyio.move_on_after(POLITELY):
                    await self._ended(process)
            _signal(process, signal.SIGKILL)
            with anyio.move_on_after(STUBBORN):
                await self._ended(process)
                process.wait()
        except ChildProcessError:  # it is reaped, as where SIGCHLD is ignored: the id of its group may be another's now
            process.poll()


def environment(change: Change) -> Mapping[str, str]:
    """Give the variables that a command gets."""
    about = {
        "TYPE": change.type,
        "ID": change.id,
        "ENTRY": change.entry,
        "OLD": "" if change.old is None else change.old.value,
        "NEW": "" if change.new is None else change.new.value,
        "STATUS": change.status.value,
        "ACTIVE": change.active or "",
        "REVISION": str(change.revision),
        "AT": rfc3339(change.at) or "",
        "REASON": change.reason,
    }
    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    # A key of etcd may have any byte in it, and a variable none that is zero.
    return passed | {PREFIX + name: legible(text).replace("\0", "?")[:_LONGEST] for name, text in about.items()}


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it has ended, or is another user's now
        os.killpg(process.pid, number)


def _words(code: int | None, output: str) -> str:
    if code is None:
        return "it can't be ended"
    try:
        how = f"exit code {code}" if code > 0 else f"ended by {signal.Signals(-code).name}"
    except ValueError:
        how = f"ended by signal {-code}"
    return f"{how}: {output}" if output else how


class _Output:
    """Takes what a command writes, however much that is, and keeps the end of it."""

    def __init__(self) -> None:
        self._kept = b""
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._loop.add_reader(self._reader, self._readable)
        return self

    def __exit__(self, *_: object) -> None:
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self.writer)

    def _readable(self) -> None:
        """Read a piece, and no other for a moment: one that writes without end must not keep the loop busy."""
        self._take()
        self._loop.remove_reader(self._reader)
        self._pause = self._loop.call_later(_BREATH, self._loop.add_reader, self._reader, self._readable)

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._kept = (self._kept + os.read(self._reader, _PIECE))[-KEPT:]

    def last(self) -> str:
        """Give the end of it in one line, with what is still in the pipe."""
        self._take()
        return " ".join(self._kept.decode("utf-8", "replace").split())[-SAID:]
