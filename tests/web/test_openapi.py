"""/openapi.json, and a service asked everything that it promises, by schemathesis."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from httpx_sse import connect_sse

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support import site
    from tests.web.conftest import Shown

EXAMPLES = 4  # requests for each operation

CONFIG = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503", "504"]

[parameters]
"query.timeout" = 0.05
"""
"""503 is an answer here: a probe's no, and not ready; so is 504, for a revision that etcd has not reached yet."""


def test_every_path_is_described(shown: Shown) -> None:
    document = shown.client.get("/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        "/healthz", "/readyz", "/probe/{type}/{id}", "/api/v1/resources", "/api/v1/resources/{type}/{id}",
        "/api/v1/explain/{type}/{id}", "/api/v1/summary", "/api/v1/group", "/api/v1/map", "/api/v1/history",
        "/api/v1/events", "/metrics", "/",
    }  # fmt: skip
    assert all(list(path) == ["get"] for path in document["paths"].values())


def test_events_are_as_described(shown: Shown) -> None:
    document = shown.client.get("/openapi.json").json()
    answer = document["paths"]["/api/v1/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]
    described = {
        name: document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name, schema in answer["schema"]["x-events"].items()
    }
    assert set(described) == {"snapshot", "change", "heartbeat"}
    with connect_sse(shown.client, "GET", "/api/v1/events") as source:
        for event in islice(source.iter_sse(), 2):
            assert set(json.loads(event.data)) == set(described[event.event]["properties"])


@pytest.mark.thorough
def test_schemathesis_has_nothing_against_it(
    pairs: list[site.HaInterface], service: StartService, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("let-me-in\n")
    tmp_path.joinpath("schemathesis.toml").write_text(CONFIG)
    running = service("--http-token-file", str(token))
    line = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{running.url}/openapi.json", "--checks", "all",
        "--exclude-path", "/api/v1/events",  # it has no end
        "--max-examples", str(EXAMPLES), "--generation-database", "none", "--no-color", "--seed", "1",
        "--header", "Authorization: Bearer let-me-in",
    ]  # fmt: skip
    ended = subprocess.run(line, capture_output=True, timeout=110, check=False, cwd=tmp_path, text=True)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr
    assert running.running
