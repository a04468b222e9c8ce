"""A short soak; ``make soak SECONDS=1800`` runs a long one."""

from __future__ import annotations

import secrets

import pytest

from tests.soak.soak import Soak


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
