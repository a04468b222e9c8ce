"""Which shard a resource falls into, and which member is to have which shard. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping


def shard_of(type_: str, id_: str, shards: int) -> int:
    """Give a resource's shard: the same in every process, of every version, on every machine."""
    if shards == 1:
        return 0
    name = f"{type_}/{id_}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") % shards


def share_out(
    members: Iterable[str], owners: Mapping[int, str], shards: int, passed: Container[str] = ()
) -> dict[int, str]:
    """Say who is to have each shard: nobody two more than another, and as few moves as that takes.

    Every member works it out by itself, from the same keys, so that nobody has to be asked. Nothing hangs on all of
    them seeing the same at the same moment: a shard is had by who holds its key, and etcd gives that to one.

    :param owners: who has which shard now; one who is no member has none.
    :param passed: members that are given no more shards than they have.
    """
    held: dict[str, list[int]] = {member: [] for member in sorted(members)}
    if not held:
        return {}
    for shard, owner in sorted(owners.items()):
        if owner in held and shard < shards:
            held[owner].append(shard)
    share = _shares({member: len(own) for member, own in held.items()}, shards, passed)
    plan = {shard: member for member, own in held.items() for shard in own[: share[member]]}
    free = iter([shard for shard in range(shards) if shard not in plan])
    for member, own in held.items():
        for _ in range(share[member] - len(own)):
            plan[next(free)] = member
    return plan


def _shares(held: Mapping[str, int], shards: int, passed: Container[str]) -> dict[str, int]:
    """Give how many shards each member is to have, of how many it holds."""
    share: dict[str, int] = {}
    room, pool = shards, set(held)
    while pool:
        capped = {member for member in pool if member in passed and held[member] <= room // len(pool)}
        if not capped:
            break
        share.update((member, held[member]) for member in capped)
        room -= sum(held[member] for member in capped)
        pool -= capped
    if pool:
        least, more = divmod(room, len(pool))
        fullest_first = sorted(pool, key=lambda member: (-held[member], member))
        share.update((member, least + (place < more)) for place, member in enumerate(fullest_first))
    return share
