"""``ha-monitor explain``: what is pending, flapping, frozen, or said in the place of a verdict, on a real etcd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.service.test_damping import NEVER, pending, shown
from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.service import Service


def explained(service: Service, pair: site.HaInterface) -> Any:
    ended = command("explain", "ha_interface", pair.id, "--url", service.url, "--json")
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_why_a_side_that_is_down_still_counts_as_up(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("tokyo-1")
    etcd.txn(site.ha_template() | pair.keys(secondary=site.DOWN))
    running = service("--fall", NEVER, "--rise", NEVER)
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))
    etcd.put(pair.secondary_state, site.UP)
    shown(running, pair, pending)
    said = explained(running, pair)
    assert said["summary"].endswith("primary is active, secondary is DOWN")
    assert any(note.startswith("secondary is UP already, and counts as such in 5") for note in said["notes"])
    assert said["heals"] == ["secondary: it has to stay as it is"]
    assert said["record"]["state"] == "right"


def test_why_a_side_that_is_up_is_held_down(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("tokyo-1")
    etcd.txn(site.ha_template() | pair.keys())
    running = service("--flap-turns", "1", "--flap-window", NEVER)
    etcd.wait_record(pair.record, site.record())
    for state in (site.DOWN, site.UP):
        etcd.put(pair.primary_state, state)
        etcd.wait_record(pair.record, site.record("DOWN"))  # from the first turn on, and for good
    shown(running, pair, lambda resource: resource["entries"]["primary"]["flapping"])
    said = explained(running, pair)
    assert said["notes"] == ["primary is flapping: it changed too often, and is held DOWN until it is quiet"]
    assert said["heals"] == ["primary: it has to turn no more for a while"]


def test_why_a_record_is_not_written_in_maintenance(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("tokyo-1")
    etcd.txn(site.ha_template() | pair.keys())
    running = service()
    etcd.wait_record(pair.record, site.record())
    etcd.put("/ha_monitor/maintenance/ha_interface/tokyo-1", {"reason": "new line card"})
    shown(running, pair, lambda resource: resource["maintenance"])
    etcd.put(pair.primary_state, site.DOWN)
    shown(running, pair, lambda resource: resource["status"] == "DEGRADED")
    for said in (explained(running, pair), json.loads(command(
        "explain", "ha_interface", "tokyo-1", "--etcd", etcd.url, "--json"
    ).stdout)):  # fmt: skip
        assert "in maintenance until further notice: new line card; its record and hooks are frozen" in said["notes"]
        assert said["record"]["state"] == "held"
        assert said["record"]["why"] == "another one should stand there; it is in maintenance, and left as it is"


def test_what_is_said_while_nothing_is_heard_is_no_verdict(own_etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("tokyo-1")
    own_etcd.txn(site.ha_template() | pair.keys())
    running = service("--on-blind", "down", "--blind-grace", "0.2", etcd=own_etcd)
    own_etcd.kill()
    shown(running, pair, lambda resource: resource["blind"])
    said = explained(running, pair)
    assert said["summary"] == (
        "ha_interface tokyo-1 is shown as DOWN: etcd can't be heard, and its last verdict no longer counts"
    )
    assert said["rule"] == "nothing counts that was heard before: DOWN"
    assert said["why"][0].startswith("primary: not proven for ")
    assert said["heals"] == ["etcd has to be heard again"]
    assert any("can't be vouched for" in note for note in said["notes"])


def test_a_plan_leaves_a_frozen_record_as_it_is(etcd: Etcd, tmp_path: Any) -> None:
    pair, other = site.HaInterface("tokyo-1"), site.HaInterface("tokyo-2")
    etcd.txn(
        site.ha_template() | pair.keys() | other.keys() | {pair.record: site.record(), other.record: site.record()}
    )
    etcd.put("/ha_monitor/maintenance/ha_interface/tokyo-1", {"reason": "new line card"})
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({pair.primary_state: site.DOWN, other.primary_state: site.DOWN}))
    ended = command("plan", str(file), "--etcd", etcd.url, "--json")
    assert ended.returncode == 1, ended.stderr
    changes = {change["id"]: change for change in json.loads(ended.stdout)}
    assert changes["tokyo-1"]["after"]["status"] == "DEGRADED"
    assert changes["tokyo-1"]["after"]["record"] == site.record()
    assert changes["tokyo-2"]["after"]["record"] == site.record("DOWN")
    file.write_text(json.dumps({"/ha_monitor/maintenance/ha_interface/tokyo-1": None}))
    ended = command("plan", str(file), "--etcd", etcd.url, "--json")
    assert (ended.returncode, ended.stderr) == (0, b"")
