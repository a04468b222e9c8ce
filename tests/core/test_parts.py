"""Small parts of the runtime on their own: pauses, conflicts, subscriptions, versions, error words."""

from __future__ import annotations

from random import Random

import anyio
import pytest
from aetcd import rpc

from ha_monitor.broadcast import Broadcast
from ha_monitor.errors import (
    EtcdCompacted,
    EtcdCorrupt,
    EtcdDenied,
    EtcdError,
    EtcdNoSpace,
    EtcdRefused,
    EtcdTlsRefused,
    EtcdTokenInvalid,
    EtcdTooLarge,
    EtcdUnavailable,
)
from ha_monitor.etcd.client import progress_is_ordered
from ha_monitor.etcd.faults import classify
from ha_monitor.etcd.ranges import range_end
from ha_monitor.model import Change, Resync, Status
from ha_monitor.publish.conflicts import LONGEST_PAUSE, QUIET, Conflicts
from ha_monitor.watch.backoff import Backoff
from ha_monitor.watch.pulse import StoreId


def test_pauses_grow_to_the_cap_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(first=0.1, cap=1.0, random=Random(7))
    pauses = [backoff.delay() for _ in range(8)]
    assert all(
        low <= pause <= 2 * low for pause, low in zip(pauses, (0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5, 0.5), strict=True)
    )
    backoff.reset()
    assert backoff.delay() <= 0.1


def test_the_first_foreign_write_is_put_right_at_once_and_further_ones_after_growing_pauses() -> None:
    conflicts: Conflicts[str] = Conflicts()
    conflicts.note("r", now=0.0)
    assert conflicts.pause("r", now=0.0) == 0.0
    assert conflicts.words("r") is None
    pauses = []
    now = 0.0
    for _ in range(12):
        conflicts.note("r", now)
        pauses.append(conflicts.pause("r", now))
        now += pauses[-1]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE
    assert conflicts.words("r") == "conflict: another writer changed the published record 13 times"
    assert conflicts.pause("other", now) == 0.0


def test_a_conflict_is_over_when_nobody_has_written_for_a_while() -> None:
    conflicts: Conflicts[str] = Conflicts()
    assert conflicts.end(0.0) is None
    for key, now in (("a", 0.0), ("a", 5.0), ("b", 5.0), ("b", 8.0), ("a", 10.0)):
        conflicts.note(key, now)
    assert conflicts.end(11.0) == QUIET - 3.0, "the next is the one that was quiet longest"
    assert conflicts.end(8.0 + QUIET) == 2.0
    assert conflicts.words("b") is None
    assert conflicts.words("a") is not None
    assert conflicts.end(10.0 + QUIET) is None
    assert not conflicts


def change(entry: str) -> Change:
    return Change("t", "1", entry, None, Status.UP, Status.UP, entry, 5, 0.0, "")


@pytest.mark.anyio
async def test_a_slow_reader_gets_one_marker_for_all_it_missed_and_holds_up_nobody() -> None:
    broadcast = Broadcast()
    with broadcast.subscribe(limit=2) as slow, broadcast.subscribe(limit=10) as quick:
        for number in range(5):
            broadcast.send([change(str(number))])
        assert [(await anext(quick)) for _ in range(5)] == [change(str(number)) for number in range(5)]
        assert await anext(slow) == Resync(missed=5)
        broadcast.send([change("after")])
        assert await anext(slow) == change("after")
        broadcast.end()
        assert [got async for got in slow] == []


@pytest.mark.anyio
async def test_a_reader_that_waits_is_woken_by_a_change_and_by_the_end() -> None:
    broadcast = Broadcast()
    seen: list[Change | Resync] = []
    with broadcast.subscribe() as subscription:
        async with anyio.create_task_group() as tasks:

            async def read() -> None:
                seen.extend([got async for got in subscription])

            tasks.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            broadcast.send([change("a")])
            await anyio.wait_all_tasks_blocked()
            assert seen == []  # the list is made at the end
            broadcast.end()
    assert seen == [change("a")]
    with broadcast.subscribe() as late:
        assert [got async for got in late] == []


@pytest.mark.parametrize(
    ("prefix", "end"),
    [(b"/a/", b"/a0"), (b"a\xff", b"b"), (b"\xff\xff", b"\0"), (b"", b"\0")],
)
def test_the_end_of_a_range_is_right_for_every_prefix(prefix: bytes, end: bytes) -> None:
    assert range_end(prefix) == end


@pytest.mark.parametrize(
    ("version", "ordered"),
    [
        ("3.5.1", False),
        ("3.5.8", True),
        ("3.4.24", False),
        ("3.4.25", True),
        ("3.6.0", True),
        ("3.3.9", False),
        ("", False),
    ],
)
def test_only_an_etcd_with_the_fix_is_trusted_to_answer_progress_requests_in_line(version: str, ordered: bool) -> None:
    assert progress_is_ordered(version) is ordered


@pytest.mark.parametrize(
    ("code", "details", "expected"),
    [
        (rpc.StatusCode.UNAVAILABLE, "no leader", EtcdUnavailable),
        (rpc.StatusCode.UNAVAILABLE, "Ssl handshake failed: CERTIFICATE_VERIFY_FAILED", EtcdTlsRefused),
        (rpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded", EtcdUnavailable),
        (rpc.StatusCode.INTERNAL, "Internal error from Core", EtcdUnavailable),
        (rpc.StatusCode.PERMISSION_DENIED, "etcdserver: permission denied", EtcdDenied),
        (
            rpc.StatusCode.INVALID_ARGUMENT,
            "etcdserver: authentication failed, invalid user ID or password",
            EtcdRefused,
        ),
        (rpc.StatusCode.UNAUTHENTICATED, "etcdserver: invalid auth token", EtcdTokenInvalid),
        (rpc.StatusCode.OUT_OF_RANGE, "mvcc: required revision has been compacted", EtcdCompacted),
        (rpc.StatusCode.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded", EtcdNoSpace),
        (rpc.StatusCode.DATA_LOSS, "etcdserver: corrupt cluster", EtcdCorrupt),
        (rpc.StatusCode.RESOURCE_EXHAUSTED, "CLIENT: Received message larger than max (5 vs. 4)", EtcdTooLarge),
        (rpc.StatusCode.RESOURCE_EXHAUSTED, "etcdserver: too many requests", EtcdUnavailable),
        (rpc.StatusCode.INVALID_ARGUMENT, "etcdserver: key is not provided", EtcdError),
    ],
)
def test_errors_are_told_apart_as_far_as_grpc_allows(
    code: rpc.StatusCode, details: str, expected: type[EtcdError]
) -> None:
    fault = classify(code, details, "list /x/")
    assert type(fault) is expected
    assert details in str(fault)


def test_a_store_that_went_back_or_is_another_is_not_the_one_seen_before() -> None:
    before = StoreId(cluster_id=1, raft_term=3, revision=10)
    assert StoreId(1, 3, 10).continues(before)
    assert StoreId(1, 4, 12).continues(before)
    assert not StoreId(1, 3, 9).continues(before)
    assert not StoreId(2, 3, 11).continues(before)
    assert not StoreId(1, 2, 11).continues(before)
