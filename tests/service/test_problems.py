"""A problem is a state, not a crash: nothing is published, the others go on, and it heals by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import site

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.service.conftest import Site
    from tests.support.etcd import Etcd

BROKEN_TEMPLATES = {
    "does not parse": "primary:\n  type: etcd_reader\n  etcd_id: {{ primary_interface_id\n",
    "unknown type": "primary:\n  type: no_such_reader\n  etcd_id: {{ primary_interface_id }}\n",
    "no entry": "db_mappings:\n  - mapped_id: {{ primary_interface_id }}\n",
}


def _gateway(resource_id: str, ha_interface: site.HaInterface) -> dict[str, Any]:
    body = {"id": resource_id, "downlink_interface_id": ha_interface.id}
    return {site.config_key("vpn_gateways", resource_id): site.envelope(body)}


def _routers(ha_router: str, router: str) -> dict[str, Any]:
    return {
        site.config_key("ha_routers", ha_router): site.envelope({"id": ha_router, "primary_router_id": router}),
        site.config_key("edge_routers", router): site.envelope({"id": router, "ip": "192.0.2.1"}),
    }


@pytest.mark.parametrize("broken", BROKEN_TEMPLATES.values(), ids=BROKEN_TEMPLATES)
def test_a_broken_template_publishes_nothing_stops_no_other_and_heals(standing_site: Site, broken: str) -> None:
    etcd, pair = standing_site.etcd, site.HaInterface(plural="spare_pairs")
    etcd.txn(site.template("spare_pair_monitoring", broken) | pair.keys())
    standing_site.marker()
    assert etcd.get(pair.record) is None
    etcd.txn(site.template("spare_pair_monitoring", site.PAIR))
    etcd.wait_record(pair.record, site.record())


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_mapping_that_leads_to_a_missing_config_heals_when_that_appears(standing_site: Site, missing: int) -> None:
    etcd, pair = standing_site.etcd, standing_site.healthy
    gateway, ha_router, router = site.new_id(), site.new_id(), site.new_id()
    record = site.monitoring_key("vpn_gateways", gateway)
    ha_config = {pair.config: site.envelope(pair.body | {"ha_router_id": ha_router}, 1)}
    keys = site.vpn_template() | _gateway(gateway, pair) | _routers(ha_router, router) | ha_config
    absent = [pair.config, site.config_key("ha_routers", ha_router), site.config_key("edge_routers", router)][missing]
    etcd.txn({key: value for key, value in keys.items() if key != absent}, deletes=[absent])
    other = standing_site.ha_interface()
    etcd.put(other.primary_state, site.DOWN)
    etcd.wait_record(other.record, site.record("DOWN"))
    assert etcd.get(record) is None
    etcd.put(absent, keys[absent])
    etcd.wait_record(record, {"downlink": "UP", "version": 1})


def test_a_parameter_that_is_none_is_a_problem_until_the_config_has_it(standing_site: Site) -> None:
    etcd, pair = standing_site.etcd, site.HaInterface()
    without = {name: value for name, value in pair.body.items() if name != "secondary_interface_id"}
    etcd.txn(pair.keys() | {pair.config: site.envelope(without)})
    standing_site.marker()
    assert etcd.get(pair.record) is None
    etcd.put(pair.config, pair.envelope(2))
    etcd.wait_record(pair.record, site.record(version=2))


def test_a_record_published_before_a_problem_stands_for_the_state_timeout_then_goes(
    etcd: Etcd, service: StartService
) -> None:
    pair, marker = site.HaInterface(plural="spare_pairs"), site.HaInterface()
    etcd.txn(site.template("spare_pair_monitoring", site.PAIR) | site.ha_template() | pair.keys() | marker.keys())
    service("--state-timeout", "2")
    etcd.wait_record(pair.record, site.record())
    etcd.wait_record(marker.record, site.record())
    etcd.txn(site.template("spare_pair_monitoring", BROKEN_TEMPLATES["does not parse"]))
    etcd.put(pair.primary_state, site.DOWN)
    etcd.put(marker.primary_state, site.DOWN)
    etcd.wait_record(marker.record, site.record("DOWN"), timeout=1.9)
    assert etcd.record(pair.record) == site.record(), "stands, unchanged, for the state timeout"
    etcd.wait_record(pair.record, None)
    etcd.txn(site.template("spare_pair_monitoring", site.PAIR))
    etcd.wait_record(pair.record, site.record("DOWN"))


def test_a_record_of_another_monitor_is_known_by_the_template_that_could_be_used(
    etcd: Etcd, service: StartService
) -> None:
    """A member of a group wrote it, and is gone; who takes over has never rendered its resource."""
    etcd.txn(site.ha_template())
    service("--state-timeout", "1")
    etcd.txn(site.template("ha_interface_monitoring", BROKEN_TEMPLATES["does not parse"]))
    pair, ended, strange = (site.HaInterface() for _ in range(3))
    etcd.txn(pair.keys() | {pair.record: site.record(), ended.record: site.record("DOWN")})
    etcd.txn(strange.keys() | {strange.record: {"primary": "UP", "version": 1}})
    etcd.wait_record(pair.record, None)
    etcd.wait_record(ended.record, None)
    etcd.txn({}, [site.template_key("ha_interface_monitoring")])
    etcd.put(pair.record, site.record())  # by whoever serves the type from now on
    etcd.txn(site.reader_template("other") | {"/config/v2.0/others/1": site.envelope({"port_id": pair.primary})})
    etcd.wait_record("/monitoring/v2.0/others/1", {"port": "UP", "version": 1})
    assert etcd.record(pair.record) == site.record()
    assert etcd.record(strange.record) == {"primary": "UP", "version": 1}


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("how", ["broken", "ended"])
def test_what_another_hand_wrote_where_no_record_is_due_stays(
    etcd: Etcd, service: StartService, how: str, at_once: bool
) -> None:
    pair, witness = site.HaInterface(), site.HaInterface()
    broken: dict[str, Any] = {"version": 2, "marked_for_deletion": False}
    etcd.txn(site.ha_template() | pair.keys() | witness.keys())
    service("--state-timeout", "1")
    for each in (pair, witness):
        etcd.wait_record(each.record, site.record())
    put, deleted = ({}, [pair.config]) if how == "ended" else ({pair.config: broken}, [])
    foreign = {pair.record: {**site.record(), "foreign": True}}
    etcd.txn(put | foreign if at_once else put, deleted)
    etcd.txn(foreign | {witness.config: broken})
    etcd.wait_record(witness.record, None)
    assert etcd.record(pair.record) == foreign[pair.record]


def test_a_problem_healed_within_the_state_timeout_never_removes_the_record(etcd: Etcd, service: StartService) -> None:
    pair, marker = site.HaInterface(plural="spare_pairs"), site.HaInterface()
    etcd.txn(site.template("spare_pair_monitoring", site.PAIR) | site.ha_template() | pair.keys())
    service("--state-timeout", "1")
    etcd.wait_record(pair.record, site.record())
    since = etcd.txn(site.template("spare_pair_monitoring", BROKEN_TEMPLATES["no entry"]))
    etcd.txn(site.template("spare_pair_monitoring", site.PAIR))
    etcd.txn(marker.keys(primary=None))
    etcd.wait_record(marker.record, site.record("FAIL"))
    assert etcd.history(pair.record, since) == []


@pytest.mark.parametrize("how", ["deleted", "marked"])
def test_a_template_that_ends_ends_the_records_of_its_type(standing_site: Site, how: str) -> None:
    etcd, pair = standing_site.etcd, site.HaInterface(plural="spare_pairs")
    template = site.template("spare_pair_monitoring", site.PAIR)
    etcd.txn(template | pair.keys())
    etcd.wait_record(pair.record, site.record())
    key = site.template_key("spare_pair_monitoring")
    if how == "deleted":
        etcd.delete(key)
    else:
        etcd.put(key, template[key] | {"marked_for_deletion": True})
    etcd.wait_record(pair.record, None)
    etcd.txn(template)
    etcd.wait_record(pair.record, site.record())


def test_a_template_of_another_handler_is_not_ours(standing_site: Site) -> None:
    etcd, pair = standing_site.etcd, site.HaInterface(plural="spare_pairs")
    foreign = '{ "primary" : "UP", "version" : 1 }'
    etcd.txn(
        site.template("spare_pair_monitoring", site.PAIR, handler="heat_worker") | pair.keys() | {pair.record: foreign}
    )
    standing_site.marker()
    assert etcd.get(pair.record) == foreign.encode()


def test_a_template_that_changes_is_rendered_anew_for_its_resources(standing_site: Site) -> None:
    etcd, pair = standing_site.etcd, site.HaInterface(plural="spare_pairs")
    etcd.txn(site.template("spare_pair_monitoring", site.PAIR) | pair.keys(secondary=site.DOWN))
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))
    etcd.txn(site.template("spare_pair_monitoring", site.PAIR.replace("secondary:", "standby:")))
    etcd.wait_record(pair.record, {"primary": "UP", "standby": "DOWN", "version": 1})


def test_a_resource_with_an_entry_of_an_unsupported_type_is_left_to_its_worker(standing_site: Site) -> None:
    etcd, pair = standing_site.etcd, site.HaInterface(plural="mixed_pairs")
    foreign = '{ "primary" : "UP", "version" : 1 }'
    text = site.PAIR + "session:\n  type: bgp_session\n  host: 192.0.2.1\n"
    etcd.txn(site.template("mixed_pair_monitoring", text) | pair.keys() | {pair.record: foreign})
    written = etcd.mod_revision(pair.record)
    standing_site.marker()
    etcd.put(pair.primary_state, site.DOWN)
    standing_site.marker()
    etcd.delete(pair.config)
    standing_site.marker()
    assert etcd.get(pair.record) == foreign.encode()
    assert etcd.mod_revision(pair.record) == written
