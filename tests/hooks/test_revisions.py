"""``revision`` says what is newer, of each entry: a receiver that goes by it drops nothing that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support import site
from tests.support.hooks import Endpoint, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


def told(endpoint: Endpoint, count: int) -> list[tuple[str, str | None, str | None, int]]:
    """Wait for so many changes; none of them is older than what was told of its entry before."""
    changes = endpoint.wait(count)
    newest: dict[tuple[str, str], int] = {}
    for change in changes:
        entry = change["id"], change["entry"]
        assert change["revision"] >= newest.get(entry, 0), changes
        newest[entry] = change["revision"]
    return [(change["entry"], change["old"], change["new"], change["revision"]) for change in changes]


def moved(pair: site.HaInterface, secondary: str) -> dict[str, Any]:
    """Give a pair's config with another port for the secondary side."""
    return site.envelope({**pair.body, "secondary_interface_id": secondary})


def test_what_a_state_a_config_a_template_and_an_end_cause_has_their_revision(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint
) -> None:
    etcd.put(site.monitoring_key("er_physical_interfaces", "old-port"), site.UP)
    running = service("--webhook", endpoint.url)
    down = etcd.put(pair.secondary_state, site.DOWN)
    assert told(endpoint, 1) == [("secondary", "UP", "DOWN", down)]
    config = etcd.put(pair.config, moved(pair, "old-port"))
    assert told(endpoint, 2)[1:] == [("secondary", "DOWN", "UP", config)]
    (came, went, _) = running.json("/api/v1/history")["changes"]
    assert [(change["new"], change["revision"]) for change in (went, came)] == [(None, config), ("UP", config)]
    assert went["reason"] == "it goes by another state now"
    only_primary = site.template("ha_interface_monitoring", site.PAIR.partition("secondary:")[0])
    template = etcd.txn(only_primary)
    assert told(endpoint, 3)[2:] == [("secondary", "UP", None, template)]
    template = etcd.txn(site.ha_template())
    assert told(endpoint, 4)[3:] == [("secondary", None, "UP", template)]
    end = etcd.delete(pair.config)
    assert sorted(told(endpoint, 6)[4:]) == [("primary", "UP", None, end), ("secondary", "UP", None, end)]
    again = etcd.put(pair.config, moved(pair, "old-port"))
    assert sorted(told(endpoint, 8)[6:]) == [("primary", None, "UP", again), ("secondary", None, "UP", again)]
    end = etcd.delete(site.template_key("ha_interface_monitoring"))
    assert sorted(told(endpoint, 10)[8:]) == [("primary", "UP", None, end), ("secondary", "UP", None, end)]


def test_what_a_key_that_is_followed_causes_has_its_revision(
    etcd: Etcd, service: StartService, endpoint: Endpoint
) -> None:
    text = site.reader_template("router")[site.template_key("router_monitoring")]["body"]["template_file"]
    mappings = {"port_id": {"field": "port_id", "path": [{"id": "device_id", "type": "device"}]}}
    device, router = site.config_key("devices", "d"), site.config_key("routers", "r")
    states = [site.monitoring_key("er_physical_interfaces", name) for name in ("one", "two")]
    etcd.txn(
        site.template("router_monitoring", text, mappings)
        | {router: site.envelope({"id": "r", "device_id": "d"}), device: site.envelope({"id": "d", "port_id": "one"})}
        | {states[0]: site.UP, states[1]: site.DOWN}
    )
    service("--webhook", endpoint.url)
    turned = etcd.put(device, site.envelope({"id": "d", "port_id": "two"}))
    assert told(endpoint, 1) == [("port", "UP", "DOWN", turned)]
    gone = etcd.delete(device)  # a problem from now on
    assert told(endpoint, 2)[1:] == [("port", "DOWN", None, gone)]


def test_a_state_that_went_while_nobody_watched_is_as_new_as_the_list_that_found_it_missing(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint, tmp_path: Path
) -> None:
    options = ("--webhook", endpoint.url, "--hook-state", str(tmp_path / "state"), "--state-timeout", "3")
    running = service(*options)
    down = etcd.put(pair.primary_state, site.DOWN)
    assert told(endpoint, 1) == [("primary", "UP", "DOWN", down)]
    running.stop()
    etcd.delete(pair.primary_state)
    start = etcd.put(pair.secondary_state, site.UP)
    running = service(*options)
    assert [(old, new) for _, old, new, _ in told(endpoint, 3)[1:]] == [("DOWN", "UNKNOWN"), ("UNKNOWN", "FAIL")]
    assert all(revision >= start for *_, revision in told(endpoint, 3)[1:])
    up = etcd.put(pair.primary_state, site.UP)
    assert told(endpoint, 4)[3:] == [("primary", "FAIL", "UP", up)]
    running.stop()
    etcd.delete(pair.config)
    service(*options)
    ended = sorted(change[:3] for change in told(endpoint, 6)[4:])
    assert ended == [("primary", "UP", None), ("secondary", "UP", None)]
    end = etcd.put(pair.config, pair.envelope(2))
    wait_until(lambda: [change[3] for change in told(endpoint, 8)[6:]] == [end, end])
