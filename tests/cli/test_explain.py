"""``explain`` as people ask it: the first lines answer, for every status and problem that there is."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.faults.operate import disarm, raise_no_space
from tests.support import site
from tests.support.etcd import Etcd
from tests.support.group import Group
from tests.support.service import Service, command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartService

PATIENCE = 30.0  # seconds
STATES = "/monitoring/v2.0/er_physical_interfaces"
THREE = site.PAIR + "third:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n  etcd_id: {{ third_id }}\n"
THREE_MAPPINGS = {**site.PAIR_MAPPINGS, "third_id": {"field": "third_id"}}


class Case(NamedTuple):
    """What stands in etcd besides the templates, and words that the first lines have in this order."""

    keys: dict[str, Any]
    words: list[str]
    type: str = "ha_interface"


def pair(name: str, primary: object = site.UP, secondary: object = site.UP, **more: Any) -> dict[str, Any]:
    return site.HaInterface(name, f"{name}-p", f"{name}-s").keys(primary, secondary, **more)


def config(plural: str, id_: str, **body: Any) -> dict[str, Any]:
    return {site.config_key(plural, id_): site.envelope({"id": id_, **body})}


def broken(kind: str, text: str, mappings: dict[str, Any] | None = None) -> dict[str, Any]:
    """Give a type with a template of its own, and one resource of it, both of this name."""
    resource = site.HaInterface(kind, "x-p", "x-s", plural=f"{kind}s")
    return site.template(f"{kind}_monitoring", text, mappings) | {resource.config: resource.envelope()}


CASES = {
    "up": Case(pair("up"), ["ha_interface up is UP for ", ": primary is active", "both entries UP: UP"]),
    "failover": Case(
        pair("failover", site.DOWN),
        [
            "ha_interface failover is DEGRADED for ", ": secondary is active, primary is DOWN",
            "one entry UP, one DOWN: DEGRADED",
            f'primary is DOWN for \\S.*: interface is "DOWN" in {STATES}/failover-p',
            f"heals primary: {STATES}/failover-p has to say UP or ACTIVE for interface",
        ],
    ),
    "degraded": Case(
        pair("degraded", secondary={"interface": "DOWN", "link": "FLAPS", "power": "UP", "version": 1}),
        [
            "is DEGRADED for ", ": primary is active, secondary is DOWN",
            f"{STATES}/degraded-s has to say UP or ACTIVE for interface and link",
        ],
    ),
    "down": Case(
        pair("down", site.DOWN, site.DOWN),
        ["is DOWN for ", ": nothing is active, primary is DOWN, secondary is DOWN", "both entries DOWN: DOWN"],
    ),
    "silent": Case(
        pair("silent", None),
        [
            "is UNKNOWN for ", ": secondary is active, primary is UNKNOWN",
            "one entry UP, one UNKNOWN: UNKNOWN, since it may come to UP or DEGRADED",
            f"primary is UNKNOWN for \\S.*: no state at {STATES}/silent-p",
            f"heals primary: {STATES}/silent-p has to come, and say UP or ACTIVE for every dependency",
            "it becomes FAIL in 4 min ",
            "record nothing is published while primary is UNKNOWN, for 4 min \\d+ s more at the most; there is none",
        ],
    ),
    "open": Case(
        pair("open", None, site.DOWN),
        ["one entry DOWN, one UNKNOWN: UNKNOWN, since it may come to DEGRADED or DOWN"],
    ),
    "dark": Case(
        pair("dark", None, None), ["both entries UNKNOWN: UNKNOWN", "while primary and secondary are UNKNOWN"]
    ),
    "garbled": Case(
        pair("garbled", "no JSON"),
        ["the state is not JSON: .* in ", f"{STATES}/garbled-p has to hold a state that can be read"],
    ),
    "empty": Case(pair("empty", "  "), [f"the state is empty in {STATES}/empty-p"]),
    "list": Case(pair("list", "[1]"), [f"the state is not an object in {STATES}/list-p"]),
    "three": Case(
        site.template("triple_monitoring", THREE, THREE_MAPPINGS)
        | config("triples", "three", primary_interface_id="t-p", secondary_interface_id="t-s", third_id="t-3")
        | {f"{STATES}/t-p": site.UP, f"{STATES}/t-s": site.DOWN},
        ["is DEGRADED", "one entry UP, one DOWN, one UNKNOWN: DEGRADED, whatever the UNKNOWN one turns out to be"],
        "triple",
    ),
    "failed": Case(
        site.reader_template("spare_port", timeout="0.2") | config("spare_ports", "failed", port_id="nowhere"),
        [
            "is DOWN", ": nothing is active, port is FAIL", "its one entry is FAIL: DOWN",
            f"port is FAIL for \\S.*: no state for 0.2 s at {STATES}/nowhere",
            f"heals port: {STATES}/nowhere has to come",
        ],
        "spare_port",
    ),
    "gate": Case(
        site.gateway_template() | config("vpn_gateways", "gate", downlink_interface_id="failover"),
        [
            "vpn_gateway gate is DOWN", 'downlink is DOWN for \\S.*: primary is "DOWN" in',
            "/monitoring/v2.0/ha_interfaces/failover \\(the record of ha_interface failover, which is DEGRADED\\)",
            "see ha-monitor explain ha_interface failover",
        ],
        "vpn_gateway",
    ),
    "astray": Case(
        config("vpn_gateways", "astray", downlink_interface_id="nobody"),
        [
            "vpn_gateway astray can't be evaluated for ", "ha_interface 'nobody' is not there",
            "heals /config/v2.0/ha_interfaces/nobody has to come",
            "record with a problem nothing is published; there is none",
        ],
        "vpn_gateway",
    ),
    "chain": Case(
        broken(
            "chain", site.PAIR + "notes:\n  - {{ ip }}\n",
            {**site.PAIR_MAPPINGS, "ip": {"field": "ip", "path": [
                {"id": "router_id", "type": "ha_interface"}, {"id": "primary_interface_id", "type": "edge_router"},
            ]}},
        )
        | config("chains", "chain", router_id="up", primary_interface_id="x-p", secondary_interface_id="x-s"),
        ["parameter 'ip': edge_router 'up-p' is not there", "heals /config/v2.0/edge_routers/up-p has to come"],
        "chain",
    ),
    "unfinished": Case(
        broken("unfinished", "primary:\n  type: etcd_reader\n  etcd_id: {{ primary_interface_id\n"),
        ["can't be evaluated", "line", "heals /config/v2.0/heat_templates/unfinished_monitoring has to change"],
        "unfinished",
    ),
    "strange": Case(
        broken("strange", "primary:\n  type: no_such_reader\n"),
        [
            "unknown type 'no_such_reader'",
            "heals /config/v2.0/stranges/strange or /config/v2.0/heat_templates/strange_monitoring has to change",
        ],
        "strange",
    ),
    "hollow": Case(broken("hollow", "notes:\n  - x\n"), ["can't be evaluated", "renders no entry"], "hollow"),
    "null": Case(
        config("ha_interfaces", "null", primary_interface_id="x", secondary_interface_id=None),
        ["its etcd_id is empty, because 'secondary_interface_id' is null",
         "heals /config/v2.0/ha_interfaces/null has to change"],
    ),
    "slash": Case(
        config("ha_interfaces", "slash", primary_interface_id="a/b", secondary_interface_id="x"),
        ["can't be evaluated", "etcd_id", "heals /config/v2.0/ha_interfaces/slash or "],
    ),
    "version": Case(
        pair("version", version="x"),
        ["the config's version is \"x\", not a whole number", "heals /config/v2.0/ha_interfaces/version has to change"],
    ),
    "text": Case(
        {site.config_key("ha_interfaces", "text"): "no JSON"},
        ["the config is not JSON", "heals /config/v2.0/ha_interfaces/text has to change"],
    ),
    "mixed": Case(
        site.template("mixed_pair_monitoring", site.PAIR + "session:\n  type: bgp_session\n  host: 192.0.2.1\n")
        | site.HaInterface("mixed", "up-p", "up-s", plural="mixed_pairs").keys(),
        [
            "mixed_pair mixed is UNKNOWN for ", "session is served by another worker", "type bgp_session",
            "record it is another worker's, since that serves session: never touched from here",
        ],
        "mixed_pair",
    ),
}  # fmt: skip


class Asked(NamedTuple):
    etcd: Etcd
    service: Service


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """A service on all cases, once everything in it has settled."""
    etcd = Etcd()
    try:
        keys = site.ha_template()
        for case in CASES.values():
            keys |= case.keys
        etcd.start().txn(keys)
        service = Service(etcd.url, "--state-timeout", "300")
        try:
            service.wait_ready()
            etcd.wait_record("/monitoring/v2.0/vpn_gateways/gate", {"downlink": "DOWN", "version": 1})
            etcd.wait_record("/monitoring/v2.0/spare_ports/failed", {"port": "FAIL", "version": 1})
            yield Asked(etcd, service)
            service.stop()
        finally:
            service.kill()
    finally:
        etcd.close()


def first_lines(*arguments: str) -> str:
    """Give the answer, in one line."""
    ended = command("explain", *arguments)
    assert ended.returncode == 0, ended.stderr
    return " ".join(ended.stdout.decode().partition("\n\n")[0].split())


def in_order(words: list[str], text: str) -> bool:
    return re.search(".*".join(words), text) is not None


@pytest.mark.parametrize("name", CASES)
def test_the_first_lines_say_why(asked: Asked, name: str) -> None:
    case = CASES[name]
    said = first_lines(case.type, name, "--url", asked.service.url)
    assert in_order(case.words, said), said


def test_every_step_has_its_key_and_its_revision(asked: Asked) -> None:
    told = asked.service.json("/api/v1/explain/vpn_gateway/gate")
    etcd, below = asked.etcd, site.config_key("ha_interfaces", "failover")

    def source(key: str) -> dict[str, Any]:
        return {"key": key, "revision": etcd.mod_revision(key)}

    assert told["config"] == source("/config/v2.0/vpn_gateways/gate")
    assert told["template"] == source(site.template_key("vpn_gateway_monitoring"))
    assert told["parameters"] == {
        "downlink_interface_id": {"value": "failover", "given": True, "sources": []},
        "router_name": {"value": None, "given": True, "sources": [source(below)]},
    }
    (state,) = told["entries"]["downlink"]["states"]
    record = site.monitoring_key("ha_interfaces", "failover")
    assert {name: state[name] for name in ("key", "revision")} == source(record)
    assert state["dependencies"] == {"primary": "DOWN", "secondary": "UP"}
    assert state["not_up"] == ["primary"]
    assert (state["record_of"], state["record_of_status"]) == ("ha_interface/failover", "DEGRADED")
    assert told["below"] == ["ha_interface/failover"]
    own = site.monitoring_key("vpn_gateways", "gate")
    assert told["record"] == {
        **source(own), "standing": '{"downlink":"DOWN","version":1}', "due": '{"downlink":"DOWN","version":1}',
        "state": "right", "why": "it is as it should be",
        "worker_state": {"key": site.state_key("vpn_gateways", "gate"), "revision": 0},
    }  # fmt: skip
    assert told["resource"] == {**asked.service.json("/api/v1/resources/vpn_gateway/gate"),
                                "revision": told["resource"]["revision"],
                                "proven_at": told["resource"]["proven_at"]}  # fmt: skip
    missing = asked.service.json("/api/v1/explain/vpn_gateway/astray")["parameters"]["router_name"]
    assert missing == {
        "value": None, "given": False, "sources": [{"key": "/config/v2.0/ha_interfaces/nobody", "revision": 0}]
    }  # fmt: skip


def test_json_is_what_the_service_answers(asked: Asked) -> None:
    printed = json.loads(command("explain", "ha_interface", "up", "--json", "--url", asked.service.url).stdout)
    answered = asked.service.json("/api/v1/explain/ha_interface/up")
    for timeless in (printed, answered):
        del timeless["summary"]
        timeless["resource"] = {**timeless["resource"], "revision": 0, "proven_at": None}
    assert printed == answered


@pytest.mark.parametrize("name", ["up", "failover", "gate", "astray", "mixed", "version"])
def test_without_a_monitor_the_same_is_said_of_an_etcd_and_of_a_file(asked: Asked, name: str, tmp_path: Path) -> None:
    type_ = CASES[name].type
    file = tmp_path / "site.json"
    file.write_text(json.dumps({key: value.decode() for key, value in asked.etcd.items().items()}))
    before = asked.etcd.revision()
    told = asked.service.json(f"/api/v1/explain/{type_}/{name}")
    etcd, data = (
        json.loads(command("explain", type_, name, "--json", *where).stdout)
        for where in (("--etcd", asked.etcd.url, "--state-timeout", "300"), ("--data", str(file)))
    )
    assert asked.etcd.revision() == before
    for same in ("config", "template", "parameters", "document", "rule", "heals", "below"):
        assert etcd[same] == told[same]
    assert {key: etcd["record"][key] for key in ("key", "revision", "standing", "state")} == {
        key: told["record"][key] for key in ("key", "revision", "standing", "state")
    }
    assert etcd["resource"]["since"] is None, "who has just looked for the first time does not know"
    assert data["config"] == {"key": told["config"]["key"], "revision": None}
    for same in ("rule", "heals", "below", "document"):
        assert data[same] == told[same]
    said = command("explain", type_, name, "--data", str(file)).stdout.decode()
    assert "revision" not in said


def test_what_a_monitor_would_write_is_told_where_none_runs(etcd: Etcd) -> None:
    etcd.txn(site.ha_template() | pair("lone", site.DOWN, None))
    said = first_lines("ha_interface", "lone", "--etcd", etcd.url)
    assert in_order(
        ["is UNKNOWN: nothing is active", "it becomes FAIL once that has lasted for 1 min",
         "record nothing is published while secondary is UNKNOWN; there is none"], said
    ), said  # fmt: skip
    etcd.txn({f"{STATES}/lone-s": site.UP, "/monitoring/v2.0/ha_interfaces/lone": site.record()})
    ended = " ".join(command("explain", "ha_interface", "lone", "--etcd", etcd.url).stdout.decode().split())
    assert "another one should stand there; a monitor that runs on this etcd will write it" in ended
    assert 'should be {"primary":"DOWN","secondary":"UP","version":1}' in ended
    off = command("explain", "ha_interface", "lone", "--etcd", etcd.url, "--publish", "none").stdout.decode()
    assert "nothing is published here (--publish none)" in off


def test_what_is_known_of_a_resource_that_is_not_there(asked: Asked) -> None:
    etcd = asked.etcd
    etcd.txn(
        site.template("alien_monitoring", site.PAIR, handler="heat_worker")
        | {
            site.config_key("ha_interfaces", "ending"): site.envelope({"id": "ending"}, marked=True),
            site.config_key("ha_interfaces", "named"): site.envelope({"id": "named", "name": "tokyo"}),
            "/monitoring/v2.0/ha_interfaces/orphan": {"foreign": 1},
            site.monitoring_key("er_physical_interfaces", "up-p"): site.UP,
        }
    )
    etcd.wait("/config", lambda items: True)
    until = time.monotonic() + PATIENCE
    while asked.service.get("/api/v1/explain/ha_interface/named")[0] != 200:
        assert time.monotonic() < until
    for type_, id_, words in (
        ("ha_interfaces", "up", ["there is no ha_interfaces up", "ha_interfaces_monitoring is not there",
                                 "perhaps ha_interface is meant", "types with a template: .*ha_interface"]),
        ("alien", "x", ["template alien_monitoring is of another handler: 'heat_worker'"]),
        ("ha_interface", "nope", ["it has no config: /config/v2.0/ha_interfaces/nope is not there",
                                  "ha_interface resources are monitored"]),
        ("ha_interface", "ending", ["its config is marked for deletion: /config/v2.0/ha_interfaces/ending, revision"]),
        ("ha_interface", "tokyo", ["that is the name of named"]),
        ("ha_interface", "orphan", ["a record of it stands at /monitoring/v2.0/ha_interfaces/orphan, revision"]),
        ("ha_interface", "a/../ü", ["there is no ha_interface a/../ü"]),
    ):  # fmt: skip
        for where in (("--url", asked.service.url), ("--etcd", etcd.url)):
            ended = command("explain", type_, id_, *where)
            assert ended.returncode == 1, ended.stdout
            said = " ".join(ended.stderr.decode().split())
            assert in_order(words, said), said
    served = command("explain", "ha_interface", "up", "--etcd", etcd.url, "--types", "vpn_gateway")
    assert served.returncode == 1
    assert b"is not served here: --types is vpn_gateway" in served.stderr


def test_wrong_usage_is_told_in_words(tmp_path: Path) -> None:
    both = command("explain", "ha_interface", "x", "--url", "http://127.0.0.1:1", "--etcd", "http://127.0.0.1:2")
    assert (both.returncode, b"give one of them" in both.stderr) == (2, True)
    nobody = command("explain", "ha_interface", "x", "--url", "http://127.0.0.1:1")
    assert (nobody.returncode, b"nobody answers at http://127.0.0.1:1" in nobody.stderr) == (1, True)
    file = tmp_path / "odd.json"
    file.write_text("[]")
    assert command("explain", "ha_interface", "x", "--data", str(file)).returncode == 2


def test_secrets_are_shown_to_nobody(etcd: Etcd) -> None:
    text = site.PAIR + "notes:\n  - {{ server_password }}\n"
    mappings = {**site.PAIR_MAPPINGS, "server_password": {"field": "server_password"}}
    resource = site.HaInterface("s", "s-p", "s-s")
    body = resource.body | {"server_password": "swordfish"}
    etcd.txn(
        site.template("ha_interface_monitoring", text, mappings)
        | resource.keys()
        | {resource.config: site.envelope(body)}
    )
    for arguments in ((), ("--json",)):
        said = command("explain", "ha_interface", "s", "--etcd", etcd.url, *arguments).stdout
        assert b"redacted" in said
        assert b"server_password" in said
        assert said.count(b"swordfish") == 0, said.decode()


def test_what_steers_a_terminal_is_written_as_it_is(etcd: Etcd) -> None:
    keys = config("ha_interfaces", "esc", primary_interface_id="\x1b[31m", secondary_interface_id="x", name="\x1b[2J")
    etcd.txn(site.ha_template() | keys)
    ended = command("explain", "ha_interface", "esc", "--etcd", etcd.url)
    assert ended.returncode == 0
    assert b"\x1b" not in ended.stdout
    assert b"\\u001b[31m" in ended.stdout


# -- why a record is not what it should be


def told_when(service: Service, path: str, state: str) -> dict[str, Any]:
    """Wait until a record is told to be so; gives the explanation."""
    until = time.monotonic() + PATIENCE
    while True:
        told: dict[str, Any] = service.json(f"/api/v1/explain/{path}")
        if told["record"]["state"] == state:
            return told
        assert time.monotonic() < until, told
        time.sleep(0.02)


def test_a_record_of_a_resource_with_a_problem_is_told_when_it_goes(etcd: Etcd, service: StartService) -> None:
    etcd.txn(site.ha_template() | pair("late"))
    running = service("--state-timeout", "300")
    etcd.wait_record("/monitoring/v2.0/ha_interfaces/late", site.record())
    etcd.put("/config/v2.0/ha_interfaces/late", "no JSON")
    told = told_when(running, "ha_interface/late", "kept")
    assert re.fullmatch(
        r"with a problem nothing is published; what stands there is deleted in (5 min|4 min \d+ s), unless it heals",
        told["record"]["why"],
    )
    assert told["record"]["standing"] == '{"primary":"UP","secondary":"UP","version":1}'


def test_an_etcd_that_is_gone_and_a_full_one_are_told(own_etcd: Etcd, service: StartService) -> None:
    own_etcd.txn(site.ha_template() | pair("stale"))
    running = service(etcd=own_etcd)
    key = "/monitoring/v2.0/ha_interfaces/stale"
    own_etcd.wait_record(key, site.record())
    raise_no_space(own_etcd)
    own_etcd.delete(key)
    told = told_when(running, "ha_interface/stale", "held")
    assert "another one should stand there; " in told["record"]["why"]
    assert "nothing can be published: " in told_until(running, "database space exceeded")["record"]["why"]
    disarm(own_etcd)
    told_when(running, "ha_interface/stale", "right")
    own_etcd.stop()
    until = time.monotonic() + PATIENCE
    while not (notes := running.json("/api/v1/explain/ha_interface/stale")["notes"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert re.match(r"what follows can't be vouched for: .*; it was right .* ago", notes[0]), notes
    assert "note what follows can't be vouched for:" in first_lines("ha_interface", "stale", "--url", running.url)
    own_etcd.start()


def told_until(service: Service, words: str) -> dict[str, Any]:
    until = time.monotonic() + PATIENCE
    while words not in (told := service.json("/api/v1/explain/ha_interface/stale"))["record"]["why"]:
        assert time.monotonic() < until, told
        time.sleep(0.02)
    return dict(told)


def test_another_writer_is_a_conflict_with_a_pause(etcd: Etcd, service: StartService) -> None:
    etcd.txn(site.ha_template() | pair("fought"))
    running = service()
    key = "/monitoring/v2.0/ha_interfaces/fought"
    etcd.wait_record(key, site.record())
    for number in range(5):
        etcd.put(key, {"foreign": number})
        etcd.wait_record(key, site.record())
    etcd.put(key, {"foreign": "last"})
    told = told_when(running, "ha_interface/fought", "held")
    assert "after the last conflict with another writer, the next write comes in" in told["record"]["why"]
    assert told["notes"][0].startswith("conflict: another writer changed the published record")
    assert told["record"]["standing"] == '{"foreign":"last"}'
    assert told["record"]["due"] == '{"primary":"UP","secondary":"UP","version":1}'
    said = first_lines("ha_interface", "fought", "--url", running.url)
    assert in_order(["is UP for", "note conflict", "both entries UP"], said), said


def test_a_member_tells_who_publishes_in_its_place(own_etcd: Etcd) -> None:
    own_etcd.txn(site.ha_template() | pair("shared"))
    group = Group(own_etcd, shards=1)
    try:
        active = group.start()
        own_etcd.wait_record("/monitoring/v2.0/ha_interfaces/shared", site.record())
        standby = group.start()
        owner = group.status(active)["id"]
        told = told_when(standby, "ha_interface/shared", "right")
        words = f"it is as it should be; member {owner} publishes it: it has shard 0 of group edge"
        assert told["record"]["why"] == words
        assert active.json("/api/v1/explain/ha_interface/shared")["record"]["why"] == "it is as it should be"
        standby.stop()
        active.stop()
    finally:
        group.close()


def test_who_only_watches_says_so(etcd: Etcd, service: StartService) -> None:
    etcd.txn(site.ha_template() | pair("seen"))
    running = service("--publish", "none")
    record = running.json("/api/v1/explain/ha_interface/seen")["record"]
    assert (record["state"], record["why"]) == ("off", "nothing is published here (--publish none)")


def test_nothing_is_known_of_what_is_not_there_over_http(asked: Asked) -> None:
    status, body = asked.service.get("/api/v1/explain/ha_interface/nope")
    assert status == 404
    assert "it has no config" in json.loads(body)["error"]
