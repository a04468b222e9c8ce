"""A short soak and a short upgrade; ``make soak SECONDS=1800`` and ``make upgrade SECONDS=600`` run long ones."""

from __future__ import annotations

import secrets

import pytest

from tests.etcds.sources import chosen
from tests.soak.soak import Soak
from tests.soak.upgrade import PATH, Upgrade


@pytest.mark.long
@pytest.mark.timeout(150)
@pytest.mark.parametrize("members", [1, 3], ids=["alone", "group"])
def test_random_changes_and_faults_leave_what_a_fresh_evaluation_gives(members: int) -> None:
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}, members {members}")  # shown where it fails
    soak = Soak(seed, members)
    try:
        figures = soak.run(6.0)
    finally:
        soak.close()
    assert soak.checks > 1, figures


@pytest.mark.long
@pytest.mark.timeout(400)
def test_an_upgrade_of_etcd_member_by_member_is_noticed_only_while_a_member_restarts() -> None:
    servers = [source.find() for source in chosen(PATH.split())]
    if None in servers:
        pytest.skip(f"not all of etcd {PATH} are here: make etcds")
    upgrade = Upgrade([str(server) for server in servers], members=3)
    try:
        figures = upgrade.run(7.0)
    finally:
        upgrade.close()
    assert figures["flips of the canary"], figures
