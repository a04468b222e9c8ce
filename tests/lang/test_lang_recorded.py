"""A recorded site: what the real system's resolver made of its mappings. Skipped where the record is not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ha_monitor.lang import Catalog, Template, compile_template
from tests.lang.language_site import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(os.environ.get("HA_MONITOR_RECORDED_SITE") or Path(__file__).parents[2].parent / "shared" / "real")
needs_record = pytest.mark.skipif(
    not (FOLDER / "internet_gateway_jobs.json").is_file(), reason="no recorded site: set HA_MONITOR_RECORDED_SITE"
)


def decoded(value: Any) -> Any:
    """Return a value that is JSON, or JSON in a text."""
    return json.loads(value) if isinstance(value, str) else value


class Recorded:
    """A look-up in a recorded etcd."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.keys: dict[str, Any] = json.loads((FOLDER / "internet_gateway.json").read_text())

    def config(self, type_: str, id_: str) -> Mapping[str, object] | None:
        envelope = decoded(self.keys.get(f"/config{self.catalog.prefix(type_)}/{id_}"))
        return None if envelope is None else decoded(envelope["body"])

    def outputs(self, type_: str, id_: str) -> Mapping[str, object] | None:
        stack = decoded(self.keys.get(f"/esi-worker/heat_stacks{self.catalog.prefix(type_)}/{id_}"))
        return None if stack is None else {each["output_key"]: each.get("output_value") for each in stack["output"]}

    def template(self, template_id: str) -> Template:
        body = self.config("heat_template", template_id)
        assert body is not None
        return compile_template(template_id, body, KINDS, self.catalog, {})


def catalogs() -> list[Catalog]:
    """Return the built-in catalog and that of the site's schemas."""
    return [Catalog.builtin(), Catalog.from_schemas([json.loads((FOLDER / "schemas.json").read_text())])]


@needs_record
@pytest.mark.parametrize("which", [0, 1], ids=["built-in", "schemas"])
def test_every_recorded_job_comes_out_the_same(which: int) -> None:
    """Parameters and values are those of the real system, and its chain of resources is among what was read."""
    site = Recorded(catalogs()[which])
    jobs = json.loads((FOLDER / "internet_gateway_jobs.json").read_text())
    assert jobs
    for job in jobs:
        type_, id_ = job["resource_type"], job["resource_id"]
        body = site.config(type_, id_)
        assert body is not None
        rendering = site.template(f"{type_}_monitoring").render(type_, id_, body, site)
        assert list(rendering.parameters) == [param["param"] for param in job["params"]]
        seen = {(ref.type, ref.id) for ref in (*rendering.reads, *rendering.refers)}
        for param in job["params"]:
            name, value = param["param"], param["value"]
            if param["type"] == "output_key":
                outputs = site.outputs(value["resource_type"], value["resource_id"])
                assert outputs is not None
                value = outputs[value["output_key"]]
            if (type_, name) != ("port", "attached"):
                assert rendering.parameters[name] == value
            assert {(each["resource_type"], each["resource_id"]) for each in param["resources"]} <= seen


@needs_record
def test_problems_of_the_recorded_site_are_those_that_truly_hold() -> None:
    """Of all its resources two have a problem: a gateway without an uplink, and a port without a stack."""
    site = Recorded(catalogs()[1])
    problems = {}
    for key in site.keys:
        if not key.startswith("/config/v2.0/"):
            continue
        prefix, id_ = key.removeprefix("/config").rsplit("/", 1)
        type_ = site.catalog.type_of(prefix) or ""
        body = site.config(type_, id_)
        if body is None or site.config("heat_template", f"{type_}_monitoring") is None:
            continue
        problem = site.template(f"{type_}_monitoring").render(type_, id_, body, site).problem
        if problem is not None:
            problems[type_] = problem
    assert sorted(problems) == ["internet_gateway", "port"]
    assert "its etcd_id is empty, because 'uplink_interface_id' is null" in problems["internet_gateway"]
    assert "has no stack outputs" in problems["port"]


@needs_record
def test_every_relation_of_the_recorded_schemas_is_built_in() -> None:
    """Without the schema file the same relations are known."""
    builtin = Catalog.builtin()
    for schema in json.loads((FOLDER / "schemas.json").read_text())["schemas"]:
        for field, fact in schema["schema"]["properties"].items():
            if fact.get("relation"):
                assert builtin.relation(schema["id"], field) == fact["relation"]


@needs_record
def test_every_recorded_template_compiles() -> None:
    """All 23 templates are the language's."""
    site = Recorded(Catalog.builtin())
    ids = [key.rsplit("/", 1)[1] for key in site.keys if "/heat_templates/" in key]
    assert len(ids) == 23
    assert all(site.template(template_id).handler == "monitoring_worker" for template_id in ids)
