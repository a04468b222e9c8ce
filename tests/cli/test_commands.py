"""The commands as a user runs them, each as a process of its own."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx

from tests.support import site
from tests.support.etcd import Etcd, free_port
from tests.support.service import Service, command

if TYPE_CHECKING:
    from tests.conftest import StartService


def test_check_is_silent_and_ends_with_0_where_all_is_well(etcd: Etcd) -> None:
    etcd.txn(site.ha_template() | site.HaInterface().keys())
    ended = command("check", "--etcd", etcd.url)
    assert (ended.returncode, ended.stdout) == (0, b"")
    assert ended.stderr == b"1 resources, 0 problems\n"


def test_check_gives_a_line_for_each_problem_and_writes_nothing(etcd: Etcd) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | site.template("odd_monitoring", "{% if %}") | pair.keys(version="x"))
    etcd.txn(site.template("nameless", site.PAIR))
    before = etcd.revision()
    ended = command("check", "--etcd", etcd.url)
    assert ended.returncode == 1
    lines = ended.stdout.decode().splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "template nameless",
        "template odd_monitoring",
        f"ha_interface/{pair.id}",
    ]
    assert "line 1" in lines[1]
    assert etcd.revision() == before
    as_json = json.loads(command("check", "--json", "--etcd", etcd.url).stdout)
    assert [(item["type"], item["id"], item["template"]) for item in as_json] == [
        (None, None, "nameless"),
        (None, None, "odd_monitoring"),
        ("ha_interface", pair.id, "ha_interface_monitoring"),
    ]
    assert [item["problem"] for item in as_json] == [line.partition(": ")[2] for line in lines]


def test_render_shows_all_that_a_resource_hangs_on(etcd: Etcd) -> None:
    pair = site.HaInterface(primary="00123", secondary="1e5")
    etcd.txn(site.ha_template() | pair.keys())
    ended = command("render", "ha_interface", pair.id, "--json", "--etcd", etcd.url)
    assert ended.returncode == 0, ended.stderr
    shown = json.loads(ended.stdout)
    assert shown["type"] == "ha_interface"
    assert shown["version"] == 1
    assert shown["template"] == "ha_interface_monitoring"
    assert shown["parameters"] == {"primary_interface_id": "00123", "secondary_interface_id": "1e5"}
    reader = {"type": "etcd_reader", "etcd_type": "er_physical_interface"}
    assert shown["entries"] == {"primary": {**reader, "etcd_id": "00123"}, "secondary": {**reader, "etcd_id": "1e5"}}
    assert "etcd_id: 00123" in shown["document"]
    assert {pair.config, site.template_key("ha_interface_monitoring"), pair.primary_state, pair.secondary_state} <= set(
        shown["depends_on"]
    )
    assert shown["problem"] is None
    in_words = command("render", "ha_interface", pair.id, "--etcd", etcd.url).stdout.decode()
    assert pair.primary_state in in_words
    assert '  secondary: {"type": "etcd_reader"' in in_words
    assert command("render", "ha_interface", "nobody", "--etcd", etcd.url).returncode == 1


def test_run_waits_for_an_etcd_that_comes_later() -> None:
    etcd = Etcd()
    service = Service(etcd.url, cold=True)
    try:
        wait_for(service, "/readyz", 503, words=b"Connection refused")
        assert service.get("/healthz")[0] == 200
        etcd.start()
        service.wait_ready()
        service.stop()
    finally:
        service.kill()
        etcd.close()


def wait_for(service: Service, path: str, status: int, words: bytes = b"") -> None:
    until = time.monotonic() + 10
    while True:
        try:
            got, body = service.get(path)
            if got == status and words in body:
                return
        except OSError:
            assert service.running, service.log
        assert time.monotonic() < until, f"{path} did not become {status}"
        time.sleep(0.02)


def test_sigterm_while_etcd_was_never_there_ends_with_0() -> None:
    service = Service(f"http://127.0.0.1:{free_port()}")
    try:
        wait_for(service, "/healthz", 200)
        service.stop()
    finally:
        service.kill()


def test_ctrl_c_ends_with_0_and_no_http_is_a_choice(etcd: Etcd) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "ha_monitor", "run", "--etcd", etcd.url, "--listen", ""],
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        assert b"ha_monitor" in process.stderr.readline()
        assert b"synced" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert b"Traceback" not in rest


def test_log_lines_are_json_where_asked_for(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    running = service("--log-format", "json")
    etcd.wait_record(pair.record, site.record())
    etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN"))
    running.stop()
    lines = [json.loads(line) for line in running.last_log.splitlines()]
    (change,) = [line for line in lines if line.get("entry") == "primary"]
    assert (change["type"], change["id"], change["old"], change["new"]) == ("ha_interface", pair.id, "UP", "DOWN")
    assert change["level"] == "WARNING", "a side that is down is what --log-level warning is for"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]{12}Z", line["at"]) for line in lines), "UTC, as over HTTP"
    assert lines[0]["message"].startswith(f"ha_monitor {version('ha-monitor')}: etcd {etcd.url}; all types; publishes")
    assert lines[-1]["message"] == "stopped"


def test_wrong_http_requests_are_answered_in_words(etcd: Etcd, service: StartService) -> None:
    running = service()
    for answer, status in (
        (httpx.get(f"{running.url}/nothing"), 404),
        (httpx.post(f"{running.url}/readyz"), 405),
        (httpx.delete(f"{running.url}/healthz"), 405),
    ):
        assert answer.status_code == status
        assert answer.json()["error"]
    assert httpx.get(f"{running.url}/healthz").json() == {"alive": True}
    assert httpx.get(f"{running.url}/readyz").json() == {"ready": True, "reason": ""}
    assert [httpx.head(f"{running.url}{path}").status_code for path in ("/healthz", "/readyz")] == [200, 200]


def test_a_request_that_is_no_http_leaves_a_log_line_in_the_form_that_was_asked_for(
    etcd: Etcd, service: StartService
) -> None:
    running = service("--log-format", "json")
    with socket.create_connection(("127.0.0.1", running.port)) as stranger:
        stranger.sendall(b"\x00 nothing\r\n\r\n")
        assert b"400" in stranger.recv(100)
    running.stop()
    assert "WARNING" in [json.loads(line)["level"] for line in running.last_log.splitlines()]


def test_open_connections_do_not_hold_up_the_end(etcd: Etcd, service: StartService) -> None:
    running = service()
    requests = (b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /hea")
    with contextlib.ExitStack() as open_connections:
        for request in requests:
            connection = open_connections.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            connection.sendall(request)
        assert running.get("/healthz")[0] == 200
        running.stop()  # checks the time


def test_version_and_help_are_there() -> None:
    assert command("--version").stdout.startswith(b"ha-monitor, version ")
    for name in ("run", "demo", "check", "render", "load"):
        assert command(name, "--help").returncode == 0
