"""What can happen to the etcd in memory: its connections, its history, its leases, its users, its disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.testing.access import User
from ha_monitor.testing.keys import Keys, to_key
from ha_monitor.testing.leases import Leases
from ha_monitor.testing.node import FIRST_TERM
from ha_monitor.testing.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


class Backup(NamedTuple):
    """A store as it stood once; given by :meth:`MemoryEtcd.backup`."""

    store: Store
    leases: Leases
    raft_term: int


class Faults(Keys):
    """Faults and changes by the operator; a part of :class:`~ha_monitor.testing.MemoryEtcd`."""

    # -- its connections

    def cancel_watches(self, reason: str = "") -> None:
        """End every watch on it, and go on to serve their streams.

        A real etcd does so where it can't go on with a watch: it says ``canceled``, seldom why.
        """
        self._server.cancel_watches(reason)

    def hold_events(self) -> None:
        """Send no events until :meth:`release_events`: each watch for which something is written has a backlog.

        It is so with a real etcd whose client reads slowly, or that sends much history at once. Calls are answered.
        Progress requests are answered at once before 3.4.25 and 3.5.8, with a revision that is ahead of the events;
        since, not at all while a watch of the stream has a backlog.
        """
        self._server.hold_events()

    def release_events(self) -> None:
        """Send every watch its backlog."""
        self._server.release_events()

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

    def rewind(self, backup: Backup, *, cluster_id: int | None = None, bump_revision: int = 0) -> None:
        """Go on from an older backup: the revision goes back, and what comes next is another history.

        It breaks every connection, as the start on the older data does, and ends every simple token. One that is down
        stays down. The raft term is the backup's and one more; with one of the two parameters it is as after ``etcdutl
        snapshot restore``: that of a new cluster.

        :param cluster_id: that of the restored cluster; none: the id stays. A restore keeps it where the members'
            URLs and ``--initial-cluster-token`` are those of before.
        :param bump_revision: so many revisions are passed over, and all history is compacted (``--bump-revision``
            with ``--mark-compacted``).
        """
        node = self._server.node
        node.store, node.leases, node.raft_term = backup.store.copy(), backup.leases.copy(), backup.raft_term
        if bump_revision:
            node.store.bump(bump_revision)
        if bump_revision or cluster_id is not None:
            node.raft_term = FIRST_TERM - 1
        node.cluster_id = node.cluster_id if cluster_id is None else cluster_id
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
        """Have a user who may read and write under some prefixes; the first one enables auth, unless it was disabled.

        A user who was there has another password, or other rights, at once, and a new password ends their simple
        tokens. All JWTs are refused from now on, as older than the auth store. A watch that is open goes on, as in a
        real etcd: it is checked once, when it is created. No user has the role root.
        """
        self._server.node.access.set_user(
            name, User(password, [to_key(prefix) for prefix in read], [to_key(prefix) for prefix in write])
        )

    def remove_user(self, name: str) -> None:
        """Remove a user, and end their simple tokens; all JWTs are refused. Raises ``KeyError`` for an unknown one."""
        self._server.node.access.remove_user(name)

    def enable_auth(self) -> None:
        """Check tokens and rights from now on, as ``etcdctl auth enable``."""
        self._server.node.access.enable()

    def disable_auth(self) -> None:
        """Check nothing from now on, as ``etcdctl auth disable``: Authenticate fails, "authentication is not enabled".

        Simple tokens end, and JWTs are older than the auth store. Before 3.4.28 and 3.5.10 calls with one fail then,
        later releases do not look at tokens while auth is disabled.
        """
        self._server.node.access.disable()

    def expire_tokens(self) -> None:
        """End every token: calls fail with "invalid auth token", and watches that are open go on."""
        self._server.node.access.expire_tokens()

    # -- its alarms

    def fill_up(self) -> None:
        """Raise the NOSPACE alarm: puts are refused with RESOURCE_EXHAUSTED, reads, deletes and watches go on."""
        self._server.node.raise_alarm("NOSPACE")

    def corrupt(self) -> None:
        """Raise the CORRUPT alarm: every write is refused with DATA_LOSS, reads and watches go on."""
        self._server.node.raise_alarm("CORRUPT")

    def disarm(self) -> None:
        """End all alarms."""
        self._server.node.disarm()
