"""A record is put once more, unchanged, when the state of its resource comes after it: gohan looks only then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ha_monitor.settings import LAYOUTS, Settings, SiteLayout
from tests.support import site
from tests.support.gohan import report
from tests.support.service import command

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.service import Service


class Resource:
    """One HA interface in an etcd, with the keys of a layout."""

    def __init__(self, etcd: Etcd, layout: SiteLayout = "esi") -> None:
        settings, pair = Settings(layout=layout), site.HaInterface()
        self.etcd, self.id, self.config = etcd, pair.id, pair.config
        self.record = f"{settings.publish_prefix}/v2.0/ha_interfaces/{pair.id}"
        self.state = f"{settings.state_prefix}/v2.0/ha_interfaces/{pair.id}"
        self.is_gohans = layout == "gohan"
        sides = f"{settings.monitoring_prefix}/v2.0/er_physical_interfaces/"
        self.primary_state = sides + pair.primary
        self.keys = {pair.config: pair.envelope(), self.primary_state: site.UP, sides + pair.secondary: site.UP}
        self._pair = pair

    def update(self, version: int) -> None:
        """Give it a config of another version."""
        self.etcd.put(self.config, self._pair.envelope(version))

    def report(self, version: int, error: str = "") -> None:
        """Have its worker report that it has built a version."""
        self.etcd.put(self.state, report(version, error))

    def wait(self, version: int = 1) -> int:
        """Wait until its record is that of a version with everything up; give the mod_revision."""
        due: Any = {"monitoring": "UP", "version": version} if self.is_gohans else site.record(version=version)
        self.etcd.wait_record(self.record, due)
        return self.etcd.mod_revision(self.record)

    def wait_after(self, revision: int) -> int:
        """Wait until its record was put after a revision; give the revision of that."""
        self.etcd.wait(self.record, lambda _: self.etcd.mod_revision(self.record) > revision)
        return self.etcd.mod_revision(self.record)


def settled(etcd: Etcd, running: Service) -> int:
    """Wait until all that was written so far is known and nothing is left to be written; give the revision."""
    marker = Resource(etcd)
    etcd.txn(marker.keys)
    marker.wait()
    etcd.delete(marker.config)
    etcd.wait_record(marker.record, None)
    running.wait_ready()
    return etcd.revision()


@pytest.mark.parametrize("layout", ["esi", "gohan"])
def test_the_record_is_put_once_more_when_the_state_comes_after_it(
    etcd: Etcd, service: StartService, layout: SiteLayout
) -> None:
    it = Resource(etcd, layout)
    etcd.txn(site.ha_template() | it.keys)
    running = service("--layout", layout)
    first = it.wait()
    it.report(1)
    again = it.wait_after(etcd.mod_revision(it.state))
    assert it.wait() == again > first
    it.update(2)
    at_once = it.wait(2)
    it.report(1)
    it.report(2, "lost")
    again = it.wait_after(etcd.mod_revision(it.state))
    assert it.wait(2) == again > at_once
    told = running.json(f"/api/v1/resources/ha_interface/{it.id}")
    assert told["take_up"] == {
        "done": True, "words": "published; gohan takes it up", "state_version": 2, "state_error": "lost",
    }  # fmt: skip
    assert told["problem"] is None


def test_a_state_of_another_version_and_one_that_the_record_follows_already_put_nothing(
    etcd: Etcd, service: StartService
) -> None:
    it = Resource(etcd)
    etcd.txn(site.ha_template() | it.keys)
    it.report(1)
    running = service()
    record = it.wait()
    assert record > etcd.mod_revision(it.state)
    for version in (0, 2):
        it.report(version)
    etcd.put(it.state, "no JSON")
    etcd.put(it.state, {"version": True})
    etcd.delete(it.state)
    settled(etcd, running)
    assert etcd.mod_revision(it.record) == record
    etcd.put(it.state, '{"version": 1.5}')  # which gohan reads as 1
    assert it.wait_after(record) > etcd.mod_revision(it.state)


def test_a_restart_puts_what_is_due_and_nothing_else(etcd: Etcd, service: StartService) -> None:
    due, done = Resource(etcd), Resource(etcd)
    etcd.txn(site.ha_template() | due.keys | done.keys)
    running = service()
    due.wait()
    done.report(1)
    done.wait_after(etcd.mod_revision(done.state))
    running.stop()
    due.report(1)
    before = etcd.mod_revision(done.record)
    running = service()
    due.wait_after(etcd.mod_revision(due.state))
    settled(etcd, running)
    assert etcd.mod_revision(done.record) == before
    again = etcd.mod_revision(due.record)
    running.stop()
    settled(etcd, service())
    assert (etcd.mod_revision(done.record), etcd.mod_revision(due.record)) == (before, again)


@pytest.mark.parametrize("options", [("--state-prefix", ""), ("--publish", "none"), ("--state-prefix", "/monitoring")])
def test_without_states_to_follow_none_is_watched(etcd: Etcd, service: StartService, options: tuple[str, ...]) -> None:
    it = Resource(etcd)
    etcd.txn(site.ha_template() | it.keys | {it.record: site.record()})
    it.report(1)
    running = service(*options)
    record = etcd.mod_revision(it.record)
    it.report(1)
    assert running.json(f"/api/v1/resources/ha_interface/{it.id}")["take_up"] is None
    assert b"/state/" not in running.get("/metrics")[1]
    assert etcd.mod_revision(it.record) == record


def test_explain_tells_how_far_gohan_is(etcd: Etcd, service: StartService) -> None:
    it = Resource(etcd)
    etcd.txn(site.ha_template() | it.keys)
    running = service()
    it.wait()
    it.report(1, "no such device")
    it.wait_after(etcd.mod_revision(it.state))
    it.update(2)
    it.wait(2)
    words = "published; gohan's state is at version 1 of 2"
    told = running.json(f"/api/v1/explain/ha_interface/{it.id}")
    assert (told["record"]["state"], told["record"]["why"]) == ("right", words)
    assert told["record"]["worker_state"] == {"key": it.state, "revision": etcd.mod_revision(it.state)}
    assert told["resource"]["take_up"]["words"] == words
    assert told["notes"] == ["its worker reports an error for version 1: no such device"]
    for asked in (("--url", running.url), ("--etcd", etcd.url)):
        said = command("explain", "ha_interface", it.id, *asked).stdout.decode()
        assert f"record    {words}\n" in said
        assert it.state in said
        assert "its worker reports an error for version 1: no such device" in said
    running.stop()
    it.report(2)
    told = json.loads(command("explain", "ha_interface", it.id, "--etcd", etcd.url, "--json").stdout)["record"]
    assert (told["state"], told["why"]) == ("due", "published; it is put again, since gohan's state came after it")


def test_a_state_is_followed_where_states_are_read_at_the_same_prefix(etcd: Etcd, service: StartService) -> None:
    """With ``--state-source state``, a gateway reads the worker's state of the pair below it."""
    it = Resource(etcd)
    sides = {key.replace("/monitoring/", "/state/"): report(1) for key in it.keys if key.startswith("/monitoring/")}
    gateway = {"/config/v2.0/vpn_gateways/v": site.envelope({"id": "v", "downlink_interface_id": it.id})}
    etcd.txn(site.ha_template() | site.gateway_template() | {it.config: it.keys[it.config]} | sides | gateway)
    running = service("--state-source", "state", "--state-timeout", "0.1")
    it.wait()
    it.report(1)
    it.wait_after(etcd.mod_revision(it.state))
    etcd.wait_record(site.monitoring_key("vpn_gateways", "v"), {"downlink": "UP", "version": 1})
    assert running.get("/metrics")[1].count(b'ha_monitor_etcd_events_total{prefix="/state/v2.0/ha_interfaces/"}') == 1


def test_a_layout_that_is_not_one_is_refused() -> None:
    refused = command("run", "--layout", "other")
    assert refused.returncode == 2
    assert b"layout: 'other'" in refused.stderr
    assert set(LAYOUTS) == {"esi", "gohan"}
