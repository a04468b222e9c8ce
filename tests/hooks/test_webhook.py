"""``--webhook``: a real HTTP server is posted to; signed, tried again where that helps, and never a storm."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from ha_monitor.hooks.signature import signature
from ha_monitor.hooks.webhook import asked_to_wait
from tests.hooks.test_command import metric
from tests.support import site
from tests.support.etcd import free_port
from tests.support.hooks import Endpoint, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.service import Service

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty bytes or so").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret of thirty bytes").decode()


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as endpoint:
        yield endpoint


def runs(service: Service, result: str) -> float:
    return metric(service, f'ha_monitor_hook_runs_total{{kind="webhook",result="{result}"}}')


def test_a_change_is_posted_and_signed_and_the_secret_may_change(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    running = service("--webhook", endpoint.url, "--webhook-secret-file", str(file))
    etcd.put(pair.primary_state, site.DOWN)
    (change,) = endpoint.wait(1)
    assert [change] == running.json("/api/v1/history")["changes"]
    (request,) = endpoint.requests
    assert endpoint.is_signed(request, SECRET)
    assert request["path"] == "/changes?token=hidden"
    assert request["headers"]["content-type"] == "application/json"
    assert request["headers"]["user-agent"].startswith("ha-monitor/")
    file.write_text(f"{OTHER}\n{SECRET}\n")
    etcd.put(pair.primary_state, site.UP)
    endpoint.wait(2)
    assert endpoint.is_signed(endpoint.requests[1], SECRET)
    assert endpoint.is_signed(endpoint.requests[1], OTHER)
    assert not endpoint.is_signed({**endpoint.requests[1], "body": b"{}"}, SECRET)
    assert endpoint.requests[0]["headers"]["webhook-id"] != endpoint.requests[1]["headers"]["webhook-id"]
    wait_until(lambda: runs(running, "ok") == 2)
    assert "hidden" not in running.log


def test_without_a_secret_nothing_is_signed(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint
) -> None:
    service("--webhook", endpoint.url)
    etcd.put(pair.primary_state, site.DOWN)
    endpoint.wait(1)
    assert "webhook-signature" not in endpoint.requests[0]["headers"]
    assert endpoint.requests[0]["headers"]["webhook-id"].startswith("msg_")


def test_the_signature_is_the_one_that_the_standard_gives_as_its_example() -> None:
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', secret)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("code", [500, 503, 408, 429])
def test_what_may_get_better_is_tried_again(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint, code: int
) -> None:
    endpoint.answers = [(code, {})]
    running = service("--webhook", endpoint.url)
    etcd.put(pair.primary_state, site.DOWN)
    first, second = endpoint.wait(2)
    assert first == second
    ids = {request["headers"]["webhook-id"] for request in endpoint.requests}
    assert len(ids) == 1, "so that the receiver knows that it has it"
    wait_until(lambda: runs(running, "ok") == 1)
    assert runs(running, "failed") == 1
    assert f"primary UP -> DOWN: answered {code}: no, thank you" in running.log


@pytest.mark.parametrize("code", [400, 401, 404, 410, 302])
def test_what_is_refused_is_said_and_not_tried_again(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint, code: int
) -> None:
    endpoint.answers = [(code, {"location": "/elsewhere"})]
    running = service("--webhook", endpoint.url)
    etcd.put(pair.primary_state, site.DOWN)
    wait_until(lambda: runs(running, "refused") == 1)
    assert f"answered {code}" in running.log
    etcd.put(pair.primary_state, site.UP)
    down, up = endpoint.wait(2)
    assert (down["new"], up["old"], up["new"]) == ("DOWN", "DOWN", "UP")


def test_a_receiver_that_asks_us_to_wait_is_left_in_peace(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint
) -> None:
    endpoint.answers = [(429, {"retry-after": "3"})]
    service("--webhook", endpoint.url)
    etcd.put(pair.primary_state, site.DOWN)
    endpoint.wait(1)
    etcd.put(pair.secondary_state, site.DOWN)
    endpoint.wait(3)
    first, second, _ = endpoint.requests
    assert second["at"] - first["at"] >= 2.9
    assert [change["entry"] for change in endpoint.changes()] == ["primary", "primary", "secondary"]


def test_both_forms_of_retry_after_are_understood_and_nonsense_is_nothing() -> None:
    assert asked_to_wait("120", 0.0) == 120.0
    assert asked_to_wait("Thu, 01 Jan 1970 00:01:00 GMT", 10.0) == 50.0
    assert asked_to_wait("Thu, 01 Jan 1970 00:00:05 GMT", 10.0) == 0.0
    endless = "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"
    for nonsense in ("", "soon", "-5", "1.5", "Thu, 99 Jan 1970", endless):
        assert asked_to_wait(nonsense, 0.0) == 0.0


def test_a_receiver_that_is_down_gets_the_newest_once_it_is_there(
    pair: site.HaInterface, etcd: Etcd, service: StartService
) -> None:
    pairs = [site.HaInterface(f"pair-{number}") for number in range(20)]
    for other in pairs:
        etcd.txn(other.keys())
    port = free_port()
    running = service("--webhook", f"http://127.0.0.1:{port}/")
    for other in (pair, *pairs):
        etcd.put(other.primary_state, site.DOWN)
    wait_until(lambda: metric(running, 'ha_monitor_hook_pending{kind="webhook"}') == 21)
    wait_until(lambda: runs(running, "failed") >= 9)
    etcd.put(pair.primary_state, site.UP)
    for other in (pair, *pairs):
        etcd.put(other.secondary_state, site.DOWN)
        etcd.put(other.primary_state, site.UP)
        etcd.put(other.primary_state, site.DOWN)
    etcd.put(pair.primary_state, site.UP)
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))
    with Endpoint(port=port) as endpoint:
        wait_until(lambda: metric(running, 'ha_monitor_hook_pending{kind="webhook"}') == 0)
        changes = endpoint.changes()
        assert len(changes) == 41
        told = {(change["id"], change["entry"]): change["new"] for change in changes}
        assert told.pop(("pair", "secondary")) == "DOWN"
        assert ("pair", "primary") not in told, "it never came, and is what it was"
        assert set(told.values()) == {"DOWN"}
    assert running.log.count("webhook 127.0.0.1 for") < 20, "not a line for each failure"
    running.stop()


def test_a_receiver_that_is_slow_is_not_waited_for_for_ever(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint
) -> None:
    endpoint.open.clear()
    running = service("--webhook", endpoint.url, "--hook-timeout", "0.5")
    etcd.put(pair.primary_state, site.DOWN)
    endpoint.wait(1)
    etcd.put(pair.primary_state, site.UP)
    wait_until(lambda: runs(running, "timeout") + runs(running, "failed") >= 1)
    endpoint.open.set()
    wait_until(lambda: runs(running, "ok") == 1)
    assert endpoint.changes()[-1]["new"] == "UP", "it may have taken the one that it did not answer"


def test_sigterm_while_a_receiver_is_slow_ends_in_time(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint
) -> None:
    endpoint.open.clear()
    running = service("--webhook", endpoint.url)
    etcd.put(pair.primary_state, site.DOWN)
    endpoint.wait(1)
    running.stop()  # checks the time


def test_a_secret_that_is_gone_is_a_failure_and_heals(
    pair: site.HaInterface, etcd: Etcd, service: StartService, endpoint: Endpoint, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    running = service("--webhook", endpoint.url, "--webhook-secret-file", str(file))
    file.unlink()
    etcd.put(pair.primary_state, site.DOWN)
    wait_until(lambda: runs(running, "failed") >= 1)
    assert endpoint.requests == []
    file.write_text(SECRET)
    endpoint.wait(1)
    assert endpoint.is_signed(endpoint.requests[0], SECRET)


def test_a_certificate_is_verified(
    pair: site.HaInterface, etcd: Etcd, service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Endpoint(tls=context) as endpoint:
        running = service("--webhook", endpoint.url)
        etcd.put(pair.primary_state, site.DOWN)
        wait_until(lambda: "certificate verify failed" in running.log)
        assert endpoint.requests == []
        running.stop()
        file = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(file))
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        service("--webhook", endpoint.url)
        etcd.put(pair.primary_state, site.UP)
        assert endpoint.wait(1)[0]["new"] == "UP"
