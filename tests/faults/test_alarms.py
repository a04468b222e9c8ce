"""NOSPACE and CORRUPT alarms of a real etcd are reported, and cleared once they are disarmed."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.fleet import STATES, fleet
from tests.faults.operate import set_alarm
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import StartService
    from tests.faults.conftest import Watched
    from tests.support.etcd import Etcd
    from tests.support.service import Service

KINDS = {"NOSPACE": "database space exceeded", "CORRUPT": "corrupt cluster"}
MEMBER = 0x8211F1D0F64F3269
each_kind = pytest.mark.parametrize("kind", KINDS)


def words(kind: str) -> str:
    return f"etcd alarm {kind} (member {MEMBER:x}): {KINDS[kind]}, etcd refuses writes"


def readyz(service: Service) -> Any:
    return json.loads(service.get("/readyz")[1])


def until(true: Callable[[], bool], state: Callable[[], object]) -> None:
    give_up = time.monotonic() + 15.0
    while not true():
        assert time.monotonic() < give_up, state()
        time.sleep(0.05)


def alarms_counted(service: Service) -> list[str]:
    exposed = service.get("/metrics")[1].decode()
    return [line for line in exposed.splitlines() if line.startswith("ha_monitor_etcd_alarm{")]


@each_kind
def test_a_publishing_monitor_is_not_ready_until_the_alarm_is_disarmed(
    own_etcd: Etcd, watch: Callable[..., Watched], kind: str
) -> None:
    """A timeout causes the write: a corrupt cluster takes no change of a key."""
    watched = watch(own_etcd, "--state-timeout", "2")
    own_etcd.delete(f"{STATES}p2")
    set_alarm(own_etcd, kind, member=MEMBER, raised=True)
    assert watched.unready(saying="etcd alarm") == f"nothing can be published: {words(kind)}"
    assert alarms_counted(watched.service) == [f'ha_monitor_etcd_alarm{{alarm="{kind}",member="{MEMBER:x}"}} 1.0']
    set_alarm(own_etcd, kind, member=MEMBER, raised=False)
    watched.ready()
    watched.flip(1, 2)
    watched.right()
    assert alarms_counted(watched.service) == []
    watched.service.stop()
    log = watched.service.last_log
    assert log.count(f"etcd alarm {kind} (member {MEMBER:x}) is cleared") == 1
    assert log.count(f"WARNING {words(kind)}") == 1, log


@each_kind
def test_a_watching_monitor_is_ready_and_warns(own_etcd: Etcd, service: StartService, kind: str) -> None:
    own_etcd.txn(fleet(2))
    set_alarm(own_etcd, kind, member=MEMBER, raised=True)
    running = service("--publish", "none", etcd=own_etcd)
    until(lambda: "warning" in readyz(running), lambda: readyz(running))
    assert readyz(running) == {"ready": True, "reason": "", "warning": words(kind)}
    shown = command("status", "--url", running.url).stdout.decode()
    assert f"WARNING: {words(kind)}" in " ".join(shown.split())
    assert json.loads(command("status", "--json", "--url", running.url).stdout)["warning"] == words(kind)
    set_alarm(own_etcd, kind, member=MEMBER, raised=False)
    until(lambda: readyz(running) == {"ready": True, "reason": ""}, lambda: readyz(running))


def test_load_reports_that_a_corrupt_cluster_refuses_writes(own_etcd: Etcd) -> None:
    set_alarm(own_etcd, "CORRUPT", raised=True)
    ended = command("load", "-", "--etcd", own_etcd.url, stdin=b'{"/a": "b"}')
    assert ended.returncode == 1
    assert ended.stderr.decode() == "put: etcdserver: corrupt cluster (0 of 1 keys put)\n"
