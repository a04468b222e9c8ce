"""The etcd in memory as a test has it: its keys, and everything that can happen to an etcd."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
from aetcd import rpc

from ha_monitor.etcd.ranges import range_end
from ha_monitor.monitor import HaMonitor
from ha_monitor.settings import Settings
from ha_monitor.testing.access import User
from ha_monitor.testing.clock import LoopClock
from ha_monitor.testing.leases import Leases
from ha_monitor.testing.node import FIRST_TERM
from ha_monitor.testing.refusals import Refused
from ha_monitor.testing.server import Server
from ha_monitor.testing.store import Store
from ha_monitor.testing.stubs import MemoryStubs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ha_monitor.clock import Clock
    from ha_monitor.etcd.connection import Access

VERSION = "3.5.21"
"""The version that it says it has. Behaviour that differs between versions is that of this one."""

WAIT = 120.0
"""Seconds after which a wait for a key fails, on the event loop's clock. Chosen: a state's timeout is over by then."""


class Backup(NamedTuple):
    """A store as it stood once; given by :meth:`MemoryEtcd.backup`."""

    store: Store
    leases: Leases
    raft_term: int


class MemoryEtcd:
    """An etcd in memory, in the event loop of the test, and all the bad luck that an etcd can have.

    Nothing of it is a process, a socket or a thread. Our client layer speaks to it as to any etcd, so a monitor on it
    is the one that runs in production: pass ``connect`` and ``clock`` to your own
    :class:`~ha_monitor.HaMonitor`, or take one from :meth:`monitor`.

    Methods that read and write keys act at once, in the name of the one who runs etcd: also while it is down, frozen,
    or without a quorum for everybody else, as if another member had taken them. They raise ``ValueError`` with etcd's
    words for what no etcd does. A value may be bytes, text, or anything that JSON can say. Not safe to be used from
    other threads.
    """

    def __init__(self, *, clock: Clock | None = None, version: str = VERSION) -> None:
        """Make one with no keys, at revision 1.

        :param clock: what leases and deadlines go by; a :class:`LoopClock` where none is given.
        :param version: what it says it is; before 3.5.8 our client takes the answers to its questions for progress
            less literally.
        """
        self.clock: Clock = clock or LoopClock()
        self._server = Server(self.clock, version)
        self._server.on_write = self._written
        self._news = anyio.Event()

    def connect(self, url: str, access: Access) -> MemoryStubs:
        """Connect to it: to be passed to :class:`~ha_monitor.HaMonitor`. Any URL is its."""
        return MemoryStubs(self._server)

    def monitor(self, settings: Settings | None = None) -> HaMonitor:
        """Give a monitor on this etcd and its clock, to be entered with ``async with``."""
        return HaMonitor(settings or Settings(), connect=self.connect, clock=self.clock)

    def _do(self, request: Any) -> Any:
        try:
            return self._server.do(request)
        except Refused as error:
            raise ValueError(str(error)) from None

    # -- its keys

    @property
    def revision(self) -> int:
        """The revision of the whole store."""
        return self._server.node.store.revision

    def put(self, key: str, value: object, lease: int = 0) -> int:
        """Put one key; give the revision."""
        request = rpc.PutRequest(key=_key(key), value=_value(value), lease=lease)
        return int(self._do(request).header.revision)

    def delete(self, key: str) -> int:
        """Delete one key; give the revision."""
        return int(self._do(rpc.DeleteRangeRequest(key=_key(key))).header.revision)

    def delete_prefix(self, prefix: str) -> int:
        """Delete every key that begins with a prefix, in one revision; give that."""
        request = rpc.DeleteRangeRequest(key=_key(prefix) or b"\0", range_end=range_end(_key(prefix)))
        return int(self._do(request).header.revision)

    def txn(self, puts: Mapping[str, object], deletes: Collection[str] = ()) -> int:
        """Put and delete keys in one revision; give that."""
        request = rpc.TxnRequest()
        for key, value in puts.items():
            request.success.add().request_put.MergeFrom(rpc.PutRequest(key=_key(key), value=_value(value)))
        for key in deletes:
            request.success.add().request_delete_range.key = _key(key)
        return int(self._do(request).header.revision)

    def get(self, key: str) -> bytes | None:
        """Give a key's value; ``None`` where there is no such key."""
        item = self._server.node.store.at(_key(key), self.revision)
        return None if item is None else bytes(item.value)

    def record(self, key: str) -> Any:
        """Give a key's value, decoded from JSON; ``None`` where there is no such key."""
        value = self.get(key)
        return None if value is None else json.loads(value)

    def items(self, prefix: str = "", revision: int = 0) -> dict[str, bytes]:
        """Give all keys that begin with a prefix, with their values, now or as they were at a revision.

        Raises ``ValueError`` for a revision that was compacted away, or is still to come.
        """
        store, first = self._server.node.store, _key(prefix)
        if revision and not max(store.compacted, 1) <= revision <= store.revision:
            raise ValueError(f"revision {revision} is not among {max(store.compacted, 1)} to {store.revision}")
        found = store.find(first or b"\0", range_end(first), revision or store.revision)
        return {item.key.decode("utf-8", "surrogateescape"): bytes(item.value) for item in found}

    async def wait(self, key: str, value: object, timeout: float = WAIT) -> None:
        """Wait until a key has a value; ``None``: until there is no such key.

        Text and bytes are compared as they are, anything else as JSON. Raises ``AssertionError``, which tells what
        stands there instead, after ``timeout`` seconds on the loop's clock.
        """
        with anyio.move_on_after(timeout):
            while not self._has(key, value):
                self._news = anyio.Event() if self._news.is_set() else self._news
                await self._news.wait()
            return
        raise AssertionError(f"{key} is {self.get(key)!r}, and not {value!r}, after {timeout:g} s")

    def _has(self, key: str, value: object) -> bool:
        stands = self.get(key)
        if value is None or stands is None or isinstance(value, (bytes, str)):
            return stands == (None if value is None else _value(value))
        with suppress(ValueError):
            return bool(json.loads(stands) == value)
        return False

    def _written(self) -> None:
        self._news.set()

    # -- its connections

    def cancel_watches(self, reason: str = "") -> None:
        """End every watch on it, and go on to serve their streams.

        A real etcd does so where it can't go on with a watch: it says ``canceled``, seldom why.
        """
        self._server.cancel_watches(reason)

    def drop_connections(self) -> None:
        """Break every connection: calls and streams end with UNAVAILABLE, and new ones are taken at once.

        So it is when a proxy, or a member, is started anew. What was asked for may have been done all the same.
        """
        self._server.drop()

    def go_down(self) -> None:
        """Break every connection, and refuse new ones with UNAVAILABLE until :meth:`come_up`."""
        self._server.down = True
        self._server.drop()

    def come_up(self) -> None:
        """Be there again, as a process that was started on the same data: tokens are lost, leases begin anew."""
        self._server.down = False
        self._server.restart()

    def freeze(self) -> None:
        """Answer nothing and tell nothing until :meth:`thaw`, with every connection open: SIGSTOP, or a stuck disk.

        Calls end at their own deadlines; a watch does not end at all.
        """
        self._server.frozen = True

    def thaw(self) -> None:
        """Do what was asked for meanwhile by those who still wait, and tell each watch what it has missed."""
        self._server.thaw()

    def lose_quorum(self) -> None:
        """Be cut off from the other members, who go on.

        Calls and streams that ask for a leader, as all of ours do, end with UNAVAILABLE, "no leader": new ones at once,
        streams that are open after 3 s. Others time out, after 7 s; a serializable read is answered with what it knows,
        and a watch is open, answers for its progress, and hears nothing.
        """
        self._server.cut()

    def regain_quorum(self) -> None:
        """Hear the other members again, under a new leader: each watch is told what it has missed."""
        self._server.join()

    # -- its history

    def compact(self, revision: int = 0) -> None:
        """Forget the history before a revision, 0: before the newest. A watch from before it ends, as compacted."""
        self._do(rpc.CompactionRequest(revision=revision or self.revision))

    def backup(self) -> Backup:
        """Give everything that it has, for :meth:`rewind`."""
        node = self._server.node
        return Backup(node.store.copy(), node.leases.copy(), node.raft_term)

    def rewind(self, backup: Backup) -> None:
        """Go on from an older backup: the revision goes back, and what comes next is another history.

        It breaks every connection, as the start on the older data does, and ends every token. The raft term is the
        backup's and one more. One that is down stays down.
        """
        node = self._server.node
        node.store, node.leases, node.raft_term = backup.store.copy(), backup.leases.copy(), backup.raft_term
        self._server.restart()

    def wipe(self) -> None:
        """Begin anew, without a key, at revision 1; it breaks every connection. The id of the cluster stays."""
        self.rewind(Backup(Store(), Leases(), FIRST_TERM - 1))

    # -- its leases

    @property
    def leases(self) -> Mapping[int, Collection[str]]:
        """The leases that live, with the keys that end with each."""
        return {
            lease.id: sorted(key.decode("utf-8", "surrogateescape") for key in lease.keys)
            for lease in self._server.node.leases.living.values()
        }

    def grant(self, ttl: int) -> int:
        """Make a lease of ``ttl`` seconds, at least 2; give its id. Nobody keeps it alive."""
        return int(self._do(rpc.LeaseGrantRequest(TTL=ttl)).ID)

    def expire_leases(self, ids: Iterable[int] = ()) -> None:
        """End leases, or all of them, as if their time were over; each with its keys, in a revision of its own."""
        for id_ in tuple(ids) or tuple(self._server.node.leases.living):
            self._do(rpc.LeaseRevokeRequest(ID=id_))

    # -- who may do what

    def set_user(self, name: str, password: str, *, read: Iterable[str] = (), write: Iterable[str] = ()) -> None:
        """Have a user who may read and write under some prefixes; from the first one on, etcd asks who everybody is.

        A user who was there has another password, or other rights, at once, and a new password ends their tokens. A
        watch that is open goes on, as in a real etcd: it is asked for once.
        """
        access = self._server.node.access
        before = access.users.get(name)
        access.users[name] = User(password, [_key(prefix) for prefix in read], [_key(prefix) for prefix in write])
        if before is not None and before.password != password:
            access.forget_tokens(name)

    def expire_tokens(self) -> None:
        """End every token: calls fail with "invalid auth token", and watches that are open go on."""
        self._server.node.access.forget_tokens()

    # -- its disk

    def fill_up(self) -> None:
        """Raise the NOSPACE alarm: puts are refused with RESOURCE_EXHAUSTED, reads, deletes and watches go on."""
        self._server.node.no_space = True

    def disarm(self) -> None:
        """Have room again."""
        self._server.node.no_space = False


def _key(key: str) -> bytes:
    return key.encode("utf-8", "surrogateescape")


def _value(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
