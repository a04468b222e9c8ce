"""A group on an etcd of its own, with a seed that a failure tells of."""

from __future__ import annotations

import os
import secrets
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.support.group import Changes, Group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.etcd import Etcd


@pytest.fixture
def random() -> Random:
    """Chance, by the seed that ``HA_MONITOR_SEED`` names or another one each time."""
    seed = int(os.environ.get("HA_MONITOR_SEED") or secrets.randbelow(2**32))
    print(f"HA_MONITOR_SEED={seed}")
    return Random(seed)


@pytest.fixture
def changes(own_etcd: Etcd, random: Random) -> Iterator[Changes]:
    made = Changes(own_etcd, random)
    yield made
    made.end()


@pytest.fixture
def group(own_etcd: Etcd) -> Iterator[Group]:
    """A group of four shards, without any member so far."""
    made = Group(own_etcd)
    try:
        yield made
        for member in made.members:
            member.stop()
    finally:
        made.close()
