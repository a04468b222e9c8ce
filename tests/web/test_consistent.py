"""Consistent reads over HTTP, and with the commands that ask over it: the truth as of a revision, or 504."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.web.conftest import Shown

ANSWERS = ["/api/v1/resources", "/api/v1/resources/ha_interface/{id}", "/api/v1/explain/ha_interface/{id}",
           "/probe/ha_interface/{id}"]  # fmt: skip


def paths(pair: site.HaInterface) -> list[str]:
    return [path.format(id=pair.id) for path in ANSWERS]


@pytest.mark.parametrize("puts", [12, pytest.param(100, marks=pytest.mark.long)])
def test_a_probe_right_after_a_put_is_never_older_than_it(
    puts: int, client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd
) -> None:
    pair, wrong = pairs[0], []
    for number in range(puts):
        side, state = (("secondary", site.DOWN), ("primary", site.UP))[number % 2]
        etcd.put(pair.primary_state, state)
        answer = client.get(f"/probe/ha_interface/{pair.id}", params={"consistent": 1, "active": side})
        if (answer.status_code, answer.json().get("stale")) != (200, False):
            wrong.append((number, answer.status_code, answer.text))
    assert wrong == []


def test_every_answer_includes_the_revision_asked_for(
    client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd
) -> None:
    pair = pairs[0]
    for query in ({"min_revision": None}, {"consistent": 1}, {"consistent": 1, "min_revision": None}):
        for state, status in ((site.DOWN, "DOWN"), (site.UP, "UP")):
            put = etcd.put(pair.primary_state, state)
            asked = {name: value or put for name, value in query.items()}
            one = client.get(f"/api/v1/resources/ha_interface/{pair.id}", params=asked).json()
            assert (one["entries"]["primary"]["status"], one["revision"] >= put) == (status, True)
            page = client.get("/api/v1/resources", params={**asked, "type": "ha_interface"}).json()
            assert page["revision"] >= put
            assert client.get("/api/v1/resources", params=asked).json()["revision"] >= put
            assert client.get(f"/api/v1/explain/ha_interface/{pair.id}", params=asked).status_code == 200


def test_wrong_values_are_refused_in_words(shown: Shown) -> None:
    for path in paths(shown.pairs[0]):
        for name, value in (
            ("min_revision", "-1"), ("min_revision", "x"), ("min_revision", str(2**63)), ("consistent", "2"),
            ("consistent", "yes"), ("timeout", "0"), ("timeout", "31"), ("timeout", "nan"), ("timeout", "x"),
        ):  # fmt: skip
            answer = shown.client.get(path, params={name: value})
            assert (answer.status_code, answer.json()["error"].startswith(f"{name}: ")) == (400, True), (path, value)


def test_a_revision_that_etcd_does_not_have_yet_is_504_and_answered_once_it_has_it(
    client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd
) -> None:
    pair = pairs[0]
    for path in paths(pair):
        answer = client.get(path, params={"min_revision": 10**9, "timeout": 0.1})
        assert answer.status_code == 504
        assert "etcd is at revision " in answer.json()["error"]
        assert "1000000000 was asked for" in answer.json()["error"]
    # Only this test writes beside the service, which has nothing to publish for a pair without any state.
    future, answers = etcd.revision() + 1, list[httpx.Response]()
    asked = {"min_revision": future, "timeout": 20}
    path = f"{client.base_url}/api/v1/resources/ha_interface/{pair.id}"
    waiter = threading.Thread(target=lambda: answers.append(httpx.get(path, params=asked, timeout=25.0)))
    waiter.start()
    put = etcd.put(pair.primary_state, site.DOWN)
    waiter.join(25.0)
    (answered,) = answers
    assert (answered.status_code, answered.json()["revision"] >= future, put >= future) == (200, True, True)


def test_a_frozen_etcd_is_504_in_the_given_time(own_etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | pair.keys())
    running = service(etcd=own_etcd)
    with httpx.Client(base_url=running.url, timeout=8.0) as client:
        own_etcd.freeze()
        try:
            for path in paths(pair):
                late: Any = client.get(path, params={"consistent": 1, "timeout": 0.5})
                assert (late.status_code, "not in 0.5 s" in late.json()["error"]) == (504, True)
            assert client.get(f"/api/v1/resources/ha_interface/{pair.id}").status_code == 200
            commands = (("status",), ("status", "--json"), ("explain", "ha_interface", pair.id))
            with ThreadPoolExecutor() as at_once:
                tried = [at_once.submit(command, *each, "--url", running.url, "--consistent") for each in commands]
            for ended in (each.result() for each in tried):
                assert (ended.returncode, ended.stdout) == (3, b"")
                assert b"no consistent answer: not in 5 s: " in ended.stderr
        finally:
            own_etcd.thaw()
        running.wait_ready(30.0)
        own_etcd.put(pair.primary_state, site.DOWN)
        assert client.get(f"/probe/ha_interface/{pair.id}", params={"consistent": 1, "active": "secondary"}).is_success


def test_the_commands_have_what_was_just_put(client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd) -> None:
    pair, url = pairs[0], str(client.base_url)
    etcd.put(pair.primary_state, site.DOWN)
    told = command("explain", "ha_interface", pair.id, "--url", url, "--consistent")
    assert (told.returncode, b"is DEGRADED" in told.stdout) == (0, True)
    etcd.put(pair.secondary_state, site.DOWN)
    table = command("status", "--url", url, "--consistent", "--json")
    assert table.returncode == 0
    assert client.get(f"/api/v1/resources/ha_interface/{pair.id}").json()["status"] == "DOWN"


def test_what_can_never_be_consistent_is_wrong_usage() -> None:
    assert command("status", "--watch", "--consistent").returncode == 2
    assert command("explain", "ha_interface", "a", "--data", "-", "--consistent", stdin=b"{}").returncode == 2
