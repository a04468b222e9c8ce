"""What is asked over HTTP, and what is answered."""

from __future__ import annotations

import datetime
import json
import random
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support import site

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.web.conftest import Shown


def ids(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [resource["id"] for resource in answer.json()["resources"]]


def test_a_resource_with_all_that_is_known_of_it(shown: Shown) -> None:
    client, pairs = shown.client, shown.pairs
    failover = pairs[1]
    resource: dict[str, Any] = client.get(f"/api/v1/resources/ha_interface/{failover.id}").json()
    entries = resource.pop("entries")
    times = [
        datetime.datetime.fromisoformat(resource.pop(name).replace("Z", "+00:00")) for name in ("since", "proven_at")
    ]
    now = datetime.datetime.now(datetime.timezone.utc)
    assert all(abs((now - at).total_seconds()) < 60 for at in times)
    assert resource.pop("revision") > 0
    assert resource == {
        "type": "ha_interface", "id": failover.id, "name": "", "version": 1, "template": "ha_interface_monitoring",
        "status": "DEGRADED", "active": "secondary", "problem": None, "published": site.record("DOWN"), "stale": False,
        "blind": False, "maintenance": None,
        "take_up": {
            "done": False, "words": "published; gohan has no state of it yet", "state_version": None, "state_error": "",
        },
    }  # fmt: skip
    assert list(entries) == ["primary", "secondary"]
    assert entries["primary"].pop("since")
    assert entries["primary"] == {
        "status": "DOWN", "key": failover.primary_state, "reason": 'interface is "DOWN"', "pending": None,
        "flapping": False,
    }  # fmt: skip


def test_resources_are_filtered(shown: Shown) -> None:
    client, pairs = shown.client, shown.pairs
    up, failover, degraded, down, unknown, problem = (pair.id for pair in pairs)
    assert ids(client.get("/api/v1/resources")) == [pair.id for pair in pairs]
    for query, expected in (
        ({"status": "UP"}, [up]),
        ({"status": "up"}, [up]),
        ({"status": "Problem"}, [problem]),
        ({"status": "DEGRADED"}, [failover, degraded]),
        ({"status": "DOWN"}, [down]),
        ({"status": "UNKNOWN"}, [unknown, problem]),
        ({"status": "PROBLEM"}, [problem]),
        ({"codes": "?"}, [unknown]),
        ({"codes": "PSD", "order": "health"}, [problem, failover, degraded]),
        ({"q": down[:13].upper()}, [down]),
        ({"q": "version"}, [problem]),
        ({"type": "vpn_gateway"}, []),
        ({"type": "ha_interface", "status": "UP", "q": up}, [up]),
        ({"order": "health", "limit": "4"}, [down, problem, failover, degraded]),
        ({"order": "health", "offset": "4"}, [unknown, up]),
    ):
        assert ids(client.get("/api/v1/resources", params=query)) == expected, query


def test_a_cursor_leads_through_all_of_them_though_some_come_and_go(
    client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd
) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        answer = client.get("/api/v1/resources", params=query)
        seen += ids(answer)
        assert answer.json()["total"] in (5, 6)
        cursor = answer.json()["cursor"]
        if cursor is None:
            break
        if len(seen) == 2:
            etcd.txn({}, [pairs[1].config])  # the one that the cursor names
            etcd.wait(pairs[1].record, lambda items: not items)
    assert seen == [pair.id for pair in pairs]


def test_the_summary_names_every_status(shown: Shown) -> None:
    assert shown.client.get("/api/v1/summary").json() == {
        "ha_interface": {"UP": 1, "DEGRADED": 2, "DOWN": 1, "UNKNOWN": 2}
    }


def test_the_map_has_a_letter_for_each(shown: Shown) -> None:
    seen = shown.client.get("/api/v1/map").json()
    assert seen.pop("generation") > 0
    assert seen == {"problems": 1, "types": [{"type": "ha_interface", "codes": "USDX?P"}]}


def test_the_history_tells_what_went_how_and_why(
    client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd
) -> None:
    pair = pairs[0]
    assert client.get("/api/v1/history").json() == {"changes": []}, "what was so at the start is no transition"
    down = etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN"))
    up = etcd.put(pair.primary_state, site.UP)
    etcd.wait_record(pair.record, site.record())
    of_one = client.get("/api/v1/history", params={"type": "ha_interface", "id": pair.id}).json()["changes"]
    for query in ({}, {"type": "ha_interface"}, {"id": pair.id}):
        assert client.get("/api/v1/history", params=query).json()["changes"] == of_one
    assert client.get("/api/v1/history", params={"type": "vpn_gateway"}).json() == {"changes": []}
    assert [change.pop("at")[:2] for change in of_one] == ["20", "20"]
    one = {"type": "ha_interface", "id": pair.id, "entry": "primary"}
    assert of_one == [
        one | {"old": "DOWN", "new": "UP", "status": "UP", "active": "primary", "revision": up,
               "reason": "every dependency is up"},
        one | {"old": "UP", "new": "DOWN", "status": "DEGRADED", "active": "secondary", "revision": down,
               "reason": 'interface is "DOWN"'},
    ]  # fmt: skip
    assert len(client.get("/api/v1/history", params={"limit": 1}).json()["changes"]) == 1
    etcd.delete(pair.config)
    etcd.wait(pair.record, lambda items: not items)
    of_gone = client.get("/api/v1/history", params={"type": "ha_interface", "id": pair.id}).json()["changes"]
    assert [change["new"] for change in of_gone] == [None, None, "UP", "DOWN"]


def test_a_probe_says_whether_it_is_so(client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd) -> None:
    pair = pairs[0]
    path = f"/probe/ha_interface/{pair.id}"
    for query, status in (
        ({"active": "primary"}, 200),
        ({"active": "secondary"}, 503),
        ({"status": "UP"}, 200),
        ({"status": "up"}, 200),
        ({"status": "DOWN"}, 503),
        ({"active": "primary", "status": "UP"}, 200),
        ({"active": "primary", "status": "DEGRADED"}, 503),
        ({}, 200),
    ):
        answer = client.get(path, params=query)
        assert answer.status_code == status, query
        assert answer.json() == {"ok": status == 200, "status": "UP", "active": "primary", "stale": False}
    etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN"))
    assert client.get(path, params={"active": "secondary"}).status_code == 200
    misspelt = client.get(path, params={"active": "primry"})
    assert misspelt.status_code == 404, "it would never become so"
    assert misspelt.json() == {"error": f"ha_interface {pair.id} has no entry primry; entries: primary, secondary"}
    without_any = client.get(f"/probe/ha_interface/{pairs[5].id}", params={"active": "primary"})
    assert without_any.status_code == 503, "it has none as long as it can't be rendered"
    assert client.get("/probe/ha_interface/nobody", params={"status": "UP"}).status_code == 404
    assert client.get(f"/probe/ha_interface/{pairs[3].id}").status_code == 503, "no side of it is active"


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/resources?status=FINE", 400, "status: 'FINE' is none of UP, DEGRADED, DOWN, UNKNOWN, PROBLEM"),
        ("/api/v1/resources?order=bogus", 400, "order: 'bogus' is none of id, name, health"),
        ("/probe/ha_interface/nobody?status=fine", 400, "status: 'fine' is none of UP, DEGRADED, DOWN, UNKNOWN"),
        ("/api/v1/events?snapshot=some", 400, "snapshot: 'some' is none of resources, none"),
        ("/metrics?resources=2", 400, "resources: '2' is none of 0, 1"),
        ("/api/v1/resources?limit=0", 400, "limit: Expected `int` >= 1"),
        ("/api/v1/resources?limit=many", 400, "limit: Expected `int`, got `str`"),
        ("/api/v1/resources?limit=1&limit=2", 400, "limit: given more than once"),
        ("/metrics?resources=1&resources=1", 400, "resources: given more than once"),
        ("/api/v1/resources?colour=red", 400, "Object contains unknown field `colour`"),
        (
            "/api/v1/resources?cursor=x",
            400,
            "cursor: Expected `str` matching regex '^(([0-9a-f]{2})+-([0-9a-f]{2})+)?$'",
        ),
        ("/api/v1/resources/ha_interface/nobody", 404, "there is no ha_interface nobody"),
        ("/api/v1/resources/nothing/nobody", 404, "there is no nothing nobody"),
        ("/probe/ha_interface/nobody", 404, "there is no ha_interface nobody"),
        ("/api/v1/nothing", 404, "there is nothing at /api/v1/nothing"),
        ("/api/v1/resources/", 404, "there is nothing at /api/v1/resources/"),
        ("/page/../api.py", 404, "there is nothing at /api.py"),
        ("/page/%2e%2e/api.py", 404, "there is nothing at /page/../api.py"),
    ],
)
def test_what_is_wrong_is_told_in_words(shown: Shown, path: str, status: int, words: str) -> None:
    answer = shown.client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": words}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/metrics"])
def test_what_keeps_caches_away_is_passed_over(shown: Shown, path: str) -> None:
    assert shown.client.get(f"{path}?_=1&_=2&cache=no").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/api/v1/resources", "/api/v1/events", "/metrics", "/page/page.css"])
def test_nothing_can_be_changed(shown: Shown, method: str, path: str) -> None:
    answer = shown.client.request(method, path)
    assert answer.status_code == 405
    assert answer.json()["error"].startswith(f"{method} is not for {path}")
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/", "/api/v1/summary", "/nothing", "/metrics", "/openapi.json", "/healthz"])
def test_every_answer_keeps_a_browser_from_harm(shown: Shown, path: str) -> None:
    headers = shown.client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_before_the_first_list_nothing_is_claimed(service: StartService) -> None:
    from tests.support.etcd import free_port  # nobody listens there

    class Nobody:
        url = f"http://127.0.0.1:{free_port()}"

    waiting = service(etcd=Nobody(), ready=False).wait_alive()
    assert waiting.get("/readyz")[0] == 503
    for path in ("/probe/ha_interface/x?active=primary", "/api/v1/resources/ha_interface/x", "/api/v1/explain/no/x"):
        status, said = waiting.get(path)
        assert status == 503, path
        assert json.loads(said)["error"].startswith("resources are not known yet: etcd can't be heard: ")
    assert waiting.json("/api/v1/resources")["total"] == 0
    assert waiting.json("/api/v1/summary") == {}
    assert waiting.json("/api/v1/map")["types"] == []


def test_what_is_shown_is_marked_stale_while_etcd_is_not_heard(own_etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | pair.keys())
    running = service(etcd=own_etcd)
    own_etcd.kill()
    path = f"/probe/ha_interface/{pair.id}?active=primary"
    with httpx.Client(base_url=running.url, timeout=10.0) as client:
        while not client.get(path).json()["stale"]:
            pass
        shown = client.get(f"/api/v1/resources/ha_interface/{pair.id}").json()
        assert (shown["status"], shown["active"], shown["stale"]) == ("UP", "primary", True)
        assert client.get(path).status_code == 200, "the last verdict holds"


def test_an_id_that_is_no_utf_8_is_shown_and_breaks_nothing(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    no_text = site.config_key("ha_interfaces", "caf\udce9")
    etcd.txn(site.ha_template() | pair.keys() | {no_text: pair.envelope()})
    running = service()
    shown = running.json("/api/v1/resources?limit=1&order=name")
    assert shown["total"] == 2
    everything = running.json("/api/v1/resources")["resources"]
    assert "caf?" in {resource["id"] for resource in everything}
    cursor = running.json("/api/v1/resources?limit=1")["cursor"]
    assert len(running.json(f"/api/v1/resources?limit=1&cursor={cursor}")["resources"]) == 1
    assert b"caf" in running.get("/metrics?resources=1")[1]


def test_the_order_of_health_is_right_after_changes(client: httpx.Client, etcd: Etcd) -> None:
    """Held against the order that each resource's own status gives."""
    fleet = [site.HaInterface(f"pair-{number}") for number in range(8)]
    etcd.txn({key: value for pair in fleet for key, value in pair.keys().items()})
    chance = random.Random(7)
    for _ in range(2):  # each takes two beats of the pulse: only it proves the revision of a prefix that is quiet
        changes: dict[str, object] = {}
        for pair in chance.sample(fleet, 4):
            changes |= chance.choice([
                {pair.primary_state: chance.choice([site.UP, site.DOWN])},
                {pair.secondary_state: chance.choice([site.UP, site.DOWN])},
                {pair.config: pair.envelope(version=chance.choice([1, "x"]))},
                {pair.config: site.envelope({**pair.body, "name": chance.choice("abc")})},
            ])  # fmt: skip
        revision = etcd.txn(changes)
        give_up = time.monotonic() + 30
        while True:
            answer = client.get("/api/v1/resources", params={"order": "health"}).json()
            wanted = sorted(answer["resources"], key=health)
            letters = "".join(each["codes"] for each in client.get("/api/v1/map").json()["types"])
            found = [resource["id"] for resource in answer["resources"]]
            by_rank = "".join(sorted(letters, key="XPSD?U".index))
            if (
                answer["revision"] >= revision
                and found == [resource["id"] for resource in wanted]
                and by_rank == "".join("XPSD?U"[health(resource)[0]] for resource in wanted)
            ):
                break
            assert time.monotonic() < give_up, (found, wanted)
            time.sleep(0.05)


def health(resource: dict[str, Any]) -> tuple[int, str, str, str]:
    if resource["problem"] is not None:
        code = "P"
    elif resource["status"] == "DEGRADED":
        code = "D" if resource["active"] == "primary" else "S"
    else:
        code = {"DOWN": "X", "UNKNOWN": "?", "UP": "U"}[resource["status"]]
    return "XPSD?U".index(code), resource["type"], resource["name"], resource["id"]
