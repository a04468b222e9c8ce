"""The keys of a group, as its watch keeps them: who is a member, and who has which shard."""

from __future__ import annotations

import json
import logging
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from ha_monitor.reading.decoded import decode
from ha_monitor.watch.views import View

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from aetcd import rpc

log = logging.getLogger(__name__)

NOBODY = ""
"""Who has a shard whose key hangs on no lease: it would never end by itself, as a member may."""


class Owner(NamedTuple):
    """Who created a shard's key, and at which revision: what a write in its name is fenced with."""

    member: str
    revision: int


def charter(shards: int) -> bytes:
    """Give the value of a member's key: what all members have to agree on, so that etcd can compare it."""
    return json.dumps({"shards": shards}).encode()


def agreed_shards(value: bytes) -> int | None:
    """Read a member's key; ``None`` for one that can't be read."""
    try:
        shards = decode(value, "the key")["shards"]
    except (ValueError, TypeError, KeyError):
        return None
    return shards if isinstance(shards, int) else None


class Roster(View):
    """Implements :class:`ha_monitor.watch.sink.Sink` for the prefix of one group."""

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.members: set[str] = set()
        self.owners: dict[int, Owner] = {}
        self._strays: set[bytes] = set()
        """Keys among those of the members that no member put: a copy or a dump of a store has them, without leases."""
        self.overwritten: set[int] = set()
        """The shards whose key another client has put over since a member created it."""
        self.revision = 0
        """The revision up to which the list and the watch have brought all."""
        self.on_news: Callable[[], None] = lambda: None
        """Told once members or owners may be others."""
        self.on_list: Callable[[], None] = lambda: None
        """Told when all is listed again: the watch was too late for what was compacted, or the store is another one."""

    def member_key(self, member: str) -> bytes:
        """Give the key of a member."""
        return self.key(f"members/{member}")

    def shard_key(self, shard: int) -> bytes:
        """Give the election key of a shard."""
        return self.key(f"shards/{shard}")

    @property
    def members_prefix(self) -> bytes:
        """What the keys of all members begin with."""
        return self.key("members/")

    def list_begins(self) -> None:
        """Begin a list."""
        super().list_begins()
        self.revision = 0  # of a store that may be older
        self.on_list()

    def list_ends(self, revision: int) -> Iterator[None]:
        """Drop what the list did not have."""
        yield from super().list_ends(revision)
        self._brought(revision)

    def apply(self, events: Sequence[rpc.Event]) -> Iterator[None]:
        """Apply events, in order."""
        yield from super().apply(events)
        self._brought(events[-1].kv.mod_revision)

    def _brought(self, revision: int) -> None:
        self.revision = revision
        self.on_news()

    def _is_ours(self, key: bytes) -> bool:
        kind, _, name = self._text(key).partition("/")
        return kind == "members" or (kind == "shards" and _is_number(name))

    def size(self) -> int:
        """Give how many members and owners there are."""
        return len(self.members) + len(self._strays) + len(self.owners)

    def _keys(self) -> Iterator[bytes]:
        members, strays, owners = tuple(self.members), tuple(self._strays), tuple(self.owners)
        return chain(map(self.member_key, members), strays, map(self.shard_key, owners))

    def _put(self, key: bytes, item: rpc.KeyValue) -> None:
        kind, _, name = self._text(key).partition("/")
        if kind == "members":
            self._put_member(key, name, item)
        else:
            self._put_owner(int(name), item)

    def _put_member(self, key: bytes, name: str, item: rpc.KeyValue) -> None:
        if item.lease and name and "/" not in name:
            self.members.add(name)
            self._strays.discard(key)
        else:
            self.members.discard(name)
            if key not in self._strays:
                self._strays.add(key)
                _warn(key)

    def _put_owner(self, shard: int, item: rpc.KeyValue) -> None:
        """Take a shard's key. A member wins an election by creating it: a later put over it elects no other one."""
        member = item.value.decode("utf-8", "surrogateescape") if item.lease else NOBODY
        before, owner = self.owners.get(shard), Owner(member, item.create_revision)
        if before == owner:
            self.overwritten.discard(shard)
        elif before is not None and before.revision == owner.revision and before.member in self.members:
            if shard not in self.overwritten:
                self.overwritten.add(shard)
                log.warning("%s counts for nothing: another client put it over", item.key.decode("utf-8", "replace"))
        else:
            self.owners[shard] = owner
            self.overwritten.discard(shard)
            if not item.lease:
                _warn(item.key)

    def _delete(self, key: bytes, revision: int) -> None:
        kind, _, name = self._text(key).partition("/")
        if kind == "members":
            self.members.discard(name)
            self._strays.discard(key)
        else:
            self.owners.pop(int(name), None)
            self.overwritten.discard(int(name))


def _is_number(name: str) -> bool:
    return len(name) < 6 and name.isascii() and name.isdecimal() and str(int(name)) == name


def _warn(key: bytes) -> None:
    log.warning("%s counts for nothing: a member puts its keys with a lease", key.decode("utf-8", "replace"))
