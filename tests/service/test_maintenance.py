"""Maintenance keys: a record that is frozen stays as it is, whatever happens, and is right again afterwards."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.service.test_damping import shown
from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.service.conftest import Site
    from tests.support.etcd import Etcd

PREFIX = "/ha_monitor/maintenance"


def key(pair: site.HaInterface) -> str:
    return f"{PREFIX}/ha_interface/{pair.id}"


def frozen(resource: Any) -> bool:
    return resource["maintenance"] is not None


def test_a_frozen_record_stays_until_the_key_goes(standing_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    etcd, service, pair = standing_site.etcd, standing_site.service, standing_site.ha_interface()
    since = etcd.put(key(pair), {"reason": "new line card", "until": None})
    resource = shown(service, pair, frozen)
    assert resource["maintenance"] == {"reason": "new line card", "until": None}
    etcd.put(pair.primary_state, site.DOWN)
    etcd.put(pair.config, pair.envelope(2))
    resource = shown(service, pair, lambda resource: resource["version"] == 2 and resource["status"] == "DEGRADED")
    assert resource["published"] == site.record()
    standing_site.marker()
    assert etcd.history(pair.record, since) == []
    assert "in maintenance: new line card; primary: " in command("status", "--url", service.url).stdout.decode()
    assert "ha_monitor_maintenance 1.0" in service.get("/metrics")[1].decode()
    etcd.delete(key(pair))
    etcd.wait_record(pair.record, site.record("DOWN", "UP", 2))
    assert not frozen(shown(service, pair, lambda resource: not frozen(resource)))


def test_it_ends_by_itself(standing_site: Site) -> None:
    etcd, service, pair = standing_site.etcd, standing_site.service, standing_site.ha_interface()
    until = datetime.now(timezone.utc) + timedelta(seconds=3)
    etcd.txn({key(pair): {"reason": "", "until": until.isoformat()}})
    resource = shown(service, pair, frozen)
    assert abs(datetime.fromisoformat(resource["maintenance"]["until"].replace("Z", "+00:00")) - until) < timedelta(
        milliseconds=2
    )
    etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN", "UP"))
    assert datetime.now(timezone.utc) >= until
    assert not frozen(shown(service, pair, lambda resource: not frozen(resource)))


def test_who_froze_a_record_may_write_it(standing_site: Site) -> None:
    etcd, service, pair = standing_site.etcd, standing_site.service, standing_site.ha_interface()
    etcd.put(key(pair), "{}")
    shown(service, pair, frozen)
    for _ in range(3):
        etcd.put(pair.record, {"primary": "DOWN", "secondary": "DOWN", "version": 1})
    shown(service, pair, lambda resource: resource["published"]["primary"] == "DOWN")
    etcd.delete(key(pair))
    etcd.wait_record(pair.record, site.record())
    assert shown(service, pair, lambda resource: not frozen(resource))["problem"] is None


def test_the_record_of_a_resource_that_ends_meanwhile_goes_afterwards(standing_site: Site) -> None:
    etcd, service, pair = standing_site.etcd, standing_site.service, standing_site.ha_interface()
    etcd.put(key(pair), "{}")
    shown(service, pair, frozen)
    etcd.delete(pair.config)
    standing_site.marker()
    assert etcd.record(pair.record) == site.record()
    etcd.delete(key(pair))
    etcd.wait(pair.record, lambda items: pair.record not in items)


NANOSECONDS = '{"until": 1795664044695702438}'
FOR_EVER = '{"until": "9999-12-31T23:59:59-14:00"}'


@pytest.mark.parametrize(
    "value",
    ["soon", "[]", '{"until": "soon"}', '{"until": 1e99}', NANOSECONDS, FOR_EVER, '{"until": true}', "\udcff"],
)
def test_a_key_that_cannot_be_read_freezes_and_says_so(standing_site: Site, value: str) -> None:
    etcd, service, pair = standing_site.etcd, standing_site.service, standing_site.ha_interface()
    etcd.put(key(pair), value.encode("utf-8", "surrogateescape"))
    reason = shown(service, pair, frozen)["maintenance"]["reason"]
    assert reason.startswith("until it is taken away, since it can't be read: ")


def test_it_holds_from_the_very_start_and_where_the_clock_says_so(etcd: Etcd, service: StartService) -> None:
    pair, over = site.HaInterface(), site.HaInterface()
    stands = site.record("DOWN", "DOWN", 7)
    etcd.txn(site.ha_template() | pair.keys() | over.keys())
    etcd.txn({pair.record: stands, over.record: stands})
    etcd.txn({key(pair): {"until": time.time() + 3600}, key(over): {"until": time.time() - 1}})
    running = service()
    etcd.wait_record(over.record, site.record())
    assert frozen(running.json(f"/api/v1/resources/ha_interface/{pair.id}"))
    assert etcd.record(pair.record) == stands


def test_without_a_prefix_there_is_none(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys() | {key(pair): "{}"})
    service("--maintenance-prefix", "")
    etcd.wait_record(pair.record, site.record())
