"""A pair of interfaces, and a command that is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.hooks import Recorder

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.etcd import Etcd


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture
def pair(etcd: Etcd) -> site.HaInterface:
    pair = site.HaInterface("pair")
    etcd.txn(site.ha_template() | pair.keys())
    return pair
