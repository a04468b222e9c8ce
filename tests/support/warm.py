"""Starts ``ha-monitor`` as a fork of a process that has imported all of it, half a second of CPU sooner.

The tests start it 400 times. What is forked is a process of its own, with arguments, environment, folder, standard
streams and signals as if it had been executed, and it ends as an interpreter does. On a terminal, by the demo and by a
unit of systemd, and where it is measured, it is started the cold way.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LARGEST = 1 << 16  # bytes of a request: arguments and environment
_STREAMS = 3


class Forked:
    """A process that was forked for us; the part of :class:`subprocess.Popen` that tests use."""

    def __init__(self, pid: int, end: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._end = end

    def poll(self) -> int | None:
        """Give its exit code, ``None`` while it runs."""
        return self._look(0.0)

    def wait(self, timeout: float) -> int:
        """Wait for its exit code. Raises :class:`subprocess.TimeoutExpired`."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("ha-monitor", timeout)
        return code

    def _look(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._end], [], [], timeout)[0]:
            self.returncode = int(self._end.recv(16))
            self._end.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal; nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def start(arguments: Sequence[str], env: Mapping[str, str], cwd: str, streams: Sequence[int]) -> Forked:
    """Start ``ha-monitor``.

    :param streams: file descriptors of its input, output and errors.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        request = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": cwd}).encode()
        socket.send_fds(_source(), [request], [*streams, theirs.fileno()])
    return Forked(int(ours.recv(16)), ours)


@functools.cache
def _source() -> socket.socket:
    """Give the way to the process that forks; it ends with us."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        line = [sys.executable, "-W", "error", "-m", "tests.support.warm", str(theirs.fileno())]
        process = subprocess.Popen(line, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    process.returncode = 0  # nobody waits for it
    atexit.register(ours.close)
    return ours


# -- the process that forks


def _forks(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; gives the request in the process that it is for, and ``None`` once there are no more."""
    ends: dict[int, socket.socket] = {}
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while True:
            ready, _, _ = select.select([requests, wake], [], [])
            if wake in ready:
                wake.recv(_LARGEST)
                _tell(ends)
            if requests not in ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(requests, _LARGEST, _STREAMS + 1)
            if not message:
                return None
            streams, end = descriptors[:_STREAMS], socket.socket(fileno=descriptors[_STREAMS])
            pid = os.fork()
            if pid == 0:
                end.close()
                for number, stream in enumerate(streams):
                    os.dup2(stream, number)
                _close(streams)
                request: dict[str, Any] = json.loads(message)
                return request
            end.send(str(pid).encode())
            ends[pid] = end
            _close(streams)
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for each in (requests, wake, woken, *ends.values()):
            each.close()


def _tell(ends: dict[int, socket.socket]) -> None:
    """Say the exit code of each process that has ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with ends.pop(pid) as end, contextlib.suppress(BrokenPipeError):
                end.send(str(os.waitstatus_to_exitcode(status)).encode())


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _main() -> None:
    import ha_monitor

    for module in pkgutil.walk_packages(ha_monitor.__path__, "ha_monitor."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    gc.freeze()  # else each fork looks at all of it once more at its end, which takes a quarter of a second
    request = _forks(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        sys.argv = ["ha-monitor", *request["arguments"]]
        import_module("ha_monitor.__main__").main()


if __name__ == "__main__":
    _main()
