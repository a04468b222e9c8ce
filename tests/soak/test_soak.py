"""A short soak; ``make soak SECONDS=1800`` runs a long one."""

from __future__ import annotations

import secrets

import pytest

from tests.soak.soak import Soak


@pytest.mark.timeout(150)
def test_random_changes_and_faults_leave_what_a_fresh_evaluation_gives() -> None:
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # shown where it fails
    soak = Soak(seed)
    try:
        figures = soak.run(10.0)
    finally:
        soak.close()
    assert soak.checks > 1, figures
