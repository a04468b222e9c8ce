"""Leases, as etcd's ``lessor`` keeps them: how long each lives, and the keys that end with it. Pure: told the time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from ha_monitor.testing.refusals import LEASE_EXISTS, LEASE_NOT_FOUND, TTL_TOO_LARGE, Refused

LEAST_TTL = 2
"""Seconds that a lease lives at least: one and a half election timeouts of etcd's default, in whole seconds."""

LONGEST_TTL = 9_000_000_000
"""Seconds that etcd takes at the most."""


@dataclass(slots=True)
class Lease:
    """A time to live in whole seconds, when it is over (monotonic seconds), and the keys that were put with it."""

    id: int
    ttl: int
    due: float
    keys: set[bytes] = field(default_factory=set)


class Leases:
    """All leases that live."""

    def __init__(self) -> None:
        self.living: dict[int, Lease] = {}
        self._of_key: dict[bytes, Lease] = {}
        self._ids = itertools.count(0x7587_0000_0000_0001)

    def copy(self) -> Leases:
        """Give others with the same content: a part of a backup."""
        other = Leases()
        other._ids = self._ids  # no id is given twice
        for lease in self.living.values():
            other.living[lease.id] = Lease(lease.id, lease.ttl, lease.due, lease.keys.copy())
            other._of_key.update(dict.fromkeys(lease.keys, other.living[lease.id]))
        return other

    def grant(self, id_: int, ttl: int, now: float) -> Lease:
        """Make one; an ``id_`` of 0 has one chosen."""
        if ttl > LONGEST_TTL:
            raise Refused(TTL_TOO_LARGE)
        if id_ in self.living:
            raise Refused(LEASE_EXISTS)
        id_, ttl = id_ or next(self._ids), max(ttl, LEAST_TTL)
        lease = self.living[id_] = Lease(id_, ttl, now + ttl)
        return lease

    def get(self, id_: int) -> Lease:
        """Give the one with an id; raises what etcd says where there is none."""
        if id_ not in self.living:
            raise Refused(LEASE_NOT_FOUND)
        return self.living[id_]

    def refresh(self, id_: int, now: float) -> int:
        """Have one live for its whole time again; give that, 0 where there is none."""
        lease = self.living.get(id_)
        if lease is None:
            return 0
        lease.due = now + lease.ttl
        return lease.ttl

    def refresh_all(self, now: float) -> None:
        """Have all of them live for their whole time again, as an etcd does that begins to lead."""
        for lease in self.living.values():
            lease.due = now + lease.ttl

    def attach(self, key: bytes, id_: int) -> None:
        """Note that a key was put with a lease, 0: with none, or was deleted."""
        before = self._of_key.pop(key, None)
        if before is not None:
            before.keys.discard(key)
        if id_:
            lease = self._of_key[key] = self.get(id_)
            lease.keys.add(key)

    def end(self, id_: int) -> list[bytes]:
        """End one; give its keys, in the order in which etcd deletes them."""
        lease = self.get(id_)
        del self.living[id_]
        return sorted(lease.keys)

    def over(self, now: float) -> list[int]:
        """Give those whose time is over."""
        return [lease.id for lease in self.living.values() if lease.due <= now]
