"""Both etcds for an embedded monitor: a real one, and the one in memory, on every event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import anyio
import pytest

from ha_monitor import HaMonitor, Settings
from ha_monitor.testing import MemoryEtcd

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tests.support.etcd import Etcd


class Served(Protocol):
    """An etcd that monitors can be had of."""

    def monitor(self, **settings: Any) -> HaMonitor: ...

    def put(self, key: str, value: object) -> int: ...

    def delete(self, key: str) -> int: ...

    def txn(self, puts: Mapping[str, object], deletes: Collection[str] = ()) -> int: ...

    async def wait(self, key: str, value: object) -> None: ...

    async def go_down(self) -> None: ...

    async def come_up(self) -> None: ...


class ServedByProcess:
    """A real one."""

    def __init__(self, etcd: Etcd) -> None:
        self._etcd = etcd
        self.put, self.delete, self.txn = etcd.put, etcd.delete, etcd.txn

    def monitor(self, **settings: Any) -> HaMonitor:
        return HaMonitor(Settings(**{"etcd": [self._etcd.url], **settings}))

    async def wait(self, key: str, value: object) -> None:
        await anyio.to_thread.run_sync(self._etcd.wait_record, key, value)

    async def go_down(self) -> None:
        self._etcd.kill()

    async def come_up(self) -> None:
        await anyio.to_thread.run_sync(self._etcd.start)


class ServedFromMemory:
    """The one in memory, in real time."""

    def __init__(self) -> None:
        self._etcd = etcd = MemoryEtcd()
        self.put, self.delete, self.txn, self.wait = etcd.put, etcd.delete, etcd.txn, etcd.wait

    def monitor(self, **settings: Any) -> HaMonitor:
        return self._etcd.monitor(Settings(**settings))

    async def go_down(self) -> None:
        self._etcd.go_down()

    async def come_up(self) -> None:
        self._etcd.come_up()


@pytest.fixture(params=["real", "memory"])
def served(request: pytest.FixtureRequest) -> Served:
    """Give each of both, without a key."""
    return ServedFromMemory() if request.param == "memory" else ServedByProcess(request.getfixturevalue("etcd"))


@pytest.fixture(params=["real", "memory"])
def own_served(request: pytest.FixtureRequest) -> Served:
    """Give each of both, to be taken down."""
    return ServedFromMemory() if request.param == "memory" else ServedByProcess(request.getfixturevalue("own_etcd"))
