"""Both etcds, through the same stubs: a real one, and the one in memory that is to be like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from ha_monitor.etcd.connection import Access, dial
from ha_monitor.testing import MemoryEtcd
from ha_monitor.testing.versions import NEWEST, OLDEST
from tests.testing.sides import version_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ha_monitor.etcd.connection import Stubs
    from tests.support.etcd import Etcd


@dataclass(frozen=True)
class Side:
    """An etcd of either kind: its stubs, and whoever runs it."""

    stubs: Stubs
    etcd: Any
    real: bool


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """Take asyncio's own loop."""
    return "asyncio", {"use_uvloop": False}


@pytest.fixture(scope="session")
def etcd_version(etcd_server: Etcd) -> str:
    """Give the version of the real etcd: the one in memory is of the same."""
    return version_of(etcd_server)


@pytest.fixture(params=[OLDEST, NEWEST])
def version(request: pytest.FixtureRequest) -> str:
    """Give the versions of an etcd in memory that a monitor is run on."""
    return str(request.param)


@pytest.fixture(params=["real", "memory"])
async def side(request: pytest.FixtureRequest) -> AsyncIterator[Side]:
    """Give each of both."""
    if request.param == "real":
        server: Etcd = request.getfixturevalue("etcd")
        stubs: Stubs = dial(server.url, Access())
        yield Side(stubs, server, real=True)
    else:
        etcd = MemoryEtcd(version=request.getfixturevalue("etcd_version"))
        stubs = etcd.connect("", Access())
        yield Side(stubs, etcd, real=False)
    await stubs.close()


def plain(message: Any, base: int = 0) -> Any:
    """Give a message of etcd's as plain data, its revisions counted from ``base``, without the ids of the server."""
    data: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.name in ("cluster_id", "member_id", "raft_term"):
            continue
        if field.name in _REVISIONS:
            data[field.name] = value - base if value else 0
        elif field.message_type is None:
            data[field.name] = list(value) if field.is_repeated else value
        else:
            data[field.name] = [plain(one, base) for one in value] if field.is_repeated else plain(value, base)
    return data


_REVISIONS = ("revision", "mod_revision", "create_revision", "compact_revision")
