"""``ha-monitor run`` as a process of its own, as a user starts it; and any other of its subcommands, to its end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import warm
from .etcd import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

READY = 15.0  # seconds until it must be ready, on a busy machine
STOP = 5.0
COMMAND = 20.0


def _environment() -> dict[str, str]:
    """Give this process' environment without the settings that may stand in it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HA_MONITOR_")}


def command(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run one subcommand to its end."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        streams = [file.fileno() for file in (given, out, err)]
        process = warm.start(arguments, _environment(), str(Path.cwd()), streams)
        try:
            code = process.wait(COMMAND)
        finally:
            process.kill()
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(arguments, code, out.read(), err.read())


class Service:
    """One running service. ``stop`` also checks what must hold of every run: its exit code and its log."""

    def __init__(self, url: str | None, *arguments: str, before: Sequence[str] = (), cold: bool = False) -> None:
        """Start it.

        :param url: of etcd; ``None`` where the arguments say how it is found.
        :param before: a command that becomes the service in the end.
        :param cold: as an interpreter of its own, not as a fork.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="ha-monitor-test-service-", ignore_cleanup_errors=True)
        self._log = Path(self._folder.name, "stderr")
        self._ended = False
        self.last_log = ""
        """Everything that it wrote, once it has ended."""
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        etcd = () if url is None else ("--etcd", url)
        line = ["run", *etcd, "--listen", f"127.0.0.1:{self.port}", *arguments]
        env, cwd = _environment(), self._folder.name
        with self._log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            self._process: subprocess.Popen[bytes] | warm.Forked
            if before or cold:
                line = [*before, sys.executable, "-W", "error", "-m", "ha_monitor", *line]
                self._process = subprocess.Popen(line, stdin=nothing, stdout=log, stderr=log, env=env, cwd=cwd)
            else:
                self._process = warm.start(line, env, cwd, [each.fileno() for each in (nothing, log, log)])

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """Everything that it wrote so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def freeze(self) -> None:
        """Stop its clock: its connections stay open and say nothing."""
        self._process.send_signal(signal.SIGSTOP)
        status = Path("/proc", str(self.pid), "stat")
        while status.read_text().rpartition(") ")[2][0] != "T":  # the signal alone leaves it a moment to act in
            time.sleep(0.001)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def wait_ready(self, timeout: float = READY) -> Service:
        """Wait until ``/readyz`` says so."""
        give_up = time.monotonic() + timeout
        last = "no answer"
        while time.monotonic() < give_up:
            assert self.running, f"ended with {self._process.returncode} before it was ready:\n{self.log[-4000:]}"
            try:
                status, body = self.get("/readyz")
            except OSError as error:
                last = str(error)
            else:
                if status == http.HTTPStatus.OK:
                    return self
                last = f"{status} {body!r}"
            time.sleep(0.02)
        raise AssertionError(f"not ready within {timeout} s: {last}\n{self.log[-4000:]}")

    def get(self, path: str, timeout: float = 10.0) -> tuple[int, bytes]:
        """Ask it over HTTP; gives the status code and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get_or_none(self, path: str) -> tuple[int, bytes] | None:
        """The same; ``None`` where it does not listen yet."""
        assert self.running, self.log[-4000:]
        try:
            return self.get(path)
        except ConnectionError:
            return None

    def wait_alive(self) -> Service:
        """Wait until it answers at all."""
        give_up = time.monotonic() + READY
        while self.get_or_none("/healthz") is None:
            assert time.monotonic() < give_up, self.log[-4000:]
            time.sleep(0.01)
        return self

    def json(self, path: str) -> Any:
        """Ask it over HTTP for a JSON document that must be there."""
        status, body = self.get(path)
        assert status == http.HTTPStatus.OK, (status, body)
        return json.loads(body)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it as an init system does: SIGTERM ends it in time, with 0, and its log tells of no fault of its own."""
        if self._ended:
            return
        try:
            self._stop(how)
        finally:
            self.kill()

    def _stop(self, how: signal.Signals) -> None:
        assert self.running, f"had ended by itself with {self._process.returncode}:\n{self.log[-4000:]}"
        self._process.send_signal(how)
        try:
            code = self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{how.name} did not end it within {STOP} s:\n{self.log[-4000:]}") from None
        log = self.log
        assert code == 0, f"ended with {code}:\n{log[-4000:]}"
        assert "Traceback" not in log, log[-8000:]
        assert "Warning" not in log, log[-8000:]

    def kill(self) -> None:
        """End it at once and remove what it wrote; harmless where it has ended."""
        if self.running:
            self._process.kill()
        self._process.wait(STOP)
        self.last_log = self.log or self.last_log
        self._ended = True
        self._folder.cleanup()
