"""``python -m tests.etcds.matrix``: runs the suites that talk to etcd against each version, and prints a line for each.

All suites run against the oldest and the newest version, the conformance, faults and group suites against those in
between, unless ``--full`` is given. Ends with 1 where a test of any version fails twice or a version is not here.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from tests.etcds.bring import sources_of, versions_of
from tests.etcds.sources import HERE, SOURCES, reported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.etcds.sources import Source

_ROOT = HERE.parents[1]
_ALWAYS = ("tests/support", "tests/faults", "tests/group", "tests/testing/*conformance*.py")
_AT_THE_ENDS = ("tests/service", "tests/property", "tests/runtime", "tests/hooks")


@dataclass(frozen=True)
class Outcome:
    """What the suites came to with one version; ``words`` where they could not be run or did not end as they should."""

    version: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    words: str = ""
    ended_well: bool = False

    @property
    def good(self) -> bool:
        """Whether tests ran and none failed, or none of them twice."""
        return self.ended_well and not self.failed and self.passed > 0

    def __str__(self) -> str:
        counts = f"{self.passed:5d} passed {self.failed:4d} failed {self.skipped:4d} skipped {self.seconds:6.0f} s"
        return f"etcd {self.version:8s} {counts}{f'  {self.words}' if self.words else ''}"


def suites(source: Source, *, full: bool) -> list[str]:
    """Return the paths of the suites that run against a version."""
    patterns = _ALWAYS + (_AT_THE_ENDS if full or source in (SOURCES[0], SOURCES[-1]) else ())
    return [str(path.relative_to(_ROOT)) for pattern in patterns for path in sorted(_ROOT.glob(pattern))]


def run(source: Source, more: Sequence[str], *, full: bool) -> Outcome:
    """Run the suites against one version; pytest's own output goes where ours goes."""
    server = source.find()
    if server is None:
        return Outcome(source.version, words="it is not here: make etcds")
    version, begun = reported(server), time.monotonic()
    print(f"\netcd {version}, from {source.words}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ha-monitor-matrix-") as folder:
        report = Path(folder, "report.xml")
        paths = suites(source, full=full)
        line = [sys.executable, "-m", "pytest", "-q", "-rs", "-m", "not long", f"--junitxml={report}", *paths, *more]
        env = {**os.environ, "ETCD": str(server)}
        code = subprocess.run(line, cwd=_ROOT, env=env, check=False).returncode
        again = 0
        if code == 1:  # a fault is there alone as well; a moment in which a shared machine stood still is not
            again = _run_again(env, report, [*paths, *more])
            code = 0 if again else 1
        seconds = time.monotonic() - begun
        words = "" if code in (0, 1) else f"pytest ended with {code}"
        try:
            counts = ElementTree.parse(report).getroot().find("testsuite")
        except (OSError, ElementTree.ParseError):
            counts = None
    if counts is None:
        return Outcome(version, seconds=seconds, words=words or "pytest wrote no report")
    tests, failed, errors, skipped = (int(counts.get(name, 0)) for name in ("tests", "failures", "errors", "skipped"))
    if again:
        words, failed, errors = f"{again} of them at their second try", 0, 0
    return Outcome(
        version, max(tests - failed - errors - skipped, 0), failed + errors, skipped, seconds, words, code == 0
    )


def _run_again(env: Mapping[str, str], report: Path, more: Sequence[str]) -> int:
    """Run the tests that failed once more, few at a time; return how many they were, 0 where one failed again."""
    print("\nthose that failed, once more:", flush=True)
    failed = [
        case for case in ElementTree.parse(report).getroot().iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]  # fmt: skip
    line = [sys.executable, "-m", "pytest", "-q", "-m", "not long", "--last-failed", "--last-failed-no-failures=none"]
    line += ["-n", "2", *more]
    code = subprocess.run(line, cwd=_ROOT, env=env, check=False).returncode
    return len(failed) if code == 0 else 0


def main() -> None:
    """Run from the command line; what is not ours goes to pytest, such as ``-k word`` or ``-x``."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    versions_of(parser)
    parser.add_argument("--full", action="store_true", help="all suites against the versions in between as well")
    given, more = parser.parse_known_args()
    outcomes = []
    for source in sources_of(parser, given):
        outcomes.append(run(source, more, full=given.full))
        print(outcomes[-1], flush=True)
    print("\n" + "\n".join(map(str, outcomes)), flush=True)
    sys.exit(0 if all(outcome.good for outcome in outcomes) else 1)


if __name__ == "__main__":
    main()
