"""An id is text, whatever it looks like, and reaches its key unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import site

if TYPE_CHECKING:
    from tests.service.conftest import Site

LOOKS = [
    "00123",
    "0123",
    "010",
    "0x1F",
    "0o17",
    "1e5",
    "1_000",
    "12:30:45",
    "1.0",
    "1.10",
    ".inf",
    ".nan",
    "no",
    "NO",
    "Off",
    "yes",
    "true",
    "True",
    "2019-04-05",
    "2019-04-05T01:02:03Z",
    "+1",
    "1234567890123456789012345678901234567890",
]


@pytest.mark.parametrize("look", LOOKS)
def test_an_etcd_id_that_looks_like_something_else_stays_text(standing_site: Site, look: str) -> None:
    pair = site.HaInterface(primary=look, secondary=f"other-{look}")
    standing_site.etcd.txn(pair.keys(primary=site.UP, secondary=site.DOWN))
    standing_site.etcd.wait_record(pair.record, site.record("UP", "DOWN"))
    standing_site.etcd.put(pair.primary_state, site.DOWN)
    standing_site.etcd.wait_record(pair.record, site.record("DOWN", "DOWN"))


@pytest.mark.parametrize("look", ["00123", "1e5", "no", "2019-04-05", "true"])
def test_a_resource_id_that_looks_like_something_else_stays_text(standing_site: Site, look: str) -> None:
    pair = site.HaInterface(id=look)
    standing_site.etcd.txn(pair.keys())
    standing_site.etcd.wait_record(pair.record, site.record())


@pytest.mark.parametrize("text", ["{{ port_id }}", '"{{ port_id }}"', "'{{ port_id }}'", "{{ port_id }}  # a comment"])
def test_an_id_stays_text_whether_the_template_quotes_it_or_not(standing_site: Site, text: str) -> None:
    etcd = standing_site.etcd
    template = f"port:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n  etcd_id: {text}\n"
    ids = {resource: site.monitoring_key("quoted_links", resource) for resource in ("00123", "1e5", "plain", "no")}
    keys: dict[str, Any] = site.template("quoted_link_monitoring", template, {"port_id": {"field": "port_id"}})
    for resource in ids:
        keys[site.config_key("quoted_links", resource)] = site.envelope({"id": resource, "port_id": resource})
        keys[site.monitoring_key("er_physical_interfaces", resource)] = site.UP
    etcd.txn(keys)
    for key in ids.values():
        etcd.wait_record(key, {"port": "UP", "version": 1})


def test_an_id_with_unusual_but_plain_characters_is_one_path_segment(standing_site: Site) -> None:
    pair = site.HaInterface(primary="ge-0.0.1@r1_x~y", secondary="ünïcode-接口")
    standing_site.etcd.txn(pair.keys(secondary=site.DOWN))
    standing_site.etcd.wait_record(pair.record, site.record("UP", "DOWN"))
