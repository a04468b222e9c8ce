"""What ``check`` tells of folders: configs that no template is for, templates without a config, ids with a slash."""

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
    nothing = "templates: no resource is monitored by those in /config/v2.0/heat_templates/"
    ended = {key: site.envelope({}, marked=True) for key in (PAIR.config,)}
    for keys, line in (
        ({}, f"{nothing}: none of them is served"),
        (site.ha_template() | ended, f"{nothing}: every config that one is for is marked for deletion"),
        (
            site.ha_template(),
            "template ha_interface_monitoring: there is no config of its type: /config/v2.0/ha_interfaces/",
        ),
    ):
        result = asked(tmp_path, keys)
        assert (result.exit_code, result.stdout) == (1, f"{line}\n")
        assert result.stderr == "0 resources, 1 problems\n"
    (told,) = json.loads(asked(tmp_path, site.ha_template(), "--json").stdout)
    assert told["template"] == "ha_interface_monitoring"
    (told,) = json.loads(asked(tmp_path, {}, "--json").stdout)
    assert (told["type"], told["id"], told["template"]) == (None, None, None)


def test_a_template_whose_configs_seem_to_be_elsewhere_is_a_problem(tmp_path: Path) -> None:
    result = asked(tmp_path, WELL | SPARE | {"/config/x/Spares/1": site.envelope({"port_id": "p"})})
    assert result.exit_code == 1
    assert result.stdout == (
        "template spare_monitoring: there is no config of its type: /config/v2.0/spares/; configs are in"
        " /config/x/Spares/: a schema file tells where a type has its own (--schema-file)\n"
    )


def test_a_template_without_a_config_is_told_and_all_is_well_where_no_config_may_be_its(tmp_path: Path) -> None:
    lines = ["template spare_monitoring: there is no config of its type: /config/v2.0/spares/"]
    result = asked(tmp_path, WELL | SPARE)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [*lines, "1 resources, 0 problems"]
    other = {"/config/v2.0/others/1": site.envelope({}), "/config/v2.0/others/2": site.envelope({})}
    lines.append("/config/v2.0/others/: no template is for its 2 configs")
    unsure = asked(tmp_path, WELL | SPARE | other)
    assert (unsure.exit_code, unsure.stdout) == (1, "")
    assert unsure.stderr.splitlines() == [*lines, "1 resources, 0 problems"]
    assert asked(tmp_path, WELL | other).exit_code == 0
    known = asked(tmp_path, WELL | SPARE | other, schemas=[{"id": "other", "plural": "others", "prefix": "/v2.0"}])
    assert known.exit_code == 0
    assert known.stderr.splitlines()[1] == f"{lines[1]} of type other"


def test_a_type_that_is_not_asked_for_is_not_missed(tmp_path: Path) -> None:
    keys = WELL | SPARE | {"/config/v2.0/spares/1": site.envelope({"port_id": "p"})}
    result = asked(tmp_path, keys, "--types", "ha_interface")
    assert (result.exit_code, result.output) == (0, "1 resources, 0 problems\n")


def test_ids_with_a_slash_are_problems(tmp_path: Path) -> None:
    keys = {f"{PAIR.config}/{number:02}": site.envelope({}) for number in range(SHOWN + 2)}
    result = asked(tmp_path, WELL | keys)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"ha_interface/a/00: its id has a / in it, so it is not monitored: {PAIR.config}/00"
    assert lines[SHOWN:] == ["type ha_interface: 2 more ids have a / in them"]
    (told, *_) = json.loads(asked(tmp_path, WELL | keys, "--json").stdout)
    assert (told["type"], told["id"]) == ("ha_interface", "a/00")


def test_what_another_type_has_below_a_folder_is_no_id_with_a_slash(tmp_path: Path) -> None:
    below = {"id": "b", "plural": "bs", "metadata": {"sync_key_template": "/v2.0/ha_interfaces/{{ha_id}}/bs/{{id}}"}}
    result = asked(tmp_path, WELL | {f"{PAIR.config}/bs/1": site.envelope({})}, schemas=[below])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines()[0] == (
        "/config/v2.0/ha_interfaces/*/bs/{id}: no template is for its 1 config of type b"
    )


def test_a_resource_with_two_configs_is_told(tmp_path: Path) -> None:
    schema = {
        "id": "spare", "plural": "spares",
        "metadata": {"state_versioning": True, "sync_key_template": "/v1/{{rack}}/{{id}}"},
    }  # fmt: skip
    keys = {f"/config/v1/{rack}/s": site.envelope({"port_id": "p"}) for rack in "ab"}
    result = asked(tmp_path, SPARE | keys, schemas=[schema])
    assert result.exit_code == 1
    assert result.stdout == ("spare/s: it has several configs: /config/v1/b/s counts, /config/v1/a/s was put before\n")


@pytest.mark.parametrize("schema", [{"id": "spare", "plural": 5}, {"id": "spare", "plural": "s", "namespace": "no"}])
def test_a_schema_that_leads_nowhere_is_told_as_is_the_template_of_its_type(
    tmp_path: Path, schema: dict[str, Any]
) -> None:
    result = asked(tmp_path, WELL | SPARE, "--json", schemas=[schema])
    assert result.exit_code == 1
    one, other = json.loads(result.stdout)
    assert (one["type"], other["template"]) == ("spare", "spare_monitoring")
    assert other["problem"] == f"schema spare: {one['problem']}"
    assert asked(tmp_path, WELL, schemas=[schema]).exit_code == 1


def test_what_gohan_does_not_take_up_is_told_once_for_a_type(tmp_path: Path) -> None:
    more = site.HaInterface().keys()
    schema = {"id": "ha_interface", "plural": "ha_interfaces", "prefix": "/v2.0"}
    result = asked(tmp_path, WELL | more, schemas=[schema])
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        "type ha_interface: gohan takes up no status of it: its schema does not have state_versioning: true",
        "2 resources, 0 problems",
    ]


def test_who_may_read_only_some_folders_is_told_of_these(own_etcd: Etcd, tmp_path: Path) -> None:
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
    assert first.startswith("the folders of /config/ can't be looked at: ")
    assert last == "1 resources, 0 problems"
