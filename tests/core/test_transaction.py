"""A transaction of many records, and what becomes of it where one comparison fails: against a real etcd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from aetcd import rpc
from msgspec.structs import replace

from ha_monitor.etcd.faults import classify, is_about_the_request
from ha_monitor.evaluate.unit import Family
from ha_monitor.publish.fence import Fence
from ha_monitor.publish.transaction import (
    BYTES_IN_A_TRANSACTION,
    COMPARISONS_IN_A_TRANSACTION,
    Batch,
    Write,
    conditions_of,
)
from ha_monitor.watch.views import KeyView
from tests.support.etcd import Etcd

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG, RECORD = "/config/v2.0/ha_interfaces/", "/monitoring/v2.0/ha_interfaces/"


@pytest.fixture
def kv(etcd: Etcd) -> Iterator[rpc.KVStub]:
    with grpc.insecure_channel(f"127.0.0.1:{etcd.port}") as channel:
        yield rpc.KVStub(channel)


def write(id_: str, config_revision: int, *, delete: int | None = None, value: bytes = b'{"primary":"UP"}') -> Write:
    of = (Family("ha_interface", KeyView(CONFIG), None), id_)
    key, config_key = (RECORD + id_).encode(), (CONFIG + id_).encode()
    if delete is None:
        return Write(of, key, value, 0, config_key, config_revision, 0.0)
    return Write(of, key, None, delete, config_key, config_revision, 0.0, conditions_of((key, delete), None, ()))


def test_those_whose_comparisons_hold_are_told_from_the_others(etcd: Etcd, kv: rpc.KVStub) -> None:
    configs = {id_: etcd.put(CONFIG + id_, "{}") for id_ in "abcd"}
    records = {id_: etcd.put(RECORD + id_, "{}") for id_ in "cd"}
    writes = [
        write("a", configs["a"]),
        write("b", configs["b"] - 1),
        write("c", configs["c"], delete=records["c"]),
        write("d", configs["d"], delete=records["d"] - 1),
        write("gone", 7),
    ]
    batch = Batch(writes)
    assert not kv.Txn(batch.request).succeeded
    hold = batch.holding(kv.Txn(batch.question()))
    assert [each.of[1] for each in hold] == ["a", "c"]
    assert kv.Txn(Batch(hold).request).succeeded
    assert etcd.items(RECORD) == {RECORD + "a": b'{"primary":"UP"}', RECORD + "d": b"{}"}


def fenced(id_: str, config: int, fence: Fence, *states: tuple[str, int]) -> Write:
    grounds = tuple((key.encode(), revision) for key, revision in states)
    return replace(write(id_, config), conditions=conditions_of(None, fence, grounds))


def test_a_record_of_a_group_hangs_on_its_shard_and_on_all_that_it_goes_by(etcd: Etcd, kv: rpc.KVStub) -> None:
    config = etcd.put(f"{CONFIG}a", "{}")
    state = etcd.put("/state/up", "{}")
    shards = [Fence(f"/shards/{number}".encode(), etcd.put(f"/shards/{number}", "me")) for number in range(2)]
    etcd.put("/shards/1", "me")  # written again: its creation is what counts
    lost = Fence(b"/shards/2", 7)
    older = Fence(b"/shards/1", shards[1].revision - 1)
    writes = [
        fenced("right", 0, shards[0], ("/state/up", state), ("/state/none", 0)),
        fenced("config", config - 1, shards[0]),
        fenced("state", 0, shards[0], ("/state/up", state - 1)),
        fenced("gone", 0, shards[0], ("/state/none", state)),
        fenced("came", 0, shards[0], ("/state/up", 0)),
        fenced("lost", 0, lost),
        fenced("another's", 0, older, ("/state/up", state)),
        fenced("again", 0, shards[1], ("/state/up", state)),
    ]
    batch = Batch(writes)
    assert not kv.Txn(batch.request).succeeded
    hold = batch.holding(kv.Txn(batch.question()))
    assert [each.of[1] for each in hold] == ["right", "again"]
    assert kv.Txn(Batch(hold).request).succeeded
    for wrong in (writes[5], writes[6], writes[2], writes[4]):
        assert not kv.Txn(Batch([wrong]).request).succeeded


def record_of(id_: str, *grounds: tuple[bytes, int], fence: Fence | None = None, delete: bool = False) -> Write:
    one = write(id_, 1, delete=1 if delete else None)
    return replace(one, conditions=(*one.conditions, *conditions_of(None, fence, grounds)))


def test_what_many_go_by_is_compared_once() -> None:
    fence, template = Fence(b"/shards/0", 3), (b"/templates/t", 2)
    batch = Batch()
    taken = 0
    while batch.add(record_of(f"ha-{taken}", template, fence=fence)):
        taken += 1
    assert taken == COMPARISONS_IN_A_TRANSACTION - 2
    assert len(batch.request.compare) == len(batch.question().success) == COMPARISONS_IN_A_TRANSACTION
    batch = Batch()
    assert batch.add(record_of("many", *((b"/state/%d" % number, 1) for number in range(127))))
    assert not batch.add(record_of("one more"))


def test_a_config_that_others_go_by_as_well_is_compared_once() -> None:
    fence = Fence(b"/shards/0", 3)
    configs = [((CONFIG + id_).encode(), 1) for id_ in "abc"]
    batch = Batch([record_of("a", fence=fence), record_of("x", configs[1], fence=fence)])
    for id_ in "bc":
        assert batch.add(record_of(id_, *configs, fence=fence))
    keys = [compare.key for compare in batch.request.compare]
    assert len(keys) == len(set(keys)) == len(batch.question().success)


def test_what_one_goes_by_twice_is_compared_once() -> None:
    """A template may find two parameters in one config, or one in the resource's own."""
    batch = Batch()
    other, own = (b"/config/other", 5), ((CONFIG + "twice").encode(), 1)
    assert batch.add(record_of("twice", other, other, own))
    assert [compare.key for compare in batch.request.compare] == [own[0], other[0]]
    assert len(batch.question().success) == 2


def test_nothing_is_written_together_with_what_it_goes_by() -> None:
    below, key = record_of("below"), (RECORD + "below").encode()
    for other in (below, record_of("below", delete=True)):
        on_top = record_of("on top", (key, 7))
        batch = Batch()
        assert batch.add(other)
        assert batch.contradicts(on_top)
        batch = Batch()
        assert batch.add(on_top)
        assert batch.contradicts(other)
        assert not batch.contradicts(record_of("another", (key, 7)))


def test_no_key_is_written_twice_by_one_transaction() -> None:
    """Two types that had one folder would each have a resource of that id; etcd would refuse both."""
    batch = Batch([write("a", 1)])
    assert batch.contradicts(write("a", 1))
    assert batch.contradicts(write("a", 1, delete=3))
    assert not batch.contradicts(write("b", 1))


@pytest.mark.parametrize("size", [1 << 20, 2 << 20])
def test_what_is_larger_than_etcd_takes_is_refused_for_what_it_is(size: int) -> None:
    """etcd itself says so of what is a little too large, gRPC before it of what is more than that."""
    etcd = Etcd("--max-request-bytes", "1000000")
    try:
        etcd.start()
        with grpc.insecure_channel(f"127.0.0.1:{etcd.port}") as channel, pytest.raises(grpc.RpcError) as refused:
            rpc.KVStub(channel).Txn(Batch([write("large", 0, value=b"x" * size)]).request)
        error = classify(refused.value.code(), refused.value.details() or "", "publish")
        assert is_about_the_request(error), error
    finally:
        etcd.close()


def test_large_records_are_as_many_as_etcd_takes_and_the_largest_goes_alone() -> None:
    batch = Batch()
    taken = 0
    while batch.add(write(f"{taken}-{'x' * 3_000}", 1, value=b"x" * 8_000)):  # both keys count, and the value
        taken += 1
    assert 0.9 * BYTES_IN_A_TRANSACTION < batch.request.ByteSize() < 1.1 * BYTES_IN_A_TRANSACTION
    batch = Batch()
    assert batch.add(write("larger", 1, value=b"x" * 2 * BYTES_IN_A_TRANSACTION))
    assert not batch.add(write("small", 1))


def test_a_batch_may_have_less_room() -> None:
    batch = Batch(room=2)
    assert [batch.add(write(id_, 1)) for id_ in "abc"] == [True, True, False]
