"""``plan``: what a file of keys would change, told before it is put."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.etcd import Etcd

STATES = "/monitoring/v2.0/er_physical_interfaces"
RECORDS = "/monitoring/v2.0/ha_interfaces"
CONFIGS = "/config/v2.0/ha_interfaces"
TEMPLATE = site.template_key("ha_interface_monitoring")


def pair(name: str) -> site.HaInterface:
    return site.HaInterface(name, f"{name}-p", f"{name}-s")


def gateway(name: str, below: str) -> dict[str, Any]:
    return {f"/config/v2.0/vpn_gateways/{name}": site.envelope({"id": name, "downlink_interface_id": below})}


BELOW = [
    site.ha_template(), site.gateway_template(), pair("a").keys(), pair("b").keys(secondary=site.DOWN),
    pair("c").keys(version="x"), gateway("vpn", "a"),
]  # fmt: skip
SITE: dict[str, Any] = {key: value for keys in BELOW for key, value in keys.items()}


class Planned(NamedTuple):
    """What the command said."""

    code: int
    text: str
    notes: str
    items: list[dict[str, Any]]

    def of(self, type_: str, id_: str) -> dict[str, Any]:
        (item,) = [item for item in self.items if (item["type"], item["id"]) == (type_, id_)]
        return item

    @property
    def changes(self) -> dict[str, str]:
        return {f"{item['type']}/{item['id']}": item["change"] for item in self.items}


class Plans:
    """Plans on an etcd with :data:`SITE`."""

    def __init__(self, etcd: Etcd, folder: Path) -> None:
        self.etcd, self._file = etcd, folder / "change.json"
        etcd.txn(SITE)

    def __call__(self, changes: object, *arguments: str) -> Planned:
        self._file.write_text(json.dumps(changes))
        line = ("plan", str(self._file), "--etcd", self.etcd.url, *arguments)
        before = self.etcd.revision()
        said, listed = command(*line), command(*line, "--json")
        assert self.etcd.revision() == before, "nothing is written"
        assert said.returncode == listed.returncode, (said, listed)
        items = json.loads(listed.stdout) if listed.returncode < 2 else []
        return Planned(said.returncode, said.stdout.decode(), said.stderr.decode(), items)


@pytest.fixture
def plan(etcd: Etcd, tmp_path: Path) -> Plans:
    return Plans(etcd, tmp_path)


def test_no_change_ends_with_0(plan: Plans) -> None:
    for changes in ({}, {TEMPLATE: SITE[TEMPLATE]}, {f"{STATES}/stranger": site.DOWN}, {f"{STATES}/nobody": None}):
        planned = plan(changes)
        assert (planned.code, planned.items) == (0, [])
        assert planned.text == "nothing changes of 4 resources\n"
    assert f"note: {TEMPLATE} is so already" in plan({TEMPLATE: SITE[TEMPLATE]}).notes


def test_a_state_reaches_what_hangs_on_the_record_above_it(plan: Plans) -> None:
    planned = plan({f"{STATES}/a-p": site.DOWN})
    assert planned.code == 1
    assert planned.changes == {
        "ha_interface/a": 'UP -> DEGRADED (active: primary -> secondary; primary: UP -> DOWN: interface is "DOWN")',
        "vpn_gateway/vpn": 'UP -> DOWN (active: downlink -> none; downlink: UP -> DOWN: primary is "DOWN")',
    }
    assert planned.of("vpn_gateway", "vpn")["before"]["record"] == {"downlink": "UP", "version": 1}
    assert planned.of("vpn_gateway", "vpn")["after"] == {
        "status": "DOWN", "active": None, "problem": None, "record": {"downlink": "DOWN", "version": 1},
        "entries": {"downlink": {"status": "DOWN", "reason": 'primary is "DOWN"', "unknown_for": None}},
    }  # fmt: skip
    lines = planned.text.splitlines()
    assert lines == [
        f"vpn_gateway/vpn: {planned.changes['vpn_gateway/vpn']}",
        "    record downlink: UP -> DOWN",
        f"ha_interface/a: {planned.changes['ha_interface/a']}",
        "    record primary: UP -> DOWN",
        "2 of 4 resources change: 1 UP -> DOWN, 1 UP -> DEGRADED",
    ]


def test_it_makes_no_difference_whether_what_is_due_stands_there(plan: Plans) -> None:
    changes = {f"{STATES}/a-p": site.DOWN}
    bare = plan(changes).items
    plan.etcd.txn({
        f"{RECORDS}/a": site.record(), f"{RECORDS}/b": site.record("UP", "DOWN"),
        "/monitoring/v2.0/vpn_gateways/vpn": {"downlink": "UP", "version": 1},
    })  # fmt: skip
    assert plan(changes).items == bare
    assert plan({f"{RECORDS}/a": '{"foreign":1}'}).items == [], "it is put right at once"


def test_a_state_that_goes_is_unknown_at_first_and_fail_in_the_end(plan: Plans) -> None:
    planned = plan({f"{STATES}/a-s": None}, "--state-timeout", "7")
    change = "UP -> DEGRADED (secondary: UP -> FAIL: no state, UNKNOWN for 7 s before)"
    assert planned.changes["ha_interface/a"] == change
    assert planned.of("ha_interface", "a")["after"]["entries"]["secondary"]["unknown_for"] == 7


def test_a_template_that_breaks_and_one_that_heals(plan: Plans) -> None:
    broken = site.template("ha_interface_monitoring", "primary:\n  type: no_such_reader\n")
    planned = plan(broken)
    words = "entry 'primary' has the unknown type 'no_such_reader'"
    assert planned.changes["ha_interface/a"] == f"UP -> problem ({words})"
    assert planned.of("ha_interface", "a")["after"]["record"] is None
    assert "    record deleted once the problem has lasted for 60 s: " in planned.text
    assert planned.of("vpn_gateway", "vpn")["after"]["entries"]["downlink"]["status"] == "FAIL", "the record is gone"
    assert "ha_interface/c" not in planned.changes, "its version is the problem before and after"
    unparsable = plan(site.template("ha_interface_monitoring", "{% if %}"))
    assert unparsable.items[0]["template"] == "ha_interface_monitoring"
    assert unparsable.items[0]["before"] == {"problem": None}
    assert "line 1" in unparsable.items[0]["after"]["problem"]
    assert "; 1 template with another problem" in unparsable.text
    plan.etcd.txn(broken)
    healed = plan(site.ha_template())
    assert healed.changes["ha_interface/a"].startswith("problem -> UP (")
    assert healed.of("ha_interface", "a")["after"]["record"] == site.record()
    assert healed.code == 1


def test_a_template_with_other_entries_gives_other_records(plan: Plans) -> None:
    planned = plan(site.template("ha_interface_monitoring", site.PAIR.replace("secondary:", "standby:")))
    assert planned.changes["ha_interface/b"] == (
        'DEGRADED as before (standby: DOWN: interface is "DOWN"; secondary: gone)'
    )
    assert planned.of("ha_interface", "b")["after"]["record"] == {"primary": "UP", "standby": "DOWN", "version": 1}
    assert "secondary: DOWN -> none, standby: none -> DOWN" in planned.text


def test_a_template_that_ends_ends_its_records(plan: Plans) -> None:
    for changes in ({TEMPLATE: None}, {TEMPLATE: {**SITE[TEMPLATE], "marked_for_deletion": True}}):
        planned = plan(changes)
        assert {name: planned.changes[name] for name in ("ha_interface/a", "ha_interface/c")} == {
            "ha_interface/a": "UP -> gone", "ha_interface/c": "problem -> gone"
        }  # fmt: skip
        assert planned.of("ha_interface", "a")["after"]["record"] is None
        assert planned.of("vpn_gateway", "vpn")["after"]["entries"]["downlink"]["status"] == "FAIL"


def test_configs_that_come_change_and_go(plan: Plans) -> None:
    planned = plan({f"{CONFIGS}/b": None, f"{CONFIGS}/a": pair("a").envelope(2), **pair("new").keys()})
    assert planned.changes == {
        "ha_interface/b": "DEGRADED -> gone",
        "ha_interface/a": "UP as before",
        "ha_interface/new": "new -> UP (primary: UP: every dependency is up; secondary: UP: every dependency is up)",
    }
    assert planned.of("ha_interface", "a")["after"]["record"] == site.record(version=2)
    assert "    record version: 1 -> 2" in planned.text
    assert "    record deleted: " in planned.text
    assert '    record new: {"primary":"UP","secondary":"UP","version":1}' in planned.text
    assert (
        plan({f"{CONFIGS}/c": pair("c").envelope(4)}).changes["ha_interface/c"].startswith("problem -> FAIL") is False
    )
    assert plan({f"{CONFIGS}/c": pair("c").envelope(4)}).changes["ha_interface/c"].startswith("problem -> UP")
    gone = plan({f"{CONFIGS}/a": None})
    assert gone.changes["vpn_gateway/vpn"].startswith("UP -> problem (")


def test_another_workers_record_is_left(plan: Plans) -> None:
    plan.etcd.txn({f"{RECORDS}/a": site.record()})
    planned = plan(
        site.template("ha_interface_monitoring", site.PAIR + "session:\n  type: bgp_session\n  host: 192.0.2.1\n")
    )
    item = planned.of("ha_interface", "a")
    assert item["after"]["entries"]["session"]["status"] == "UNKNOWN"
    assert item["after"]["record"] is None, "it was ours, and is given up"


def test_a_record_that_the_change_writes_itself_is_left_where_none_is_due(plan: Plans) -> None:
    plan.etcd.txn({f"{RECORDS}/a": site.record()})
    broken = {f"{CONFIGS}/a": {"version": 2, "marked_for_deletion": False}}
    assert plan(broken).of("ha_interface", "a")["after"]["record"] is None
    foreign = {**site.record(), "foreign": True}
    assert plan({f"{RECORDS}/a": foreign, **broken}).of("ha_interface", "a")["after"]["record"] == foreign


@pytest.mark.parametrize(
    ("is_frozen", "change", "course"),
    [
        (False, {}, None),
        (False, {f"{STATES}/a-p": site.DOWN}, "UP -> DEGRADED"),
        (False, {f"{CONFIGS}/a": {"version": 2, "marked_for_deletion": False}}, "UP -> problem"),
        (False, {f"{CONFIGS}/a": None}, "UP -> gone"),
        (False, {TEMPLATE: None}, "UP -> gone"),
        (True, {f"{CONFIGS}/a": None}, "UP -> gone"),
    ],
    ids=["freeze", "state", "problem", "config", "template", "frozen before"],
)
def test_a_record_that_is_frozen_stays_and_whatever_reads_it_goes_by_it(
    plan: Plans, is_frozen: bool, change: dict[str, Any], course: str | None
) -> None:
    by_record = "downlink:\n  type: etcd_reader\n  etcd_type: ha_interface\n  etcd_id: {{ below }}\n"
    freeze = {"/ha_monitor/maintenance/ha_interface/a": {"reason": "new line card"}}
    plan.etcd.txn(
        site.template("vpn_gateway_monitoring", by_record, {"below": {"field": "downlink_interface_id"}})
        | {f"{RECORDS}/a": site.record()}
        | (freeze if is_frozen else {})
    )
    planned = plan(change if is_frozen else {**freeze, **change})
    assert "vpn_gateway/vpn" not in planned.changes
    if course is None:
        assert planned.items == []
        return
    item = planned.of("ha_interface", "a")
    assert item["change"].startswith(course)
    assert (item["before"]["record"], item["after"]["record"]) == (site.record(), site.record())
    assert "    record stays as it is" in planned.text


def test_the_form_of_gohan_and_none_at_all(plan: Plans) -> None:
    changes = {f"{STATES}/a-p": site.DOWN}
    record = plan(changes, "--publish", "gohan").of("ha_interface", "a")["after"]["record"]
    assert record == {"monitoring": "DEGRADED", "version": 1}
    only_watched = plan(changes, "--publish", "none")
    assert only_watched.of("ha_interface", "a")["after"]["record"] is None
    assert "vpn_gateway/vpn" not in only_watched.changes, "nobody publishes what it reads"
    plan.etcd.txn({f"{RECORDS}/a": site.record()})
    written = plan({f"{RECORDS}/a": site.record("DOWN", "UP")}, "--publish", "none")
    assert written.changes["vpn_gateway/vpn"].startswith("UP -> DOWN"), "somebody else does"


def test_keys_that_nobody_watches_are_told(plan: Plans) -> None:
    planned = plan({"/config/v2.0/ha_interface/typo": {}, "/elsewhere": 1, f"{CONFIGS}/a/deeper": 1})
    assert planned.code == 0
    for key in ("/config/v2.0/ha_interface/typo", "/elsewhere", f"{CONFIGS}/a/deeper"):
        assert f"note: {key} has no effect: nothing that is monitored watches it" in planned.notes


def test_a_file_in_the_place_of_an_etcd(plan: Plans, tmp_path: Path) -> None:
    data = tmp_path / "site.json"
    data.write_text(json.dumps(SITE))
    changes = {f"{STATES}/a-p": site.DOWN, f"{CONFIGS}/b": None}
    file = tmp_path / "other.json"
    file.write_text(json.dumps(changes))
    ended = command("plan", str(file), "--data", str(data), "--json")
    assert json.loads(ended.stdout) == plan(changes).items
    assert command("plan", "-", "--data", str(data), "--json", stdin=file.read_bytes()).stdout == ended.stdout


def test_file_and_data_can_not_both_be_standard_input() -> None:
    ended = command("plan", "-", "--data", "-", stdin=b"{}")
    assert ended.returncode == 2
    assert b"FILE and --data can't both be standard input" in ended.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[1]", "one JSON object"),
        ('{"": 1}', "a key is empty"),
        ('{"\\ud800": 1}', "half of a surrogate pair"),
    ],
)
def test_nonsense_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "nonsense.json"
    file.write_text(text)
    ended = command("plan", str(file), "--etcd", "http://127.0.0.1:1")
    assert ended.returncode == 2
    assert words in ended.stderr.decode()
    assert command("plan", str(tmp_path / "nowhere.json")).returncode == 2


def test_records_that_read_each_other_settle(plan: Plans) -> None:
    """A pair of gateways, each on the other's record: DOWN for good once they are, and the rounds come to an end."""
    ring = site.template(
        "ring_monitoring", "next:\n  type: etcd_reader\n  etcd_type: ring\n  etcd_id: {{ next_id }}\n",
        {"next_id": {"field": "next_id"}},
    )  # fmt: skip
    ring |= {f"/config/v2.0/rings/{n}": site.envelope({"id": str(n), "next_id": str((n + 1) % 5)}) for n in range(5)}
    planned = plan(ring)
    assert {item["after"]["status"] for item in planned.items} == {"DOWN"}
    assert len(planned.items) == 5


def test_hundreds_that_change_alike_are_told_together(plan: Plans) -> None:
    for number in range(300):
        plan.etcd.txn(pair(f"many{number:03}").keys())
    broken = site.template("ha_interface_monitoring", "notes:\n  - x\n")
    planned = plan(broken)
    lines = planned.text.splitlines()
    assert lines[-1].startswith("303 of 304 resources change: ")
    assert any(line.startswith("301 x ha_interface: UP -> problem") for line in lines)
    assert len([line for line in lines if line.startswith("ha_interface/many")]) < 25
    assert any("more of them; --all shows them" in line for line in lines)
    assert len(planned.items) == 303
    everything = plan(broken, "--all").text.splitlines()
    assert len([line for line in everything if line.startswith("ha_interface/many")]) == 300
