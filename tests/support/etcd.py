"""A real etcd on loopback, and a plain client of it: one that shares no code with the product."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
from aetcd import rpc

from tests.support.binaries import binary

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

CALL = 5.0  # seconds that one call may take
START = 20.0
STOP = 5.0
_SOCKET = "client.sock:0"  # in the server's folder; up to 3.5.1, etcd takes no path and wants something like a port
LOGGED = 1.0  # seconds that an entry may take into the server's log
Items = dict[str, bytes]
_CHANNEL = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.use_local_subchannel_pool", 1),
)


def _own_ports() -> Iterator[int]:
    """Give the ports that are this worker's, again and again, beginning anywhere.

    They are none that the system gives to whoever asks for any: between the moment a port is found free and the one in
    which a service binds it, another worker's service would be given it, and answer in its place.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    run = Random(os.environ.get("PYTEST_XDIST_TESTRUNUID", "")).randrange(16)  # others may run on this machine, too
    first = 10_240 + (run + worker) % 16 * 1_400
    ports = range(first, first + 1_400)
    yield from itertools.islice(itertools.cycle(ports), secrets.randbelow(len(ports)), None)


_PORTS = _own_ports()


def free_port() -> int:
    """Give a loopback port that is free at this moment, and that no other test will be given for a while."""
    while True:
        port = next(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers that are to have it do
            probe.bind(("127.0.0.1", port))
            return port


def encode(value: object) -> bytes:
    """Give what stands in etcd for a value: text and bytes as they are, all else as compact JSON."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def range_end(prefix: str) -> bytes:
    """Give the end of the range of all keys that begin with a prefix; of all keys for the empty one."""
    raw = prefix.encode()
    return raw[:-1] + bytes([raw[-1] + 1]) if raw else b"\0"


class Etcd:
    """One etcd server in a temporary folder, always on the same ports, and a client of it."""

    def __init__(
        self,
        *options: str,
        port: int | None = None,
        others: Sequence[int] = (),
        credentials: grpc.ChannelCredentials | None = None,
        unix: bool = False,
    ) -> None:
        """Prepare a server; :meth:`start` runs it. One that is never started is a client of whoever listens there.

        :param options: more of etcd's command-line options.
        :param others: further ports at which the client finds a member of the same cluster.
        :param credentials: talk TLS, with these.
        :param unix: listen on a Unix socket as well, at :attr:`unix_url`.
        """
        self.user: tuple[str, str] | None = None
        """Who asks it, and the password, where access is checked."""
        self._token, self._token_used = "", float("-inf")
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="ha-monitor-test-etcd-", ignore_cleanup_errors=True)
        self.port, self._peer_port = port or free_port(), free_port()
        self.url = f"{'https' if credentials else 'http'}://127.0.0.1:{self.port}"
        self.peer_url = f"http://127.0.0.1:{self._peer_port}"
        self._unix = [f"unix://{_SOCKET}"] if unix else []
        self._process: subprocess.Popen[bytes] | None = None
        target = f"ipv4:{','.join(f'127.0.0.1:{each}' for each in (self.port, *others))}"
        if credentials is None:
            self._channel = grpc.insecure_channel(target, options=_CHANNEL)
        else:
            self._channel = grpc.secure_channel(target, credentials, options=_CHANNEL)
        self._kv = rpc.KVStub(self._channel)
        self._watch = rpc.WatchStub(self._channel)

    # -- the server

    @property
    def folder(self) -> str:
        """Where it keeps its data and its log."""
        return self._folder.name

    @property
    def unix_url(self) -> str:
        """URL of its Unix socket, where it has one."""
        assert self._unix, "this etcd has no Unix socket"
        return f"unix://{self._folder.name}/{_SOCKET}"

    @property
    def initial_cluster(self) -> str:
        """The cluster of this one member, as etcd's option of that name takes it."""
        return f"default={self.peer_url}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "this etcd is not running"
        return self._process.pid

    def start(self) -> Etcd:
        """Start the server on the data and ports that it had; returns once it answers."""
        assert self._process is None, "this etcd is running already"
        self.forget_token()  # tokens live in the server's memory
        arguments = {
            "--data-dir": str(Path(self._folder.name, "data")),
            "--listen-client-urls": ",".join([self.url, *self._unix]),
            "--advertise-client-urls": self.url,
            "--listen-peer-urls": self.peer_url,
            "--initial-advertise-peer-urls": self.peer_url,
            "--initial-cluster": self.initial_cluster,
            "--max-request-bytes": str(16 << 20),
            "--log-level": "error",
        }
        command = [binary(), "--unsafe-no-fsync", *itertools.chain.from_iterable(arguments.items())]
        command += self._options
        with Path(self._folder.name, "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self._folder.name
            )
        self._wait_until_it_answers()
        return self

    def _wait_until_it_answers(self) -> None:
        give_up = time.monotonic() + START
        while True:
            assert self._process is not None
            assert self._process.poll() is None, f"etcd ended at its start: {self._log()}"
            try:
                self._kv.Range(rpc.RangeRequest(key=b"\0"), timeout=0.5)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                    return  # it answers, if only that nobody may ask it anything without a token
                if time.monotonic() > give_up:
                    raise AssertionError(f"etcd does not answer: {self._log()}") from error
                time.sleep(0.02)
            else:
                return

    def _log(self) -> str:
        return Path(self._folder.name, "log").read_text(errors="replace")[-2000:]

    def stop(self) -> None:
        """End the server in good order; it can be started again."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash does; it can be started again, and has all that it has acknowledged.

        One that is alone acknowledges, before 3.5.5, what its log does not have yet (etcd#14370): so the log is given
        another entry first, one without a revision.
        """
        if self._process is not None and self.user is None:
            with contextlib.suppress(grpc.RpcError):  # a frozen one has had the time
                rpc.LeaseStub(self._channel).LeaseGrant(rpc.LeaseGrantRequest(TTL=1), timeout=LOGGED)
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
        try:
            process.wait(STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP)

    def freeze(self) -> None:
        """Stop the server's clock: its connections stay open and say nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # the signal alone leaves it a moment to answer in

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it for good and remove what it wrote."""
        self.stop()
        self._channel.close()
        self._folder.cleanup()

    # -- its keys

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Give what goes with every call: a token, a new one after a while, since it lives only while it is used."""
        if self.user is None:
            return ()
        now = time.monotonic()
        if now - self._token_used > 1.0:
            request = rpc.AuthenticateRequest(name=self.user[0], password=self.user[1])
            self._token = rpc.AuthStub(self._channel).Authenticate(request, timeout=CALL, wait_for_ready=True).token
        self._token_used = now
        return (("token", self._token),)

    def forget_token(self) -> None:
        """Get another token for the next call: users or roles were changed."""
        self._token_used = float("-inf")

    def put(self, key: str, value: object, *, lease: int = 0) -> int:
        """Put one key, with a lease or (0) without; gives the revision."""
        answer = self._kv.Put(
            rpc.PutRequest(key=key.encode("utf-8", "surrogateescape"), value=encode(value), lease=lease),
            timeout=CALL,
            wait_for_ready=True,
            metadata=self.metadata,
        )
        return int(answer.header.revision)

    def delete(self, key: str) -> int:
        answer = self._kv.DeleteRange(
            rpc.DeleteRangeRequest(key=key.encode("utf-8", "surrogateescape")),
            timeout=CALL,
            wait_for_ready=True,
            metadata=self.metadata,
        )
        return int(answer.header.revision)

    def delete_prefix(self, prefix: str) -> int:
        """Delete every key that begins with a prefix; the empty one deletes all."""
        request = rpc.DeleteRangeRequest(key=prefix.encode() or b"\0", range_end=range_end(prefix))
        return int(
            self._kv.DeleteRange(request, timeout=CALL, wait_for_ready=True, metadata=self.metadata).header.revision
        )

    def txn(self, puts: Mapping[str, object], deletes: Collection[str] = ()) -> int:
        """Put and delete keys in one transaction: one revision for all."""
        operations = [
            rpc.RequestOp(request_put=rpc.PutRequest(key=key.encode("utf-8", "surrogateescape"), value=encode(value)))
            for key, value in puts.items()
        ]
        operations += [
            rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=key.encode("utf-8", "surrogateescape")))
            for key in deletes
        ]
        answer = self._kv.Txn(
            rpc.TxnRequest(success=operations), timeout=CALL, wait_for_ready=True, metadata=self.metadata
        )
        return int(answer.header.revision)

    def get(self, key: str, revision: int = 0) -> bytes | None:
        """Give a key's value, now or as it was at a revision."""
        kvs = self._range(key.encode(), b"", revision).kvs
        return bytes(kvs[0].value) if kvs else None

    def record(self, key: str) -> Any:
        """Give a key's value, decoded from JSON; ``None`` where there is no such key."""
        value = self.get(key)
        return None if value is None else json.loads(value)

    def mod_revision(self, key: str) -> int:
        """Give the revision of a key's last change; 0 where there is no such key."""
        kvs = self._range(key.encode()).kvs
        return int(kvs[0].mod_revision) if kvs else 0

    def revision(self) -> int:
        """Give the revision of the whole store."""
        return int(self._range(b"\0").header.revision)

    def items(self, prefix: str = "", revision: int = 0) -> Items:
        """Give all keys that begin with a prefix, with their values, now or as they were at a revision."""
        answer = self._range(prefix.encode() or b"\0", range_end(prefix), revision)
        return {kv.key.decode(errors="replace"): bytes(kv.value) for kv in answer.kvs}

    def range(self, prefix: str) -> Any:
        """Give etcd's own answer for all keys that begin with a prefix: with their revisions and leases."""
        return self._range(prefix.encode(), range_end(prefix))

    def history(self, key: str, since: int) -> list[Any]:
        """Give what a key became after a revision, change by change, ``None`` for a deletion; read at each revision."""
        values: list[Any] = []
        last = self._at(key, since)
        for revision in range(since + 1, self.revision() + 1):
            now = self._at(key, revision)
            if now != last:
                values.append(None if now is None else json.loads(now[1]))
                last = now
        return values

    def replay(self, since: int) -> Iterator[tuple[int, list[Any]]]:
        """Give every change after a revision up to now: each revision with its events."""
        last = self.revision()
        if last == since:
            return
        for revision, events in self._changes(since, 60.0):
            yield revision, events
            if revision >= last:
                return

    def follow(self, since: int, timeout: float) -> Iterator[tuple[int, list[Any]]]:
        """Give every change after a revision, as it happens, for so many seconds."""
        try:
            yield from self._changes(since, timeout)
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise

    def _changes(self, since: int, timeout: float) -> Iterator[tuple[int, list[Any]]]:
        create = rpc.WatchCreateRequest(key=b"\0", range_end=b"\0", start_revision=since + 1)
        request = rpc.WatchRequest(create_request=create)
        stream = self._watch.Watch(iter([request]), timeout=timeout, metadata=self.metadata)
        try:
            for response in stream:
                assert not response.canceled, response.cancel_reason
                for revision, events in itertools.groupby(response.events, key=lambda event: event.kv.mod_revision):
                    yield revision, list(events)
        finally:
            stream.cancel()

    def _at(self, key: str, revision: int) -> tuple[int, bytes] | None:
        kvs = self._range(key.encode(), b"", revision).kvs
        return (int(kvs[0].mod_revision), bytes(kvs[0].value)) if kvs else None

    def _range(self, key: bytes, end: bytes = b"", revision: int = 0) -> Any:
        request = rpc.RangeRequest(key=key, range_end=end, revision=revision)
        give_up = time.monotonic() + CALL
        while True:
            try:
                return self._kv.Range(request, timeout=CALL, wait_for_ready=True, metadata=self.metadata)
            except grpc.RpcError as error:
                if "leader changed" not in str(error.details()) or time.monotonic() > give_up:
                    raise  # an etcd 3.4 lets the reads fall that wait while the leader changes

    # -- waiting for them

    def wait(self, prefix: str, predicate: Callable[[Items], bool], timeout: float = 20.0) -> Items:
        """Wait, on a watch, until the keys under a prefix are as wanted; fails with the last that was seen."""
        items: Items = {}
        for items in self._contents(prefix, timeout):
            if predicate(items):
                return items
        shown = "\n".join(f"  {key}: {value[:300]!r}" for key, value in sorted(items.items()))
        raise AssertionError(f"not so within {timeout} s; last under {prefix!r}:\n{shown}")

    def wait_record(self, key: str, expected: object, timeout: float = 20.0) -> None:
        """Wait until a key's value is this JSON; ``None``: until there is no such key."""
        if expected is None:
            self.wait(key, lambda items: key not in items, timeout)
        else:
            self.wait(key, lambda items: key in items and _decoded(items[key]) == expected, timeout)

    def _contents(self, prefix: str, timeout: float) -> Iterator[Items]:
        """Give the keys under a prefix, then again after each revision that changed them, until time is up."""
        key, end = prefix.encode() or b"\0", range_end(prefix)
        create = rpc.WatchCreateRequest(key=key, range_end=end)
        stream = self._watch.Watch(iter([rpc.WatchRequest(create_request=create)]), timeout=timeout)
        try:
            assert next(stream).created  # from here on every change is heard; those that the range has are left out
            answer = self._range(key, end)
            items = {kv.key.decode(errors="replace"): bytes(kv.value) for kv in answer.kvs}
            yield items
            for response in stream:
                for revision, events in itertools.groupby(response.events, key=lambda event: event.kv.mod_revision):
                    if revision > answer.header.revision:
                        _apply(items, events)
                        yield items
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
        finally:
            stream.cancel()


def _apply(items: Items, events: Iterator[Any]) -> None:
    for event in events:
        key = event.kv.key.decode(errors="replace")
        if event.type == event.DELETE:
            items.pop(key, None)
        else:
            items[key] = bytes(event.kv.value)


def _decoded(value: bytes) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value
