"""Three etcd servers of one cluster on loopback, each reached by the others through a relay."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import psutil
from aetcd import rpc

from tests.support.binaries import binary
from tests.support.etcd import START, Etcd, free_port
from tests.support.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = 3
_DRAINED = 15.0  # seconds for an end in good order: etcd leaves open streams 7 s to end by themselves


class Cluster:
    """A cluster; members are told by number. Reads and writes of the tests go through :meth:`client`."""

    def __init__(self, server: str = "") -> None:
        """Prepare a cluster; :meth:`start` runs it.

        :param server: path of the etcd binary; the one under test where it is empty.
        """
        self.servers = [server or binary()] * SIZE
        """The binary of each member, as of its next start: another one upgrades it."""
        self.options: tuple[str, ...] = ()
        """Further command-line options of a member, as of its next start."""
        self._folder = tempfile.TemporaryDirectory(prefix="ha-monitor-test-cluster-", ignore_cleanup_errors=True)
        self.ports = [free_port() for _ in range(SIZE)]
        self._peer_ports = [free_port() for _ in range(SIZE)]
        self._relays = [Relay(port).__enter__() for port in self._peer_ports]
        self.peers = [relay.url for relay in self._relays]
        """URLs at which the members reach each other."""
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * SIZE

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    @property
    def url(self) -> str:
        """All members, as the service takes them."""
        return ",".join(self.urls)

    @property
    def initial_cluster(self) -> str:
        """All members with their peer URLs, as etcd's option of that name takes them."""
        return ",".join(f"m{number}={peer}" for number, peer in enumerate(self.peers))

    def data(self, member: int) -> Path:
        """Return the folder of a member's data."""
        return Path(self._folder.name, f"m{member}")

    def client(self, member: int = 0) -> Etcd:
        """Give a client of one member; it starts and stops nothing."""
        return Etcd(port=self.ports[member])

    def client_of_all(self) -> Etcd:
        """Give a client of whichever member it can reach."""
        return Etcd(port=self.ports[0], others=self.ports[1:])

    def start(self, *members: int) -> None:
        """Start members, all of them where none is named, and wait until the cluster has a leader."""
        for member in members or range(SIZE):
            self._processes[member] = self._start(member)
        for member in members or range(SIZE):
            self._wait(member)

    def _start(self, member: int) -> subprocess.Popen[bytes]:
        arguments = {
            "--name": f"m{member}",
            "--data-dir": str(self.data(member)),
            "--listen-client-urls": self.urls[member],
            "--advertise-client-urls": self.urls[member],
            "--listen-peer-urls": f"http://127.0.0.1:{self._peer_ports[member]}",
            "--initial-advertise-peer-urls": self.peers[member],
            "--initial-cluster": self.initial_cluster,
            "--log-level": "error",
        }
        command = [self.servers[member], "--unsafe-no-fsync", *itertools.chain.from_iterable(arguments.items())]
        with self._log(member).open("ab") as log:
            return subprocess.Popen([*command, *self.options], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _log(self, member: int) -> Path:
        return Path(self._folder.name, f"m{member}.log")

    def _wait(self, member: int) -> None:
        give_up = time.monotonic() + START
        with grpc.insecure_channel(f"127.0.0.1:{self.ports[member]}") as channel:
            while True:
                try:
                    rpc.KVStub(channel).Range(rpc.RangeRequest(key=b"\0"), timeout=1.0)
                except grpc.RpcError:
                    words = f"member {member} does not answer: {self._log(member).read_text(errors='replace')[-2000:]}"
                    assert time.monotonic() < give_up, words
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

    def lead(self, member: int) -> None:
        """Have a member lead."""
        give_up = time.monotonic() + START
        while (leader := self.leader()) != member:
            with grpc.insecure_channel(f"127.0.0.1:{self.ports[member]}") as channel:
                wanted = rpc.MaintenanceStub(channel).Status(rpc.StatusRequest(), timeout=5.0).header.member_id
            with grpc.insecure_channel(f"127.0.0.1:{self.ports[leader]}") as channel:
                move = rpc.MoveLeaderRequest(targetID=wanted)
                rpc.MaintenanceStub(channel).MoveLeader(move, timeout=5.0)
            assert time.monotonic() < give_up, f"member {member} does not come to lead"

    def _running(self) -> Iterator[int]:
        return (member for member, process in enumerate(self._processes) if process is not None)

    def kill(self, *members: int) -> None:
        """Kill members; they can be started again."""
        for member in members:
            self._send(member, signal.SIGKILL)

    def stop(self, member: int) -> None:
        """End a member in good order; it can be started again."""
        self._send(member, signal.SIGTERM)

    def freeze(self, member: int) -> None:
        """Stop a member; it keeps its connections and says nothing."""
        process = self._processes[member]
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)  # the signal alone leaves it a moment to answer in

    def thaw(self, member: int) -> None:
        """Let it go on."""
        process = self._processes[member]
        assert process is not None
        process.send_signal(signal.SIGCONT)

    def isolate(self, member: int) -> None:
        """Cut a member off from the others; its clients still reach it."""
        process = self._processes[member]
        assert process is not None

        def ports() -> set[int]:
            return {connection.laddr.port for connection in psutil.Process(process.pid).net_connections("tcp")}

        for number, relay in enumerate(self._relays):
            if number == member:
                relay.cut()
            else:
                relay.refuse(ports)

    def join(self) -> None:
        """Let all members hear each other again."""
        for relay in self._relays:
            relay.flow()

    def _send(self, member: int, how: signal.Signals) -> None:
        process, self._processes[member] = self._processes[member], None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(how)
            process.wait(_DRAINED)

    def close(self) -> None:
        """End all of it."""
        for member in range(SIZE):
            self._send(member, signal.SIGKILL)
        for relay in self._relays:
            relay.__exit__(None, None, None)
        self._folder.cleanup()
