"""``--on-blind``: while etcd can't be heard, every face says what the operator chose, and records stay."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.service.test_damping import shown
from tests.support import site

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.service import Service

PATIENCE = 30.0


def until_probe(service: Service, pair: site.HaInterface, status: int, type_: str = "ha_interface") -> Any:
    """Ask the probe until it answers so."""
    give_up = time.monotonic() + PATIENCE
    while (answer := service.get(f"/probe/{type_}/{pair.id}?active=primary"))[0] != status:
        assert time.monotonic() < give_up, answer
        time.sleep(0.02)
    return json.loads(answer[1])


@pytest.mark.parametrize("policy", ["down", "unknown"])
def test_a_neighbour_is_not_told_that_it_is_active_on_stale_grounds(
    own_etcd: Etcd, service: StartService, tmp_path: Path, policy: str
) -> None:
    pair, path = site.HaInterface(), tmp_path / "status.json"
    own_etcd.txn(site.ha_template() | pair.keys())
    running = service(
        "--on-blind", policy, "--blind-grace", "0.5", "--status-file", str(path), etcd=own_etcd
    )  # fmt: skip
    own_etcd.wait_record(pair.record, site.record())
    until_probe(running, pair, 200)
    own_etcd.kill()
    status = policy.upper()
    assert until_probe(running, pair, 503) == {"ok": False, "status": status, "active": None, "stale": True}
    resource = shown(running, pair, lambda resource: resource["blind"])
    assert (resource["status"], resource["active"], resource["stale"]) == (status, None, True)
    assert {entry["status"] for entry in resource["entries"].values()} == {status}
    assert resource["entries"]["primary"]["reason"].endswith(f"--on-blind says {policy}; it was UP")
    assert running.json("/api/v1/summary")["ha_interface"][status] == 1
    assert running.json(f"/api/v1/resources?status={status}")["total"] == 1
    assert running.json("/api/v1/map")["types"][0]["codes"] == ("X" if policy == "down" else "?")
    assert 'ha_monitor_blind{type="ha_interface"} 1.0' in running.get("/metrics")[1].decode()
    give_up = time.monotonic() + PATIENCE
    while (said := json.loads(path.read_bytes())["resources"]["ha_interface"][pair.id])["status"] != status:
        assert time.monotonic() < give_up, said
        time.sleep(0.02)
    own_etcd.start()
    until_probe(running, pair, 200)
    give_up = time.monotonic() + PATIENCE
    while len(changes := running.json("/api/v1/history")["changes"]) < 4:
        assert time.monotonic() < give_up, changes
        time.sleep(0.02)
    assert [(change["entry"], change["old"], change["new"]) for change in reversed(changes)] == [
        ("primary", "UP", status), ("secondary", "UP", status), ("primary", status, "UP"), ("secondary", status, "UP"),
    ]  # fmt: skip
    assert own_etcd.record(pair.record) == site.record()
    assert len(own_etcd.history(pair.record, 1)) == 1, "records are left as they are"


def test_what_happened_meanwhile_is_told_once_etcd_is_heard(own_etcd: Etcd, service: StartService) -> None:
    pair, gone = site.HaInterface("a"), site.HaInterface("b")
    own_etcd.txn(site.ha_template() | pair.keys() | gone.keys())
    running = service("--on-blind", "unknown", "--blind-grace", "0", etcd=own_etcd)
    own_etcd.wait_record(pair.record, site.record())
    own_etcd.freeze()
    shown(running, pair, lambda resource: resource["blind"])
    with httpx.Client(base_url=running.url, timeout=10.0) as client:
        while len(client.get("/api/v1/history").json()["changes"]) < 4:
            pass
    own_etcd.thaw()
    own_etcd.txn({pair.primary_state: site.DOWN}, [gone.config])
    own_etcd.wait_record(pair.record, site.record("DOWN", "UP"))
    resource = shown(running, pair, lambda resource: not resource["blind"] and resource["status"] == "DEGRADED")
    assert resource["active"] == "secondary"
    give_up = time.monotonic() + PATIENCE
    last: dict[tuple[str, str], str | None] = {}
    while last != {
        ("a", "primary"): "DOWN",
        ("a", "secondary"): "UP",
        ("b", "primary"): None,
        ("b", "secondary"): None,
    }:
        assert time.monotonic() < give_up, last
        changes = running.json("/api/v1/history")["changes"]
        last = {(change["id"], change["entry"]): change["new"] for change in reversed(changes)}
        time.sleep(0.02)


def test_a_type_may_have_a_policy_of_its_own(own_etcd: Etcd, service: StartService, tmp_path: Path) -> None:
    pair, other = site.HaInterface(), site.HaInterface(plural="routers")
    own_etcd.txn(site.ha_template() | site.template("router_monitoring", site.PAIR) | pair.keys() | other.keys())
    config = tmp_path / "config.yaml"
    config.write_text("on-blind: down\nblind-grace: 3600\nblind-grace-by-type: {ha_interface: 0.5, router: 0.5}\n"
                      "on-blind-by-type: {router: hold}\n")  # fmt: skip
    running = service("--config", str(config), etcd=own_etcd)
    until_probe(running, other, 200, "router")
    own_etcd.kill()
    until_probe(running, pair, 503)
    held = shown(running, other, lambda resource: resource["stale"], "router")
    assert (held["status"], held["active"], held["blind"]) == ("UP", "primary", False)
    until_probe(running, other, 200, "router")
