"""What a state says of an entry, and when an entry without a readable state becomes FAIL."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support import site

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.support.etcd import Etcd

    from .conftest import Site


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ('{"interface":"UP","version":1}', "UP"),
        ('{ "router" : "UP", "version" : 1 }', "UP"),
        ('{"interface":"ACTIVE","version":2}', "UP"),
        ('{"vmi":"FAIL","version":2}', "DOWN"),
        ('{"interface":"DOWN","version":1}', "DOWN"),
        ('{"primary":"MASTER","secondary":"BACKUP","version":1}', "DOWN"),
        ('{"status":{"primary":"MASTER"},"version":1}', "DOWN"),
        ('{"status":{"primary":"UP","secondary":"UP"},"version":1}', "UP"),
        ('{"status":{"primary":"UP","secondary":"DOWN"},"version":1}', "DOWN"),
        ('{"primary":"UP","secondary":"DOWN","version":1}', "DOWN"),
        ('{"primary":"UP","secondary":"ACTIVE","version":1}', "UP"),
        ('{"version":"DOWN","interface":"UP"}', "UP"),
        ('{"interface":"UP"}', "UP"),
        ('{"interface":null,"version":1}', "DOWN"),
        ('{"interface":1,"version":1}', "DOWN"),
        ('{"interface":true,"version":1}', "DOWN"),
        ('\n {"interface":"UP","version":1}\n', "UP"),
    ],
)
def test_every_form_of_state_is_read_and_its_version_left_out(standing_site: Site, state: str, status: str) -> None:
    other = "DOWN" if status == "UP" else "UP"
    pair = standing_site.ha_interface(primary={"interface": other, "version": 1})
    standing_site.etcd.wait_record(pair.record, site.record(other))
    standing_site.etcd.put(pair.primary_state, state)
    standing_site.etcd.wait_record(pair.record, site.record(status))


def test_a_state_deleted_and_written_again_with_a_higher_version_changes_no_record(standing_site: Site) -> None:
    pair = standing_site.ha_interface()
    before = standing_site.etcd.mod_revision(pair.record)
    standing_site.etcd.delete(pair.primary_state)
    standing_site.etcd.put(pair.primary_state, {"interface": "UP", "version": 2})
    standing_site.marker()
    assert standing_site.etcd.mod_revision(pair.record) == before


def test_other_up_values_are_a_setting(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys({"primary": "MASTER", "version": 1}, site.UP))
    service("--up-values", "MASTER")
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))


@pytest.mark.parametrize("unreadable", [None, "not json", "[]"])
def test_an_unknown_entry_holds_the_record_for_the_state_timeout_then_it_is_fail(
    etcd: Etcd, service: StartService, unreadable: str | None
) -> None:
    pair, marker = site.HaInterface(), site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys() | marker.keys())
    service("--state-timeout", "2")
    etcd.wait_record(pair.record, site.record())
    since = etcd.revision()
    began = time.monotonic()
    if unreadable is None:
        etcd.delete(pair.primary_state)
    else:
        etcd.put(pair.primary_state, unreadable)
    etcd.put(pair.secondary_state, site.DOWN)
    etcd.put(marker.primary_state, site.DOWN)
    etcd.wait_record(marker.record, site.record("DOWN"), timeout=1.9)
    assert etcd.record(pair.record) == site.record(), "held while an entry is UNKNOWN"
    etcd.wait_record(pair.record, site.record("FAIL", "DOWN"))
    assert time.monotonic() - began >= 1.9
    assert etcd.history(pair.record, since) == [site.record("FAIL", "DOWN")]


def test_the_timeout_of_the_entry_itself_goes_before_the_setting(etcd: Etcd, service: StartService) -> None:
    quick, slow = site.new_id(), site.new_id()
    quick_record, slow_record = site.monitoring_key("quick_links", quick), site.monitoring_key("slow_links", slow)
    etcd.txn(
        site.reader_template("quick_link", timeout="0.5")
        | site.reader_template("slow_link", timeout="3600")
        | {site.config_key("quick_links", quick): site.envelope({"id": quick, "port_id": "absent"})}
        | {site.config_key("slow_links", slow): site.envelope({"id": slow, "port_id": "absent"})}
    )
    service("--state-timeout", "1")
    etcd.wait_record(quick_record, {"port": "FAIL", "version": 1})
    marker = site.HaInterface()
    etcd.txn(site.ha_template() | marker.keys(primary=None))
    etcd.wait_record(marker.record, site.record("FAIL"))
    assert etcd.get(slow_record) is None


def test_a_fail_entry_is_up_again_with_its_state(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys(primary=None))
    service("--state-timeout", "0.3")
    etcd.wait_record(pair.record, site.record("FAIL"))
    etcd.put(pair.primary_state, site.UP)
    etcd.wait_record(pair.record, site.record())


def test_an_unreadable_state_over_another_one_does_not_begin_the_timeout_anew(
    etcd: Etcd, service: StartService
) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    service("--state-timeout", "1")
    etcd.wait_record(pair.record, site.record())
    give_up = time.monotonic() + 20
    while etcd.record(pair.record) == site.record() and time.monotonic() < give_up:
        etcd.put(pair.primary_state, f"not json {time.monotonic()}")
        time.sleep(0.05)
    assert etcd.record(pair.record) == site.record("FAIL")


def test_the_state_of_the_worker_is_read_where_that_is_the_setting(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    good = {"state": {"state_monitoring": '{"interface": "ACTIVE"}', "worker_state": "X"}, "version": 1, "error": ""}
    bad = {"state": {"state_monitoring": '{"interface": "DOWN"}'}, "version": 1, "error": ""}
    worker = "er_physical_interfaces"
    etcd.txn(
        site.ha_template()
        | {pair.config: pair.envelope(), site.state_key(worker, pair.primary): good}
        | {site.state_key(worker, pair.secondary): bad, pair.primary_state: site.DOWN, pair.secondary_state: site.UP}
    )
    service("--state-source", "state")
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))
    etcd.put(site.state_key(worker, pair.secondary), good)
    etcd.wait_record(pair.record, site.record())
