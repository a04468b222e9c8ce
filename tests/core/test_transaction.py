"""A transaction of many records, and what becomes of it where one comparison fails: against a real etcd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from aetcd import rpc

from ha_monitor.evaluate.unit import Family
from ha_monitor.publish.desire import Delete, Put
from ha_monitor.publish.fence import Fence
from ha_monitor.publish.transaction import Write, holding, question, request
from ha_monitor.watch.views import KeyView

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.etcd import Etcd

CONFIG, RECORD = "/config/v2.0/ha_interfaces/", "/monitoring/v2.0/ha_interfaces/"


@pytest.fixture
def kv(etcd: Etcd) -> Iterator[rpc.KVStub]:
    with grpc.insecure_channel(f"127.0.0.1:{etcd.port}") as channel:
        yield rpc.KVStub(channel)


def write(id_: str, config_revision: int, *, delete: int | None = None) -> Write:
    wanted = Put(b'{"primary":"UP"}', config_revision) if delete is None else Delete(config_revision)
    family = Family("ha_interface", KeyView(CONFIG), None)
    return Write(family, id_, wanted, (RECORD + id_).encode(), delete or 0, (CONFIG + id_).encode(), 0.0)


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
    assert not kv.Txn(request(writes)).succeeded
    hold = holding(writes, kv.Txn(question(writes)))
    assert [each.id for each in hold] == ["a", "c"]
    assert kv.Txn(request(hold)).succeeded
    assert etcd.items(RECORD) == {RECORD + "a": b'{"primary":"UP"}', RECORD + "d": b"{}"}


def fenced(id_: str, config: int, fence: Fence, *states: tuple[str, int]) -> Write:
    plain = write(id_, config)
    return Write(
        plain.family, plain.id, plain.wanted, plain.key, 0, plain.config_key, 0.0, fence,
        tuple((key.encode(), revision) for key, revision in states),
    )  # fmt: skip


def test_a_record_of_a_group_hangs_on_its_shard_and_on_each_of_its_states(etcd: Etcd, kv: rpc.KVStub) -> None:
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
    assert not kv.Txn(request(writes)).succeeded
    hold = holding(writes, kv.Txn(question(writes)))
    assert [each.id for each in hold] == ["right", "again"]
    assert kv.Txn(request(hold)).succeeded
    for wrong in (writes[5], writes[6], writes[2], writes[4]):
        assert not kv.Txn(request([wrong])).succeeded
