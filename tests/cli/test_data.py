"""``render`` and ``check`` on a file of keys: without an etcd, and the same answers as with one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ha_monitor.cli import cli
from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.etcd import Etcd


def asked(*arguments: str) -> Any:
    """Give what a command prints as JSON, whatever its exit code."""
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)


@pytest.fixture
def keys() -> dict[str, Any]:
    pair, other, broken = site.HaInterface(), site.HaInterface(), site.HaInterface()
    keys = site.ha_template() | site.gateway_template() | pair.keys() | other.keys(primary=None, as_text=True)
    keys[broken.config] = site.envelope({"id": broken.id, "primary_interface_id": "a/b"})
    for name, below in (("vpn1", pair.id), ("vpn2", "nobody")):
        body = {"id": name, "downlink_interface_id": below}
        keys[f"/config/v2.0/vpn_gateways/{name}"] = site.envelope(body)
    return keys


def test_a_file_gives_the_same_as_an_etcd_with_its_keys(etcd: Etcd, tmp_path: Path, keys: dict[str, Any]) -> None:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(keys))
    assert command("load", str(file), "--etcd", etcd.url).returncode == 0
    places = (("--data", str(file)), ("--etcd", etcd.url))
    from_file, from_etcd = (asked("check", *place) for place in places)
    assert from_file == from_etcd
    assert len(from_file) == 2
    for key in keys:
        _, _, _, plural, id_ = key.split("/")
        if plural in ("ha_interfaces", "vpn_gateways") and key.startswith("/config"):
            one, other = (asked("render", plural[:-1], id_, *place) for place in places)
            assert one == other
            assert one["template"]


def test_standard_input_is_a_file_too(keys: dict[str, Any]) -> None:
    ended = command("check", "--data", "-", stdin=json.dumps(keys).encode())
    assert ended.returncode == 1
    assert b"4 resources" in ended.stderr or b"5 resources" in ended.stderr


def test_a_wrong_file_is_told_in_words(tmp_path: Path) -> None:
    file = tmp_path / "site.json"
    file.write_text("[1]")
    ended = command("render", "ha_interface", "1", "--data", str(file))
    assert ended.returncode == 2
    assert b"one JSON object" in ended.stderr


def test_every_recorded_job_comes_out_as_the_real_system_made_it(recorded_site: Path) -> None:
    """Parameters and values the same, and each step of the chain that led there among what the resource hangs on."""
    site_keys = json.loads((recorded_site / "internet_gateway.json").read_text())
    data = str(recorded_site / "internet_gateway.json")
    jobs = json.loads((recorded_site / "internet_gateway_jobs.json").read_text())
    for job in jobs:
        shown = asked("render", job["resource_type"], job["resource_id"], "--data", data)
        wanted = {param["param"]: _value(site_keys, param) for param in job["params"]}
        if job["resource_type"] == "port":
            del wanted["attached"]  # the real system forced it
        assert {name: shown["parameters"].get(name) for name in wanted} == wanted, job
        for param in job["params"]:
            for step in param["resources"]:
                assert any(key.endswith(f"/{step['resource_id']}") for key in shown["depends_on"]), (job, step)


def _value(keys: dict[str, str], param: dict[str, Any]) -> Any:
    """Give a parameter's value; for a stack output the record names the place where the real system found it."""
    value = param["value"]
    if param["type"] != "output_key":
        return value
    stack = json.loads(keys[f"/esi-worker/heat_stacks/v2.0/{value['resource_type']}s/{value['resource_id']}"])
    (found,) = [each["output_value"] for each in stack["output"] if each["output_key"] == value["output_key"]]
    return found
