"""Every example runs, against a real etcd."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import site

if TYPE_CHECKING:
    from tests.support.etcd import Etcd

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_an_embedded_monitor_tells_its_program_of_a_failover(etcd: Etcd) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(EXAMPLES / "embedding" / "failover.py"), etcd.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == f"{pair.id}: active primary\n"
        etcd.put(pair.primary_state, site.DOWN)
        assert process.stdout.readline() == f"{pair.id}: failover from primary to secondary\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=5)
    finally:
        process.kill()
    assert (process.returncode, errors) == (0, "")
