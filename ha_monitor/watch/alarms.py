"""etcd's alarms: NOSPACE and CORRUPT, in which etcd goes on to answer reads and refuses writes.

They are read from the member that is connected to, with ``Maintenance.Status``: each member answers it by itself,
without an entry in the raft log, and lists the alarms of all members (``server/etcdserver/api/v3rpc/maintenance.go``;
measured on 3.4.23, 3.5.1, 3.5.16, 3.5.30, 3.6.16 and 3.7.3). Where the user is not permitted to read it, no alarm is
known.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import anyio
from aetcd import rpc

from ha_monitor.errors import EtcdDenied, EtcdError
from ha_monitor.etcd.connection import CALL_TIMEOUT
from ha_monitor.etcd.faults import translate
from ha_monitor.model import Alarm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ha_monitor.etcd.client import EtcdClient

log = logging.getLogger(__name__)

PAUSE = 30.0
"""Seconds between two requests. Chosen: alarms are rare, and a refused write triggers a request at once."""

PAUSE_WHILE_RAISED = 2.5
"""The same while an alarm is raised, so that its end is noticed soon: the interval of the health check."""

LEAST_PAUSE = 1.0
"""Minimum of seconds between two requests, however many writes are refused."""

_MEANING = {"NOSPACE": "database space exceeded", "CORRUPT": "corrupt cluster"}

# The text form of etcd's AlarmMember, whose spaces differ by version: "memberID:1 alarm:NOSPACE ". An id of 0 is left
# out. Other errors of a member, such as "etcdserver: no leader", do not have this form.
_ALARM = re.compile(r"(?:memberID:(\d+)\s+)?alarm:(NOSPACE|CORRUPT)\s*")


def read_alarms(errors: Iterable[str]) -> frozenset[Alarm]:
    """Give the alarms among the ``errors`` of a status."""
    found = filter(None, map(_ALARM.fullmatch, errors))
    return frozenset(Alarm(match[2], int(match[1] or 0)) for match in found)


def in_words(alarm: Alarm) -> str:
    """Describe an alarm for logs and ``/readyz``."""
    return f"{alarm.label}: {_MEANING[alarm.kind]}, etcd refuses writes"


class Alarms:
    """The alarms that are raised, as far as is known; one task keeps that up to date."""

    def __init__(self, client: EtcdClient, is_connected: Callable[[], bool]) -> None:
        """Prepare; :meth:`run` does the work.

        :param is_connected: whether etcd answers; no request is sent otherwise.
        """
        self.raised: frozenset[Alarm] = frozenset()
        self._client = client
        self._is_connected = is_connected
        self._called = anyio.Event()

    @property
    def words(self) -> str:
        """Describe those that are raised; empty where none is."""
        return "; ".join(in_words(alarm) for alarm in sorted(self.raised))

    def refresh_soon(self) -> None:
        """Read the alarms now: etcd was connected to, or has refused a write."""
        self._called.set()

    async def run(self) -> None:
        """Read the alarms again and again until cancelled."""
        while True:
            with anyio.move_on_after(PAUSE_WHILE_RAISED if self.raised else PAUSE):
                await self._called.wait()
            self._called = anyio.Event()
            if self._is_connected():
                await self._refresh()
            await anyio.sleep(LEAST_PAUSE)

    async def _refresh(self) -> None:
        """Read the alarms once. Not with :meth:`EtcdClient.call`, which would leave a member that refuses this call."""
        try:
            connection = await self._client.connection()
            status = await connection.maintenance.Status(
                rpc.StatusRequest(), timeout=CALL_TIMEOUT, metadata=connection.metadata
            )
        except rpc.AioRpcError as error:
            fault = translate(error, "read alarms")
            log.debug("%s", fault)
            if isinstance(fault, EtcdDenied):
                self.raised = frozenset()
        except EtcdError as error:
            log.debug("%s", error)
        else:
            self._note(read_alarms(status.errors))

    def _note(self, raised: frozenset[Alarm]) -> None:
        before, self.raised = self.raised, raised
        for alarm in sorted(raised - before):
            log.warning("%s", in_words(alarm))
        for alarm in sorted(before - raised):
            log.info("%s is cleared", alarm.label)
