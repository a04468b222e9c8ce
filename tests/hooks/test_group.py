"""Hooks in a group: the member that has a shard tells of it, and who takes over tells what may not have been told."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.group import TTL
from tests.support.hooks import Endpoint, Recorder, wait_until
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.etcd import Etcd


@pytest.fixture
def start(own_etcd: Etcd) -> Iterator[Callable[..., Service]]:
    """Start a member of a group of one shard."""
    started: list[Service] = []

    def begin(*options: str) -> Service:
        member = Service(own_etcd.url, "--group", "edge", "--lease-ttl", str(TTL), *options)
        started.append(member)
        return member.wait_ready(30.0)

    try:
        yield begin
        for member in started:
            member.stop()
    finally:
        for member in started:
            member.kill()


def has_it(member: Service) -> bool:
    return bool(member.json("/api/v1/group")["owned"])


def test_a_change_in_the_middle_of_a_takeover_is_told(
    own_etcd: Etcd, start: Callable[..., Service], recorder: Recorder
) -> None:
    pair = site.HaInterface("pair")
    own_etcd.txn(site.ha_template() | pair.keys())
    with Endpoint() as endpoint:
        members = {
            who: start("--hook", recorder.command(who), "--webhook", endpoint.url) for who in ("first", "second")
        }
        wait_until(lambda: sorted(map(has_it, members.values())) == [False, True])
        (owner,) = [who for who, member in members.items() if has_it(member)]
        (other,) = members.keys() - {owner}
        own_etcd.put(pair.primary_state, site.DOWN)
        own_etcd.put(pair.secondary_state, site.DOWN)
        recorder.wait(2)
        endpoint.wait(2)
        assert {item["who"] for item in recorder.said()} == {owner}
        os.kill(members[owner].pid, signal.SIGKILL)
        revision = own_etcd.put(pair.primary_state, site.UP)
        wait_until(lambda: any(item["change"]["revision"] == revision for item in recorder.said("end")))
        members[owner].kill()
        last = recorder.said("end")[-1]
        assert (last["who"], last["change"]["old"], last["change"]["new"]) == (other, "DOWN", "UP")
        wait_until(lambda: any(change["revision"] == revision for change in endpoint.changes()))
        own_etcd.put(pair.secondary_state, site.UP)
        recorder.wait_told("secondary", "UP")
    assert recorder.said("end")[-1]["who"] == other


def test_a_member_that_hands_over_loses_nothing(
    own_etcd: Etcd, start: Callable[..., Service], recorder: Recorder
) -> None:
    pair = site.HaInterface("pair")
    own_etcd.txn(site.ha_template() | pair.keys())
    first = start("--hook", recorder.command("first"))
    wait_until(lambda: has_it(first))
    second = start("--hook", recorder.command("second"))
    recorder.make("closed")
    own_etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1, "begin")
    first.stop()
    recorder.unmake("closed")
    wait_until(lambda: has_it(second))
    (told,) = recorder.wait(1)
    assert (told["who"], told["change"]["old"], told["change"]["new"]) == ("second", "UP", "DOWN")
