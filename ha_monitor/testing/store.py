"""Keys with all their versions, as etcd's ``mvcc`` keeps them: revisions, history, compaction. No I/O, no time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from aetcd import rpc

from ha_monitor.testing.refusals import COMPACTED, FUTURE, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DELETE = rpc.Event.EventType.DELETE
FIRST_REVISION = 1
"""The revision of a store in which nothing was ever written."""


class Version(NamedTuple):
    """What a key became at a revision; ``None``: it was deleted."""

    revision: int
    item: rpc.KeyValue | None


class Store:
    """Every version of every key since the last compaction."""

    def __init__(self) -> None:
        self.revision = FIRST_REVISION
        self.compacted = -1
        """The revision up to which history is gone; what stood at it can still be read. -1: none is."""
        self._names: list[bytes] = []
        """All keys that have a version, in order."""
        self._versions: dict[bytes, list[Version]] = {}
        self._log: list[tuple[int, Sequence[rpc.Event]]] = []
        """The events of each revision, oldest first."""

    def copy(self) -> Store:
        """Give another store with the same content: a backup of it. A version never changes, so it is shared."""
        other = copy(self)
        other._names, other._log = self._names.copy(), self._log.copy()
        other._versions = {key: versions.copy() for key, versions in self._versions.items()}
        return other

    # -- reading

    def check(self, revision: int) -> None:
        """Raise what etcd says to a reader of a revision that it does not have."""
        if revision > self.revision:
            raise Refused(FUTURE)
        if 0 < revision < self.compacted:
            raise Refused(COMPACTED)

    def find(self, key: bytes, end: bytes, revision: int) -> list[rpc.KeyValue]:
        """Give what stood at a revision in a range; no ``end``: the key alone, a zero byte: all from the key on.

        A revision beyond the newest gives what a transaction under way has written.
        """
        items = (self.at(name, revision) for name in self._range(key, end))
        return [item for item in items if item is not None]

    def at(self, key: bytes, revision: int) -> rpc.KeyValue | None:
        """Give a key as it stood at a revision."""
        versions = self._versions.get(key, [])
        position = len(versions)
        while position and versions[position - 1].revision > revision:  # nearly always the newest is asked for
            position -= 1
        return versions[position - 1].item if position else None

    def _range(self, key: bytes, end: bytes) -> list[bytes]:
        if not end:
            return [key] if key in self._versions else []
        first = bisect_left(self._names, key)
        return self._names[first : None if end == b"\0" else max(first, bisect_left(self._names, end))]

    def since(self, revision: int, upto: int) -> Iterator[tuple[int, Sequence[rpc.Event]]]:
        """Give the revisions from one up to another, each with its events, as far as they are not compacted."""
        for at in range(bisect_left(self._log, revision, key=_revision), bisect_right(self._log, upto, key=_revision)):
            yield self._log[at]

    # -- writing

    def put(self, key: bytes, value: bytes, lease: int) -> rpc.Event:
        """Put a key at the revision under way; the caller ends that with :meth:`commit`."""
        before = self.at(key, self.revision + 1)
        revision = self.revision + 1
        item = rpc.KeyValue(
            key=key, value=value, lease=lease, mod_revision=revision,
            create_revision=before.create_revision if before is not None else revision,
            version=before.version + 1 if before is not None else 1,
        )  # fmt: skip
        self._add(key, Version(revision, item))
        return rpc.Event(kv=item)

    def delete(self, key: bytes) -> rpc.Event:
        """Delete a key, which is there, at the revision under way."""
        revision = self.revision + 1
        self._add(key, Version(revision, None))
        return rpc.Event(type=_DELETE, kv=rpc.KeyValue(key=key, mod_revision=revision))

    def _add(self, key: bytes, version: Version) -> None:
        versions = self._versions.get(key)
        if versions is None:
            insort(self._names, key)
            versions = self._versions[key] = []
        versions.append(version)

    def commit(self, events: Sequence[rpc.Event]) -> None:
        """End the revision under way, with all that was written in it."""
        if events:
            self.revision += 1
            self._log.append((self.revision, tuple(events)))

    def bump(self, by: int) -> None:
        """Go ahead by so many revisions in which nothing was written, and compact up to the last of them."""
        self.revision += by
        self.compact(self.revision)

    def compact(self, revision: int) -> None:
        """Forget every version that is older than the one that stood at a revision."""
        if revision <= self.compacted:
            raise Refused(COMPACTED)
        if revision > self.revision:
            raise Refused(FUTURE)
        self.compacted = revision
        del self._log[: bisect_left(self._log, revision, key=_revision)]
        for key, versions in list(self._versions.items()):
            kept = _compacted(versions, revision)
            if kept:
                self._versions[key] = kept
            else:
                del self._versions[key]
        self._names = sorted(self._versions)


def _revision(entry: tuple[int, Sequence[rpc.Event]]) -> int:
    return entry[0]


def _compacted(versions: list[Version], revision: int) -> list[Version]:
    """Give the versions that can still be asked for: the one that stood at a revision, and all later ones."""
    newer = bisect_right([version.revision for version in versions], revision)
    standing = versions[newer - 1 : newer] if newer else []
    return [version for version in standing if version.item is not None] + versions[newer:]
