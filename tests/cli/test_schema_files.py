"""Where schemas are read from: files, folders, and gohan's own configuration."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ha_monitor.schemafiles import read_catalog
from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.etcd import Etcd


def schemas(*types: str, prefix: str = "/v1") -> str:
    return json.dumps({"schemas": [{"id": type_, "plural": f"{type_}s", "prefix": prefix} for type_ in types]})


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_several_files_are_read_and_a_later_one_wins(tmp_path: Path) -> None:
    put(tmp_path, {"a.json": schemas("a", "b"), "b.yaml": schemas("b", prefix="/v2")})
    catalog = read_catalog([tmp_path / "a.json", tmp_path / "b.yaml"])
    assert [catalog.prefix(type_) for type_ in "ab"] == ["/v1/as", "/v2/bs"]


def test_a_folder_may_have_dozens_of_files_and_others_beside_them(tmp_path: Path) -> None:
    files = {f"{number:02}/type.yaml": schemas(f"t{number}") for number in range(60)}
    others = {
        "README.md": "x", "policies.yaml": "policies: []", "notes.json": "[1]", "broken.yaml": "a: [",
        "wrong.json": '{"schemas": {}}', "namespaces.yml": "namespaces: [{id: upper, prefix: up}]",
        "in.json": '{"schemas": [{"id": "inner", "plural": "inners", "namespace": "upper"}]}',
    }  # fmt: skip
    catalog = read_catalog([put(tmp_path, files | others)])
    assert len(catalog.schemas) == 61
    assert [catalog.prefix(type_) for type_ in ("t0", "t59", "inner")] == ["/v1/t0s", "/v1/t59s", "/up/inners"]
    reported = dict(catalog.problems)
    assert reported.keys() == {f"schema-file {tmp_path / name}" for name in ("broken.yaml", "wrong.json")}


def test_a_folder_without_any_schema_is_refused(tmp_path: Path) -> None:
    put(tmp_path, {"a.yaml": "policies: []"})
    with pytest.raises(ValueError, match="no file in this folder"):
        read_catalog([tmp_path])


GOHAN = """
database: {type: sqlite3, connection: {{.GOHAN_DB}}}
schemas:
  - "embed://etc/schema/gohan.json"
  - "./types/one.yaml"
  - "file://types/two.json"
  - "https://host/three.yaml"
  - "{{.GOHAN_TYPES}}/four.yaml"
  - "missing.yaml"
  - "extensions.yaml"
"""


def test_gohans_configuration_names_files_relative_to_itself(tmp_path: Path) -> None:
    files = {
        "etc/gohan.yaml": GOHAN,
        "etc/types/one.yaml": 'schemas: ["types/base.yaml", {id: one, plural: ones, extends: [base]}]',
        "etc/types/base.yaml": "schemas: [{id: base, type: abstract, prefix: /v7, metadata: {state_versioning: yes}}]",
        "etc/types/two.json": schemas("two", prefix="/v2/twos"),
        "etc/extensions.yaml": "extensions: []",
    }
    config = put(tmp_path, files) / "etc" / "gohan.yaml"
    catalog = read_catalog([config])
    assert [catalog.prefix(type_) for type_ in ("one", "two")] == ["/v7/ones", "/v2/twos/twos"]
    assert catalog.schemas["one"].ignored == "", "yes is a boolean in gohan's YAML"
    assert [words.partition(": ")[2] for words in catalog.notes] == [
        "skipping embed://etc/schema/gohan.json: it is part of gohan's binary",
        "skipping https://host/three.yaml: only files are read",
    ]
    assert catalog.problems == (
        (
            f"schema-file {config}",
            "<.GOHAN_TYPES>/four.yaml depends on gohan's environment: pass that file with --schema-file",
        ),
        (f"schema-file {tmp_path / 'etc/missing.yaml'}", "No such file or directory"),
    )
    assert read_catalog([tmp_path / "etc"]).prefix("one") == "/v7/ones"


def test_gohans_configuration_may_be_in_several_files(tmp_path: Path) -> None:
    files = {
        "gohan.yaml": "include: conf.d\naddress: x",
        "conf.d/db.yaml": "database: {}",
        "conf.d/schemas.yaml": "schemas: [types.json]",
        "types.json": schemas("a"),
    }
    assert read_catalog([put(tmp_path, files) / "gohan.yaml"]).prefix("a") == "/v1/as"


def test_files_that_name_each_other_are_read_once(tmp_path: Path) -> None:
    files = {
        "a.yaml": "schemas: [b.yaml, {id: a, plural: as}, {id: c, plural: first}]",
        "b.yaml": "schemas: [a.yaml, {id: b, plural: bs}, {id: c, plural: second}]",
    }
    catalog = read_catalog([put(tmp_path, files) / "a.yaml"])
    assert [catalog.prefix(type_) for type_ in "abc"] == ["/as", "/bs", "/second"]
    assert catalog.problems == ()


def test_keys_without_a_slash_after_the_prefix_are_read_by_commands(own_etcd: Etcd, tmp_path: Path) -> None:
    schema = {
        "id": "loose", "singular": "loose", "plural": "looses", "prefix": "/v2.0",
        "metadata": {"sync_key_template": "v1.0/loose/{{id}}", "state_versioning": True},
        "schema": {"type": "object", "properties": {"id": {"type": "string"}, "port_id": {"type": "string"}}},
    }  # fmt: skip
    file = tmp_path / "schemas.json"
    file.write_text(json.dumps({"schemas": [schema]}))
    key = "/configv1.0/loose/a"
    own_etcd.txn(site.reader_template("loose") | {key: site.envelope({"id": "a", "port_id": "p"})})
    own_etcd.put(site.monitoring_key("er_physical_interfaces", "p"), site.UP)
    options = ("--etcd", own_etcd.url, "--schema-file", str(file))
    told = command("explain", "loose", "a", *options)
    assert told.returncode == 0, told.stderr
    assert key.encode() in told.stdout
    checked = command("check", *options)
    assert (checked.returncode, checked.stdout) == (0, b""), checked.stderr
    change = json.dumps({site.monitoring_key("er_physical_interfaces", "p"): site.DOWN}).encode()
    planned = command("plan", "-", *options, stdin=change)
    assert planned.returncode == 1, planned.stderr
    assert b"loose" in planned.stdout
