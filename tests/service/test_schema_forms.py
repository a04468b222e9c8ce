"""Each form of schema, as a file of gohan has it and as its API answers it, by the running service on a real etcd."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import site
from tests.support.forms import FORMS, NAMESPACES, documents, recorded_forms
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.forms import Form

WATCHER = "/config/v2.0/watchers/w"
PREFIXES = ("--monitoring-prefix", "/live", "--publish-prefix", "/records")
NIC = "/live/v2.0/er_physical_interfaces"


@pytest.fixture(params=["made up", "recorded"])
def forms(request: pytest.FixtureRequest) -> tuple[list[Form], list[dict[str, Any]]]:
    if request.param == "made up":
        return FORMS, NAMESPACES
    return recorded_forms(request.getfixturevalue("recorded_site"))


def keys_of(forms: list[Form]) -> dict[str, Any]:
    """Give a template for each type, the configs as gohan writes them, and a resource that reads the state of each."""
    keys: dict[str, Any] = {WATCHER: site.envelope({"id": "w"})}
    text = ""
    for form in forms:
        entry = "port: {type: etcd_reader, etcd_type: er_physical_interface, etcd_id: '{{ name }}'}\n"
        keys |= site.template(f"{form.type}_monitoring", entry, {"name": {"field": "name"}})
        if form.key is not None:
            assert form.value is not None
            keys[form.key] = form.value
            text += f"{form.type}: {{type: etcd_reader, etcd_type: {form.type}, etcd_id: {form.type}-1}}\n"
    return keys | site.template("watcher_monitoring", text, {}) | {f"{NIC}/n": site.UP, f"{NIC}/a name": site.UP}


@pytest.mark.parametrize("kind", ["file", "api"])
def test_the_config_is_read_and_state_and_record_are_at_its_path(
    forms: tuple[list[Form], list[dict[str, Any]]], kind: str, etcd: Etcd, service: StartService, tmp_path: Path
) -> None:
    file = tmp_path / "schemas.json"
    file.write_text(json.dumps(documents(*forms)[kind]))
    there = [form for form in forms[0] if form.key is not None]
    etcd.txn(keys_of(forms[0]) | {f"/live{form.path}": site.UP for form in there})
    running = service("--schema-file", str(file), *PREFIXES, "--state-timeout", "2")
    for form in there:
        etcd.wait_record(f"/records{form.path}", {"port": "UP", "version": 1})
        assert running.json(f"/api/v1/resources/{form.type}/{form.type}-1")["status"] == "UP"
    statuses = {form.type: "UP" for form in there}
    etcd.wait_record("/records/v2.0/watchers/w", {**statuses, "version": 1})
    for form in there:
        etcd.put(f"/live{form.path}", site.DOWN)
    etcd.wait_record("/records/v2.0/watchers/w", {**dict.fromkeys(statuses, "DOWN"), "version": 1})
    etcd.put(f"{NIC}/n", site.DOWN)
    etcd.put(f"{NIC}/a name", site.DOWN)
    for form in there:
        etcd.wait_record(f"/records{form.path}", {"port": "DOWN", "version": 1})
    records = {key for key in etcd.items() if key.startswith("/records/")}
    assert records == {"/records/v2.0/watchers/w", *(f"/records{form.path}" for form in there)}
    for form in there:
        assert form.key is not None
        etcd.delete(form.key)
    for form in there:
        etcd.wait(f"/records{form.path}", lambda items, key=f"/records{form.path}": key not in items)  # type: ignore[misc]


@pytest.mark.parametrize("kind", ["file", "api"])
def test_check_reports_the_types_that_are_not_monitored_or_that_gohan_ignores(
    forms: tuple[list[Form], list[dict[str, Any]]], kind: str, etcd: Etcd, tmp_path: Path
) -> None:
    file = tmp_path / "schemas.json"
    file.write_text(json.dumps(documents(*forms)[kind]))
    etcd.txn(keys_of(forms[0]))
    ended = command("check", "--etcd", etcd.url, "--schema-file", str(file), *PREFIXES)
    found, notes = ended.stdout.decode().splitlines(), ended.stderr.decode().splitlines()
    assert ended.returncode == 1
    there = [form for form in forms[0] if form.key is not None]
    known = [form for form in forms[0] if kind == "file" or form.api is not None]
    assert {line.split(":")[0] for line in found} == {
        f"template {form.type}_monitoring" for form in known if form.key is None
    }
    assert any("nosync" in line for line in found)
    assert notes[-1] == f"{len(there) + 1} resources, {len(found)} problems"
    said = {line.split(":")[0] for line in notes if line.startswith("type ")}
    about = {form.type: form.schema["metadata"] for form in there}
    assert said == {
        f"type {type_}"
        for type_, metadata in about.items()
        if metadata.get("sync_plain") or not metadata["state_versioning"]
    }
    assert not any("without a template" in line for line in notes)


def test_without_the_schemas_check_lists_the_folders_that_are_not_monitored(etcd: Etcd) -> None:
    etcd.txn(keys_of(FORMS))
    ended = command("check", "--etcd", etcd.url, *PREFIXES)
    assert ended.returncode == 1
    out, err = ended.stdout.decode(), ended.stderr.decode()
    assert "template bare_monitoring: no config found in /config/v2.0/bares/, but in /config/bares/: " in out
    assert "template slashed_monitoring: " in out
    assert "but in /config//slasheds/: " in out
    assert "template hyphen_monitoring: no config found in /config/v2.0/hyphens/\n" in err
    assert "/config/v2.0/hyphen-ed/: 1 config without a template\n" in err
