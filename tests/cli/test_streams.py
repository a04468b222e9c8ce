"""Standard streams that are closed, or that do not take every letter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.service import COMMAND, Service

if TYPE_CHECKING:
    from tests.support.etcd import Etcd


@pytest.mark.parametrize("closed", [">&- 2>&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_it_runs_and_ends_well_without_standard_streams(etcd: Etcd, closed: str) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    running = Service(etcd.url, before=["sh", "-c", f'exec "$0" "$@" {closed}'])
    try:
        running.wait_ready()
        etcd.wait_record(pair.record, site.record())
        for number in range(3):
            opened = str(Path("/proc", str(running.pid), "fd", str(number)).readlink())
            assert opened == os.devnull or opened.endswith("stderr"), "no socket of ours"
        running.stop()
    finally:
        running.kill()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("render ha_interface 東京-1", rb"ha_interface \u6771\u4eac-1 (version 1"),
        ("explain ha_interface 東京-1", rb"ha_interface \u6771\u4eac-1 is UP"),
        ("check", rb"ha_interface/\U0001f525: entry"),
    ],
)
def test_what_stdout_has_no_letter_for_is_written_as_an_escape(tmp_path: Path, command: str, words: bytes) -> None:
    data = tmp_path / "site.json"
    fire = {site.config_key("ha_interfaces", "🔥"): site.envelope({"id": "🔥"})}
    data.write_text(json.dumps(site.ha_template() | site.HaInterface("東京-1").keys() | fire))
    line = [sys.executable, "-W", "error", "-m", "ha_monitor", *command.split(), "--data", str(data)]
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ended = subprocess.run(line, capture_output=True, env=env, timeout=COMMAND, check=False)
    assert b"Traceback" not in ended.stderr
    assert words in ended.stdout
    as_json = subprocess.run([*line, "--json"], capture_output=True, env=env, timeout=COMMAND, check=False)
    assert {"東京-1", "🔥"} & set(_texts(json.loads(as_json.stdout)))


def _texts(value: object) -> list[str]:
    """Give every text in a JSON document."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []
