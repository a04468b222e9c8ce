"""The benchmark itself: it runs, and its JSON holds what its table shows. No figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.benchmarks.figures import Row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
def test_a_small_one_runs_and_its_verdicts_are_right(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    arguments = ["-n", "400", "--rounds", "1", "--latencies", "10", "--events", "2000", "--json", str(figures)]
    line = [
        sys.executable,
        "-m",
        "tests.benchmarks.bench",
        *arguments,
        "--rows",
        "heard",
        "published",
        "backlog",
        "start",
    ]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=100, check=False)
    assert "Traceback" not in ended.stderr, ended.stderr
    written = json.loads(figures.read_text())
    for size in ("small", "large"):
        for row in written[size]:
            assert row["name"] in ended.stdout or len(row["name"]) > 30, row
            assert all(value > 0 for value in row["product"]), row
            assert len(row["product"]) == 1, row
            assert len(row["floor"]) == (0 if row["name"].startswith("first list") else 1), row
    assert ended.returncode == any(row["met"] is False for row in written["small"] + written["large"])


def test_a_row_is_met_by_the_ratio_of_its_medians() -> None:
    row = Row("rate", "events/s", 0.5, at_most=False, product=[40.0, 60.0, 1.0], floor=[100.0, 80.0, 80.0])
    assert (row.ratio, row.met) == (0.5, True)
    assert Row("time", "s", 4, product=[4.1]).met is False
    assert Row("shown only", "s", None, product=[4.1]).met is None
