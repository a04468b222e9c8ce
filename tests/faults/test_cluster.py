"""A cluster of three: quorum lost and won, leaders killed, members frozen. The service moves to one that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.fleet import DOWN, UP
from tests.support.cluster import SIZE, Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.conftest import Watched
    from tests.support.etcd import Etcd


pytestmark = pytest.mark.thorough


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Callable[[int], Etcd]]:
    """Give clients of members; the service begins with the first."""
    made: list[Etcd] = []

    def make(member: int) -> Etcd:
        made.append(cluster.client(member))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_lost_quorum_is_told_and_all_is_right_once_it_is_won_back(
    cluster: Cluster, client: Callable[[int], Etcd], watch: Callable[..., Watched]
) -> None:
    watched = watch(client(0), through=cluster)
    cluster.kill(1, 2)
    watched.unready()
    cluster.start(1, 2)
    watched.flip(1, 2)
    watched.ready()
    watched.right()


def test_a_member_without_quorum_is_left_for_those_who_have_it(
    cluster: Cluster, client: Callable[[int], Etcd], watch: Callable[..., Watched]
) -> None:
    """The first member is frozen: the others go on, and so does the service, while it stays frozen."""
    watched = watch(client(0), through=cluster)
    cluster.freeze(0)
    try:
        watched.etcd = client(1)
        watched.flip(3)
        watched.right()  # by way of another member: being not ready until then may be too short to be seen
        watched.ready()
    finally:
        cluster.thaw(0)
    watched.service.stop()


@pytest.mark.parametrize("leads", [False, True], ids=["a follower", "the leader"])
def test_a_member_that_is_alive_and_cut_off_from_the_others_is_left_for_one_of_them(
    cluster: Cluster, client: Callable[[int], Etcd], watch: Callable[..., Watched], leads: bool
) -> None:
    cluster.lead(0 if leads else 1)
    watched = watch(client(0), through=cluster)
    cluster.isolate(0)
    watched.etcd = client(1)
    watched.flip(3)
    watched.right(15.0)
    watched.ready()
    cluster.join()
    watched.flip(4)
    watched.right()


def test_a_leader_killed_under_changes_loses_nothing(
    cluster: Cluster, client: Callable[[int], Etcd], watch: Callable[..., Watched]
) -> None:
    watched = watch(client(0), through=cluster)
    leader = cluster.leader()
    watched.etcd = client((leader + 1) % SIZE)
    for number in range(20):
        if number == 10:
            cluster.kill(leader)
        watched.flip(number, value=DOWN if number % 2 else UP)
    watched.ready()
    watched.right()
    cluster.start(leader)
    watched.flip(0)
    watched.right()


def test_the_member_that_is_watched_dies_and_another_takes_over(
    cluster: Cluster, client: Callable[[int], Etcd], watch: Callable[..., Watched]
) -> None:
    watched = watch(client(0), through=cluster)
    cluster.kill(0)
    watched.etcd = client(2)
    watched.flip(5)
    watched.ready()
    watched.right()
