"""Which shard a resource falls into, and which member is to have which shard. Pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def shard_of(type_: str, id_: str, shards: int) -> int:
    """Give a resource's shard: the same in every process, of every version, on every machine."""
    if shards == 1:
        return 0
    name = f"{type_}/{id_}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big") % shards


def share_out(members: Iterable[str], owners: Mapping[int, str], shards: int) -> dict[int, str]:
    """Say who is to have each shard: nobody two more than another, and as few moves as that takes.

    Every member works it out by itself, from the same keys, so that nobody has to be asked. Nothing hangs on all of
    them seeing the same at the same moment: a shard is had by who holds its key, and etcd gives that to one.

    :param owners: who has which shard now; one who is no member has none.
    """
    held: dict[str, list[int]] = {member: [] for member in sorted(members)}
    if not held:
        return {}
    for shard, owner in sorted(owners.items()):
        if owner in held and shard < shards:
            held[owner].append(shard)
    least, more = divmod(shards, len(held))
    fullest_first = sorted(held, key=lambda member: (-len(held[member]), member))
    share = {member: least + (place < more) for place, member in enumerate(fullest_first)}
    plan = {shard: member for member, own in held.items() for shard in own[: share[member]]}
    free = iter([shard for shard in range(shards) if shard not in plan])
    for member, own in held.items():
        for _ in range(share[member] - len(own)):
            plan[next(free)] = member
    return plan
