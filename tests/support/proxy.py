"""``etcd grpc-proxy`` between a client and an etcd, as a process on loopback."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from aetcd import rpc

from tests.support.binaries import binary
from tests.support.etcd import START, STOP, free_port

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self


class GrpcProxy:
    """A context manager; clients reach etcd at :attr:`url` within it.

    :param endpoints: URLs of the etcd members behind it, joined by commas.
    :param options: further options of ``etcd grpc-proxy start``.
    """

    def __init__(self, endpoints: str, *options: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        address = f"127.0.0.1:{self.port}"  # advertised as well: a proxy asks itself, and ends where it can't
        self._line = ["--endpoints", endpoints, "--listen-addr", address, "--advertise-client-url", address, *options]
        self._folder = tempfile.TemporaryDirectory(prefix="ha-monitor-test-proxy-", ignore_cleanup_errors=True)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()

    def start(self) -> Self:
        """Start it on the same port as before and wait until etcd answers through it."""
        assert self._process is None, "this proxy is already running"
        log = Path(self._folder.name, "log")
        line = [binary(), "grpc-proxy", "start", "--data-dir", str(Path(self._folder.name, "data")), *self._line]
        with log.open("ab") as output:
            self._process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        give_up = time.monotonic() + START
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            while True:
                assert self._process.poll() is None, f"the proxy ended: {log.read_text(errors='replace')[-2000:]}"
                try:
                    rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"\0"), timeout=1.0)
                except grpc.RpcError as error:
                    if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                        return self  # etcd refuses a read without a token: the proxy works
                    assert time.monotonic() < give_up, f"no answer: {log.read_text(errors='replace')[-2000:]}"
                    time.sleep(0.02)
                else:
                    return self

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; it can be started again."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP)
