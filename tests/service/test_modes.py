"""Chains of published records, and the options that choose what is served and published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support import site

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.support.etcd import Etcd


class _Gateway:
    """A vpn_gateway on an HA interface on two physical interfaces, with the routers that its mappings lead over."""

    def __init__(self) -> None:
        self.ha = site.HaInterface()
        self.id, ha_router, router = site.new_id(), site.new_id(), site.new_id()
        self.record = site.monitoring_key("vpn_gateways", self.id)
        self.keys: dict[str, Any] = site.ha_template() | site.vpn_template() | self.ha.keys()
        self.keys[self.ha.config] = site.envelope(self.ha.body | {"ha_router_id": ha_router})
        routers = {"id": ha_router, "primary_router_id": router}
        self.keys[site.config_key("ha_routers", ha_router)] = site.envelope(routers, as_text=True)
        self.keys[site.config_key("edge_routers", router)] = site.envelope({"id": router, "ip": "192.0.2.1"})
        body = {"id": self.id, "downlink_interface_id": self.ha.id}
        self.keys[site.config_key("vpn_gateways", self.id)] = site.envelope(body, 7)


def test_a_flip_runs_through_the_chain_of_records(etcd: Etcd, service: StartService) -> None:
    gateway = _Gateway()
    etcd.txn(gateway.keys)
    service()
    etcd.wait_record(gateway.record, {"downlink": "UP", "version": 7})
    etcd.put(gateway.ha.primary_state, site.DOWN)
    etcd.wait_record(gateway.record, {"downlink": "DOWN", "version": 7})
    etcd.wait_record(gateway.ha.record, site.record("DOWN"))
    etcd.put(gateway.ha.primary_state, site.UP)
    etcd.wait_record(gateway.record, {"downlink": "UP", "version": 7})


def test_gohans_form_of_a_record_has_the_verdict(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys(version=3))
    service("--publish", "gohan")
    etcd.wait_record(pair.record, {"monitoring": "UP", "version": 3})
    etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, {"monitoring": "DEGRADED", "version": 3})
    etcd.put(pair.secondary_state, site.DOWN)
    etcd.wait_record(pair.record, {"monitoring": "DOWN", "version": 3})
    etcd.delete(pair.config)
    etcd.wait_record(pair.record, None)


def test_publish_none_writes_nothing_at_all(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    watching = service("--publish", "none")
    etcd.put(pair.primary_state, site.DOWN)
    revision = etcd.delete(pair.secondary_state)
    watching.stop()
    assert etcd.revision() == revision
    assert etcd.get(pair.record) is None


def test_publish_none_leaves_a_record_that_stands_there(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys() | {pair.record: site.record("DOWN", "DOWN")})
    watching = service("--publish", "none")
    revision = etcd.delete(pair.config)
    watching.stop()
    assert etcd.revision() == revision
    assert etcd.record(pair.record) == site.record("DOWN", "DOWN")


def test_types_serves_just_the_types_that_it_names(etcd: Etcd, service: StartService) -> None:
    served, left = site.HaInterface(), site.HaInterface(plural="spare_pairs")
    etcd.txn(site.ha_template() | site.template("spare_pair_monitoring", site.PAIR) | served.keys() | left.keys())
    foreign = etcd.put(left.record, site.record("DOWN", "DOWN"))
    service("--types", "ha_interface")
    etcd.wait_record(served.record, site.record())
    etcd.txn({left.primary_state: site.DOWN, served.primary_state: site.DOWN})
    etcd.wait_record(served.record, site.record("DOWN"))
    assert etcd.mod_revision(left.record) == foreign


def test_types_serves_no_other_type_whose_template_can_not_be_read(etcd: Etcd, service: StartService) -> None:
    served, left = site.HaInterface(), site.HaInterface(plural="spare_pairs")
    etcd.txn(site.ha_template() | served.keys() | left.keys() | {site.template_key("spare_pair_monitoring"): "no JSON"})
    running = service("--types", "ha_interface")
    etcd.wait_record(served.record, site.record())
    assert set(running.json("/api/v1/summary")) == {"ha_interface"}
    status, told = running.get(f"/api/v1/explain/spare_pair/{left.id}")
    assert (status, b"is not served here: --types is ha_interface" in told) == (404, True), told


def test_a_setting_overrides_which_type_a_template_belongs_to(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.template("site_pairs", site.PAIR) | pair.keys())
    service("--template-types", "site_pairs=ha_interface")
    etcd.wait_record(pair.record, site.record())


def test_records_may_go_under_a_prefix_of_their_own(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    service("--publish-prefix", "/state_watch/monitoring")
    etcd.wait_record(pair.record.replace("/monitoring", "/state_watch/monitoring"), site.record())
    assert etcd.get(pair.record) is None


def test_a_gohan_that_writes_the_body_without_its_envelope_is_read(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys() | {pair.config: pair.body})
    service()
    items = etcd.wait(pair.record, lambda items: pair.record in items)
    assert b'"primary":"UP","secondary":"UP"' in items[pair.record]
