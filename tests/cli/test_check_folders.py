"""``check`` compares folders with templates: configs without a template, unused templates, ids with a slash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from ha_monitor.cli import cli
from ha_monitor.cli.folders import SHOWN
from tests.faults.guarded import Guarded
from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.support.etcd import Etcd

PAIR = site.HaInterface(id="a")
WELL = site.ha_template() | PAIR.keys()
SPARE = site.reader_template("spare")


def asked(folder: Path, keys: dict[str, Any], *options: str, schemas: list[Any] | None = None) -> Result:
    data = folder / "site.json"
    data.write_text(json.dumps(keys))
    if schemas is not None:
        file = folder / "schemas.json"
        file.write_text(json.dumps({"schemas": schemas}))
        options = ("--schema-file", str(file), *options)
    return CliRunner().invoke(cli, ["check", "--data", str(data), *options])


def test_without_any_resource_all_is_not_well(tmp_path: Path) -> None:
    nothing = "templates: no resource is monitored"
    ended = {key: site.envelope({}, marked=True) for key in (PAIR.config,)}
    for keys, line in (
        ({}, f"{nothing}: no usable template in /config/v2.0/heat_templates/"),
        (site.ha_template() | ended, f"{nothing}: all configs are marked for deletion"),
        (
            site.ha_template(),
            "template ha_interface_monitoring: no config found in /config/v2.0/ha_interfaces/",
        ),
    ):
        result = asked(tmp_path, keys)
        assert (result.exit_code, result.stdout) == (1, f"{line}\n")
        assert result.stderr == "0 resources, 1 problems\n"
    (item,) = json.loads(asked(tmp_path, site.ha_template(), "--json").stdout)
    assert item["template"] == "ha_interface_monitoring"
    (item,) = json.loads(asked(tmp_path, {}, "--json").stdout)
    assert (item["type"], item["id"], item["template"]) == (None, None, None)


def test_a_template_whose_configs_are_in_a_folder_of_the_same_name_is_a_problem(tmp_path: Path) -> None:
    result = asked(tmp_path, WELL | SPARE | {"/config/x/Spares/1": site.envelope({"port_id": "p"})})
    assert result.exit_code == 1
    assert result.stdout == (
        "template spare_monitoring: no config found in /config/v2.0/spares/, but in /config/x/Spares/: pass gohan's"
        " schemas with --schema-file\n"
    )


def test_an_unused_template_is_listed_and_fails_the_check_only_beside_configs_of_unknown_type(tmp_path: Path) -> None:
    lines = ["template spare_monitoring: no config found in /config/v2.0/spares/"]
    result = asked(tmp_path, WELL | SPARE)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [*lines, "1 resources, 0 problems"]
    other = {"/config/v2.0/others/1": site.envelope({}), "/config/v2.0/others/2": site.envelope({})}
    lines.append("/config/v2.0/others/: 2 configs without a template")
    unsure = asked(tmp_path, WELL | SPARE | other)
    assert (unsure.exit_code, unsure.stdout) == (1, "")
    assert unsure.stderr.splitlines() == [*lines, "1 resources, 0 problems"]
    assert asked(tmp_path, WELL | other).exit_code == 0
    known = asked(tmp_path, WELL | SPARE | other, schemas=[{"id": "other", "plural": "others", "prefix": "/v2.0"}])
    assert known.exit_code == 0
    assert known.stderr.splitlines()[1] == "/config/v2.0/others/: 2 configs of type other without a template"


def test_a_type_that_is_not_asked_for_is_not_missed(tmp_path: Path) -> None:
    keys = WELL | SPARE | {"/config/v2.0/spares/1": site.envelope({"port_id": "p"})}
    result = asked(tmp_path, keys, "--types", "ha_interface")
    assert (result.exit_code, result.output) == (0, "1 resources, 0 problems\n")


def test_ids_with_a_slash_are_problems(tmp_path: Path) -> None:
    keys = {f"{PAIR.config}/{number:02}": site.envelope({}) for number in range(SHOWN + 2)}
    result = asked(tmp_path, WELL | keys)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"ha_interface/a/00: not monitored, because its id contains a /: {PAIR.config}/00"
    assert lines[SHOWN:] == ["type ha_interface: 2 more ids contain a /"]
    (item, *_) = json.loads(asked(tmp_path, WELL | keys, "--json").stdout)
    assert (item["type"], item["id"]) == ("ha_interface", "a/00")


def test_what_another_type_has_below_a_folder_is_no_id_with_a_slash(tmp_path: Path) -> None:
    below = {"id": "b", "plural": "bs", "metadata": {"sync_key_template": "/v2.0/ha_interfaces/{{ha_id}}/bs/{{id}}"}}
    result = asked(tmp_path, WELL | {f"{PAIR.config}/bs/1": site.envelope({})}, schemas=[below])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[0] == (
        "/config/v2.0/ha_interfaces/*/bs/{id}: 1 config of type b without a template"
    )


def test_a_resource_with_two_configs_is_reported(tmp_path: Path) -> None:
    schema = {
        "id": "spare", "plural": "spares",
        "metadata": {"state_versioning": True, "sync_key_template": "/v1/{{rack}}/{{id}}"},
    }  # fmt: skip
    keys = {f"/config/v1/{rack}/s": site.envelope({"port_id": "p"}) for rack in "ab"}
    result = asked(tmp_path, SPARE | keys, schemas=[schema])
    assert result.exit_code == 1
    assert result.stdout == ("spare/s: it has several configs: /config/v1/b/s is used, /config/v1/a/s is older\n")


@pytest.mark.parametrize("schema", [{"id": "spare", "plural": 5}, {"id": "spare", "plural": "s", "namespace": "no"}])
def test_an_invalid_schema_is_reported_and_so_is_the_template_of_its_type(
    tmp_path: Path, schema: dict[str, Any]
) -> None:
    result = asked(tmp_path, WELL | SPARE, "--json", schemas=[schema])
    assert result.exit_code == 1
    one, other = json.loads(result.stdout)
    assert (one["type"], other["template"]) == ("spare", "spare_monitoring")
    assert other["problem"] == f"schema spare: {one['problem']}"
    assert asked(tmp_path, WELL, schemas=[schema]).exit_code == 1


def test_a_type_whose_status_gohan_ignores_is_reported_once(tmp_path: Path) -> None:
    more = site.HaInterface().keys()
    schema = {"id": "ha_interface", "plural": "ha_interfaces", "prefix": "/v2.0"}
    result = asked(tmp_path, WELL | more, schemas=[schema])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        "type ha_interface: gohan ignores its status: its schema does not have state_versioning: true",
        "2 resources, 0 problems",
    ]


def test_check_works_for_a_user_who_may_read_single_folders_only(own_etcd: Etcd, tmp_path: Path) -> None:
    own_etcd.txn(WELL)
    password = tmp_path / "password"
    password.write_text("monitor-pw")
    guarded = Guarded(own_etcd, password)
    guarded.enable()
    configs = ("/config/v2.0/heat_templates/", "/config/v2.0/ha_interfaces/")
    guarded.grant_reading(*configs, "/monitoring/v2.0/", "/ha_monitor/maintenance/")
    ended = command("check", "--etcd", own_etcd.url, *guarded.options)
    assert ended.returncode == 0, ended
    first, last = ended.stderr.decode().splitlines()
    assert first.startswith("folders without a template are not reported: listing /config/: ")
    assert last == "1 resources, 0 problems"
