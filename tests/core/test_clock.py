"""The clock of every decision: it goes on while the machine is suspended."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time

import pytest

from ha_monitor.clock import SystemClock

AHEAD = 1_000_000


def test_a_suspension_counts() -> None:
    """A time namespace sets the clock that counts suspensions apart from the other one, as a suspension does."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed: Debian's package util-linux")
    code = "import time; from ha_monitor.clock import SystemClock; print(SystemClock().monotonic() - time.monotonic())"
    ended = subprocess.run(
        [unshare, "--time", "--boottime", str(AHEAD), sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ended.returncode != 0 and "unshare" in ended.stderr:
        pytest.skip(f"this machine does not let us: {ended.stderr.strip()}")
    assert float(ended.stdout) > AHEAD / 2, ended.stderr


def test_nobody_turns_it_back() -> None:
    clock = SystemClock()
    times = [clock.monotonic() for _ in range(1_000)]
    assert times == sorted(times)
    assert abs(clock.time() - time.time()) < 60
