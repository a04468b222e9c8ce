"""Three etcd servers of one cluster on loopback."""

from __future__ import annotations

import itertools
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from aetcd import rpc

from ha_monitor.demo.etcd_process import binary
from tests.support.etcd import START, STOP, Etcd, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 3


class Cluster:
    """A cluster; members are told by number. Reads and writes of the tests go through :meth:`client`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ha-monitor-test-cluster-", ignore_cleanup_errors=True)
        self.ports = [free_port() for _ in range(SIZE)]
        self._peers = [f"http://127.0.0.1:{free_port()}" for _ in range(SIZE)]
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * SIZE

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    @property
    def url(self) -> str:
        """All members, as the service takes them."""
        return ",".join(self.urls)

    def client(self, member: int = 0) -> Etcd:
        """Give a client of one member; it starts and stops nothing."""
        return Etcd(port=self.ports[member])

    def start(self, *members: int) -> None:
        """Start members, all of them where none is named, and wait until the cluster has a leader."""
        for member in members or range(SIZE):
            self._processes[member] = self._start(member)
        for member in members or range(SIZE):
            self._wait(member)

    def _start(self, member: int) -> subprocess.Popen[bytes]:
        arguments = {
            "--name": f"m{member}",
            "--data-dir": str(Path(self._folder.name, f"m{member}")),
            "--listen-client-urls": self.urls[member],
            "--advertise-client-urls": self.urls[member],
            "--listen-peer-urls": self._peers[member],
            "--initial-advertise-peer-urls": self._peers[member],
            "--initial-cluster": ",".join(f"m{number}={peer}" for number, peer in enumerate(self._peers)),
            "--log-level": "error",
        }
        command = [str(binary()), "--unsafe-no-fsync", *itertools.chain.from_iterable(arguments.items())]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def _wait(self, member: int) -> None:
        give_up = time.monotonic() + START
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[member]}") as channel:
            while True:
                try:
                    rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"\0"), timeout=1.0)
                except grpc.RpcError:
                    assert time.monotonic() < give_up, f"member {member} does not answer"
                    time.sleep(0.02)
                else:
                    return

    def leader(self) -> int:
        """Give the number of the member that leads."""
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[next(self._running())]}") as channel:
            leader = rpc.MaintenanceStub(channel).Status(rpc.StatusRequest(), timeout=5.0).leader
        for member in self._running():
            with grpc.insecure_channel(f"127.0.0.1:{self.ports[member]}") as channel:
                status = rpc.MaintenanceStub(channel).Status(rpc.StatusRequest(), timeout=5.0)
                if status.header.member_id == leader:
                    return member
        raise AssertionError("nobody leads")

    def _running(self) -> Iterator[int]:
        return (member for member, process in enumerate(self._processes) if process is not None)

    def kill(self, *members: int) -> None:
        """Kill members; they can be started again."""
        for member in members:
            self._send(member, signal.SIGKILL)

    def freeze(self, member: int) -> None:
        """Stop a member; it keeps its connections and says nothing."""
        process = self._processes[member]
        assert process is not None
        process.send_signal(signal.SIGSTOP)

    def thaw(self, member: int) -> None:
        """Let it go on."""
        process = self._processes[member]
        assert process is not None
        process.send_signal(signal.SIGCONT)

    def _send(self, member: int, how: signal.Signals) -> None:
        process, self._processes[member] = self._processes[member], None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            process.wait(STOP)

    def close(self) -> None:
        """End all of it."""
        for member in range(SIZE):
            self._send(member, signal.SIGKILL)
        self._folder.cleanup()
