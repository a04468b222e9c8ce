"""The etcd in memory as a test has it: its keys, and everything that can happen to an etcd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.monitor import HaMonitor
from ha_monitor.settings import Settings
from ha_monitor.testing.clock import LoopClock
from ha_monitor.testing.faults import Faults
from ha_monitor.testing.node import CLUSTER_ID
from ha_monitor.testing.server import Server
from ha_monitor.testing.stubs import MemoryStubs
from ha_monitor.testing.versions import NEWEST

if TYPE_CHECKING:
    from ha_monitor.clock import Clock
    from ha_monitor.etcd.connection import Access
    from ha_monitor.testing.access import TokenKind


class MemoryEtcd(Faults):
    """An etcd in memory, in the event loop of the test, and all the bad luck that an etcd can have.

    Nothing of it is a process, a socket or a thread. Our client layer speaks to it as to any etcd, so a monitor on it
    is the one that runs in production: pass ``connect`` and ``clock`` to your own
    :class:`~ha_monitor.HaMonitor`, or take one from :meth:`monitor`.

    Methods that read and write keys act at once, in the name of the operator: also while it is down, frozen, or
    without a quorum for all others, as if another member had taken them. They raise ``ValueError`` with etcd's
    words for what no etcd does. A value may be bytes, text, or anything that JSON can say. Not safe to be used from
    other threads.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        version: str = NEWEST,
        token: TokenKind = "simple",  # noqa: S107 - a kind, no secret
        cluster_id: int = CLUSTER_ID,
        answers_progress: bool = True,
    ) -> None:
        """Make one with no keys, at revision 1.

        :param clock: what leases and deadlines go by; a :class:`LoopClock` where none is given.
        :param version: the release that it behaves as, where releases differ: in the answers to progress requests, in
            words and codes of auth errors, in what Status and leases want of a user, in the order in which a
            transaction is checked (``ha_monitor/testing/versions.py``). It is compared with real servers of 3.4.23,
            3.5.1, 3.5.16, 3.5.30, 3.6.16 and 3.7.3; a later release behaves as the last of them.
        :param token: the kind of its tokens, as etcd's ``--auth-token`` has it. A ``"simple"`` one is known to the
            server only, and is lost with a restart; a ``"jwt"`` is refused after any change of users and rights.
        :param cluster_id: in the header of every answer. Two members of one cluster have the same.
        :param answers_progress: ``False``: it answers no progress requests, as an ``etcd grpc-proxy``.
        """
        self.clock: Clock = clock or LoopClock()
        super().__init__(Server(self.clock, version, cluster_id, token, answers_progress=answers_progress))

    def connect(self, url: str, access: Access) -> MemoryStubs:
        """Connect to it: to be passed to :class:`~ha_monitor.HaMonitor`. Any URL is its."""
        return MemoryStubs(self._server)

    def monitor(self, settings: Settings | None = None) -> HaMonitor:
        """Give a monitor on this etcd and its clock, to be entered with ``async with``."""
        return HaMonitor(settings or Settings(), connect=self.connect, clock=self.clock)
