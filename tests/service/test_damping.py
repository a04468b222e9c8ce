"""``--rise``, ``--fall`` and the cap for flapping, as etcd and HTTP show them; the arithmetic is in tests/core."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.service import Service

NEVER = "3600"
PATIENCE = 30.0


def shown(service: Service, pair: site.HaInterface, holds: Callable[[Any], object], type_: str = "ha_interface") -> Any:
    """Ask for a resource until it is so."""
    until = time.monotonic() + PATIENCE
    while not holds(resource := service.json(f"/api/v1/resources/{type_}/{pair.id}")):
        assert time.monotonic() < until, resource
        time.sleep(0.01)
    return resource


def pending(resource: Any) -> dict[str, str]:
    return {
        name: entry["pending"]["status"] for name, entry in resource["entries"].items() if entry["pending"] is not None
    }


def test_a_side_that_fell_counts_later_and_is_shown_as_pending(
    etcd: Etcd, service: StartService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    running = service("--fall", NEVER)
    etcd.wait_record(pair.record, site.record())
    since = etcd.put(pair.primary_state, site.DOWN)
    resource = shown(running, pair, pending)
    assert (resource["status"], resource["active"], pending(resource)) == ("UP", "primary", {"primary": "DOWN"})
    primary = resource["entries"]["primary"]
    assert primary["status"] == "UP"
    assert primary["reason"] == 'interface is "DOWN"'
    assert primary["pending"]["due"] > primary["since"]
    table = command("status", "--url", running.url).stdout.decode()
    assert 'primary: interface is "DOWN", counts as DOWN from ' in table
    etcd.put(pair.primary_state, site.UP)
    shown(running, pair, lambda resource: not pending(resource))
    assert etcd.history(pair.record, since) == [], "it never counted, so nothing was written"


def test_nobody_waits_to_hear_that_both_sides_are_down(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    running = service("--fall", NEVER, "--rise", NEVER)
    etcd.wait_record(pair.record, site.record())
    etcd.put(pair.primary_state, site.DOWN)
    shown(running, pair, pending)
    etcd.put(pair.secondary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN", "DOWN"))
    etcd.put(pair.secondary_state, site.UP)
    resource = shown(running, pair, pending)
    assert (resource["status"], resource["active"], pending(resource)) == ("DOWN", None, {"secondary": "UP"})


def test_what_stays_so_counts_in_the_end(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys(primary=site.DOWN))
    service("--fall", "0.3", "--rise", "0.2")
    etcd.wait_record(pair.record, site.record("DOWN", "UP"))  # a cold start waits for nothing
    etcd.put(pair.primary_state, site.UP)
    etcd.wait_record(pair.record, site.record("UP", "UP"))
    etcd.put(pair.secondary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))


def test_a_type_and_an_entry_of_a_template_have_times_of_their_own(etcd: Etcd, service: StartService) -> None:
    pair, other = site.HaInterface(), site.HaInterface(plural="routers")
    text = site.PAIR.replace("secondary:\n", "  fall: 0\nsecondary:\n")
    etcd.txn(site.template("ha_interface_monitoring", text) | site.template("router_monitoring", site.PAIR))
    etcd.txn(pair.keys() | other.keys())
    running = service("--fall", "0", "--fall-by-type", f"ha_interface={NEVER}")
    etcd.wait_record(other.record, site.record())
    etcd.wait_record(pair.record, site.record())
    etcd.put(pair.secondary_state, site.DOWN)
    shown(running, pair, lambda resource: pending(resource) == {"secondary": "DOWN"})
    etcd.put(other.secondary_state, site.DOWN)
    etcd.wait_record(other.record, site.record("UP", "DOWN"))
    etcd.put(pair.secondary_state, site.UP)
    etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN", "UP"))


def test_a_side_that_turns_too_often_is_held_down(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    running = service("--flap-turns", "2", "--flap-window", NEVER)
    etcd.wait_record(pair.record, site.record())
    for state, status in ((site.DOWN, "DOWN"), (site.UP, "UP"), (site.DOWN, "DOWN")):
        etcd.put(pair.primary_state, state)
        etcd.wait_record(pair.record, site.record(status))
    etcd.put(pair.primary_state, site.UP)
    resource = shown(running, pair, lambda resource: resource["entries"]["primary"]["flapping"])
    assert (resource["status"], resource["active"]) == ("DEGRADED", "secondary")
    assert resource["entries"]["primary"]["reason"] == (
        "flapping: more than 2 turns in 3600 s; held DOWN until 3600 s without one"
    )
    assert etcd.record(pair.record) == site.record("DOWN", "UP")


def test_a_time_that_is_none_is_a_problem(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    text = site.PAIR.replace("secondary:\n", "  rise: soon\nsecondary:\n")
    etcd.txn(site.template("ha_interface_monitoring", text) | pair.keys())
    resource = shown(service(), pair, lambda resource: resource["problem"])
    assert resource["problem"] == "entry 'primary': its rise is 'soon', not a number of seconds from 0 on"
