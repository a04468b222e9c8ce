"""The pages of a list: each has to make progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from aetcd import rpc

from ha_monitor.errors import EtcdUnavailable
from ha_monitor.etcd.ranges import next_start
from ha_monitor.watch.snapshot import read_snapshot

if TYPE_CHECKING:
    from ha_monitor.etcd.client import EtcdClient


def page(*keys: bytes, more: bool = False) -> rpc.RangeResponse:
    return rpc.RangeResponse(kvs=[rpc.KeyValue(key=key) for key in keys], more=more)


@pytest.mark.parametrize(
    ("start", "got", "follows"),
    [
        (b"/a/", page(), None),
        (b"/a/", page(b"/a/1", b"/a/2"), None),
        (b"/a/", page(b"/a/1", b"/a/2", more=True), b"/a/2\0"),
        (b"/a/", page(b"/a/", more=True), b"/a/\0"),
    ],
)
def test_a_page_begins_after_the_last_key_of_the_one_before(
    start: bytes, got: rpc.RangeResponse, follows: bytes | None
) -> None:
    assert next_start(start, got, "list /a/") == follows


@pytest.mark.parametrize("got", [page(more=True), page(b"/a/1", more=True)])
def test_a_page_that_makes_no_progress_ends_the_list(got: rpc.RangeResponse) -> None:
    with pytest.raises(EtcdUnavailable, match="list /a/: a page makes no progress, and more is to follow"):
        next_start(b"/a/1\0", got, "list /a/")


@pytest.mark.anyio
async def test_a_snapshot_of_a_server_that_repeats_itself_ends() -> None:
    class Repeats:
        async def range(self, *_: object) -> rpc.RangeResponse:
            return page(b"/a/1", more=True)

    with pytest.raises(EtcdUnavailable, match="read /a/: a page makes no progress"):
        await read_snapshot(cast("EtcdClient", Repeats()), ["/a/"])
