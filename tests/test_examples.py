"""Every example runs, against a real etcd."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import site
from tests.support.etcd import free_port

if TYPE_CHECKING:
    import pytest

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_an_embedded_monitor_tells_its_program_of_a_failover(etcd: Etcd) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / "embedding" / "failover.py"), etcd.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == f"{pair.id}: active primary\n"
        etcd.put(pair.primary_state, site.DOWN)
        assert process.stdout.readline() == f"{pair.id}: failover from primary to secondary\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")


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
    service()
    etcd.wait_record(record, {"quality": "UP", "service": "DOWN", "version": 1})
    with socket.create_server(("127.0.0.1", port)):
        etcd.wait_record(record, {"quality": "UP", "service": "UP", "version": 1})
        etcd.put(state, {"level": 49})
        etcd.wait_record(record, {"quality": "DOWN", "service": "UP", "version": 1})
