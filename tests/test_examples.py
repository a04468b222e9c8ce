"""Every example runs, against a real etcd."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from tests.support import site
from tests.support.etcd import free_port
from tests.support.hooks import wait_until

if TYPE_CHECKING:
    import pytest

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LINE = 60.0  # seconds in which a program must say its next line


def program(*arguments: str) -> subprocess.Popen[str]:
    """Start an example that is a program of its own."""
    line = [sys.executable, "-W", "error", "-X", "faulthandler", str(EXAMPLES / arguments[0]), *arguments[1:]]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def says(process: subprocess.Popen[str]) -> str:
    """Read a program's next line; where none comes, it is ended, and what it logged and where it was is the failure."""
    assert process.stdout is not None
    assert process.stderr is not None
    watchdog = threading.Timer(LINE, process.send_signal, (signal.SIGABRT,))
    watchdog.start()
    try:
        said = process.stdout.readline()
    finally:
        watchdog.cancel()
    assert said, process.stderr.read()
    return said


def test_an_embedded_monitor_tells_its_program_of_a_failover(etcd: Etcd) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    process = program("embedding/failover.py", etcd.url)
    try:
        assert says(process) == f"{pair.id}: active primary\n"
        etcd.put(pair.primary_state, site.DOWN)
        assert says(process) == f"{pair.id}: failover from primary to secondary\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")


def test_a_web_application_knows_the_active_side(own_etcd: Etcd) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | pair.keys(primary=site.DOWN))
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "uvicorn", "--port", str(port), "--log-level", "warning", "web_app:app"],
        cwd=EXAMPLES / "embedding",
        env={**os.environ, "ETCD": own_etcd.url, "PYTHONDONTWRITEBYTECODE": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )

    def answer(id_: str, status: int) -> Any:
        """Ask until the answer has this status code."""
        give_up = time.monotonic() + 60
        while True:
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < give_up, f"no answer with {status}"
            with contextlib.suppress(httpx.TransportError):
                got = httpx.get(f"http://127.0.0.1:{port}/active/{id_}")
                if got.status_code == status:
                    return got.json()
            time.sleep(0.05)

    try:
        assert answer(pair.id, 200) == {"active": "secondary", "status": "DEGRADED"}
        assert answer("nobody", 404)["error"]
        own_etcd.kill()
        assert answer(pair.id, 503)["error"]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert "Traceback" not in errors


def test_a_service_works_only_while_its_side_is_active(own_etcd: Etcd) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | pair.keys())
    process = program("embedding/own_failover.py", own_etcd.url, pair.id, "primary")
    working, stopped = f"{pair.id}: working on primary\n", f"{pair.id}: stopped on primary\n"
    try:
        assert says(process) == working
        own_etcd.put(pair.primary_state, site.DOWN)
        assert says(process) == stopped
        own_etcd.put(pair.primary_state, site.UP)
        assert says(process) == working
        own_etcd.kill()
        assert says(process) == stopped, "who can't know whether its side is active does not go on"
        own_etcd.start()
        assert says(process) == working
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, output) == (0, stopped)
    assert "Traceback" not in errors


def test_a_failover_handler_is_tested_with_the_kit() -> None:
    options = ["-q", "-c", os.devnull, "--rootdir", ".", "-p", "no:cacheprovider"]
    line = [sys.executable, "-W", "error", "-m", "pytest", *options]
    ended = subprocess.run(
        line, cwd=EXAMPLES / "testing", env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True,
        text=True, timeout=100, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    assert "4 passed" in ended.stdout


def test_the_plugin_is_installed_found_and_served(
    etcd: Etcd, service: StartService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(EXAMPLES / "plugin", source)  # its build leaves files behind
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--disable-pip-version-check", "--target", str(target), str(source)], check=True)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")]))

    text = (EXAMPLES / "plugin" / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
    port = free_port()
    mappings = {"primary_interface_id": "Pprimary_interface_id", "address": "Paddress"}
    etcd.txn(site.template("edge_router_monitoring", text.replace("443", f"{port}\n  every: 0.05"), mappings))
    body = {"id": "r", "primary_interface_id": "p", "address": "127.0.0.1"}
    etcd.put("/config/v2.0/edge_routers/r", site.envelope(body))
    state, record = "/monitoring/v2.0/er_physical_interfaces/p", "/monitoring/v2.0/edge_routers/r"
    etcd.put(state, {"level": 60})
    service(cold=True)  # who has imported everything has looked for plugins, too
    etcd.wait_record(record, {"quality": "UP", "service": "DOWN", "version": 1})
    with socket.create_server(("127.0.0.1", port)):
        etcd.wait_record(record, {"quality": "UP", "service": "UP", "version": 1})
        etcd.put(state, {"level": 49})
        etcd.wait_record(record, {"quality": "DOWN", "service": "UP", "version": 1})


def test_a_command_keeps_the_active_side_in_a_file(etcd: Etcd, service: StartService, tmp_path: Path) -> None:
    pair, other = site.HaInterface("tokyo-1"), site.HaInterface("osaka-1")
    etcd.txn(site.ha_template() | pair.keys() | other.keys())
    side = tmp_path / "tokyo-1.side"
    service("--hook", f"{EXAMPLES / 'hooks' / 'active_side.sh'} ha_interface {pair.id} {side}")
    etcd.put(other.primary_state, site.DOWN)
    etcd.put(other.secondary_state, site.DOWN)
    etcd.put(pair.primary_state, site.DOWN)
    wait_until(lambda: side.exists() and side.read_text() == "secondary\n")
    etcd.put(pair.secondary_state, site.DOWN)
    wait_until(lambda: side.read_text() == "none\n")


def test_a_receiver_takes_what_is_signed(etcd: Etcd, service: StartService, tmp_path: Path) -> None:
    pair = site.HaInterface("tokyo-1")
    etcd.txn(site.ha_template() | pair.keys())
    secret, port = tmp_path / "secret", free_port()
    secret.write_text(f"whsec_{base64.b64encode(os.urandom(32)).decode()}\n")
    process = program("hooks/receiver.py", str(port), str(secret))
    try:
        service("--webhook", f"http://127.0.0.1:{port}/", "--webhook-secret-file", str(secret))
        etcd.put(pair.primary_state, site.DOWN)
        assert says(process) == "ha_interface/tokyo-1: primary is DOWN, active is secondary\n"
        change = {"type": "t", "id": "i", "entry": "e", "revision": 1, "new": "UP", "active": "e"}
        headers = {"webhook-id": "x", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1,forged"}
        assert httpx.post(f"http://127.0.0.1:{port}/", json=change, headers=headers).status_code == 401
        etcd.put(pair.primary_state, site.UP)
        assert says(process) == "ha_interface/tokyo-1: primary is UP, active is primary\n"
    finally:
        process.kill()
        process.communicate()
