"""A snapshot is everything under its prefixes at one revision, in however many pages it comes."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import anyio
import pytest

from ha_monitor import Settings
from ha_monitor.errors import EtcdTooLarge
from ha_monitor.etcd.client import EtcdClient, open_client
from ha_monitor.etcd.endpoints import Endpoints
from ha_monitor.watch.snapshot import Item, Snapshot, read_snapshot
from ha_monitor.watch.state_machine import PAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aetcd import rpc

    from tests.support.etcd import Etcd

PAGES = 5
"""Pages that the keys of the test take."""


def read(etcd: Etcd, *prefixes: str) -> Snapshot:
    async def one() -> Snapshot:
        async with open_client(Settings(etcd=[etcd.url])) as client:
            return await read_snapshot(client, prefixes)

    return anyio.run(one)


@pytest.fixture
def restless(own_etcd: Etcd) -> Iterator[Etcd]:
    """An etcd in which a first and a last key change all the time, always together."""
    for start in range(0, PAGES * PAGE, 128):
        own_etcd.txn({f"/a/{number:06}": "x" for number in range(start, start + 128)})
    own_etcd.txn({"/a/": "0", "/b/z": "0", "/c/other": "1"})
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            own_etcd.txn({"/a/": str(number), "/b/z": str(number)})

    thread = threading.Thread(target=change)
    thread.start()
    yield own_etcd
    stop.set()
    thread.join()


def test_all_pages_are_of_one_revision(restless: Etcd) -> None:
    for _ in range(3):
        before = restless.revision()
        found = read(restless, "/a/", "/b/", "/a/00")
        assert found.revision >= before
        assert found.value(b"/a/") == found.value(b"/b/z"), "they are changed in one transaction"
        assert found.value(b"/c/other") is None, "it was not asked for"
        assert {key.decode(): item.value for key, item in found.items.items() if key.startswith(b"/a/0")} == (
            restless.items("/a/0", found.revision)
        )


def test_each_key_has_its_revision_and_how_often_it_was_put(etcd: Etcd) -> None:
    first = etcd.put("/a/x", "1")
    second = etcd.put("/a/x", "2")
    found = read(etcd, "/a/")
    assert found.items == {b"/a/x": Item(b"2", second, 2)}
    changed = found.after({b"/a/x": b"3", b"/a/y": b"new", b"/a/nowhere": None})
    assert changed.items == {b"/a/x": Item(b"3", second + 1, 3), b"/a/y": Item(b"new", second + 1, 1)}
    assert changed.after({b"/a/x": None}).value(b"/a/x") is None
    assert found.value(b"/a/x") == b"2", "a snapshot stays as it is"
    assert first < second


class Narrow(EtcdClient):
    """A client that takes no more than three keys at once."""

    async def range(self, request: rpc.RangeRequest, doing: str, timeout: float = 5.0) -> rpc.RangeResponse:
        if request.limit > 3:
            raise EtcdTooLarge("more than three")
        return await super().range(request, doing, timeout)


def test_what_is_too_large_for_a_page_comes_in_smaller_ones(etcd: Etcd) -> None:
    for number in range(20):
        etcd.put(f"/a/{number}", "x")

    async def one() -> Snapshot:
        settings = Settings(etcd=[etcd.url])
        client = Narrow(Endpoints.of(settings), settings.access, settings.cluster)
        try:
            return await read_snapshot(client, ["/a/"])
        finally:
            await client.close()

    assert len(anyio.run(one).items) == 20
