"""Standard streams that are closed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.service import Service

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
