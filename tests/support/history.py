"""What etcd's own history tells of the published records: was each of them right at the very revision of its write?"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Generic, TypeVar

import grpc
from aetcd import rpc

from tests.support.background import Background
from tests.support.oracle import CONFIG, MONITORING, PLURALS, decoded, record_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from tests.support.etcd import Etcd, Items

STATE = "/state/v2.0"
_PUBLISHED = {f"{MONITORING}/{PLURALS[type_]}/": type_ for type_ in ("ha_interface", "vpn_gateway")}


LOOK = 2.0
"""Seconds after which a recorder looks whether it is to end."""

PAUSE = 0.02
"""Seconds before it follows again."""


class Judge:
    """Holds each write of a record against what stands in etcd at its revision."""

    def __init__(self, items: Items) -> None:
        """Begin with what stood there."""
        self.writes = 0
        self.wrong: list[str] = []
        """Writes of what was not so at their revision."""
        self.twice: list[str] = []
        """Writes of what stood there already."""
        self._items = items

    def take(self, revision: int, events: Iterable[Any]) -> None:
        """Take the events of one revision."""
        written: dict[str, bytes | None] = {}
        for event in events:
            key = event.kv.key.decode()
            prefix = f"{key.rpartition('/')[0]}/"
            if prefix in _PUBLISHED:
                written[key] = self._items.get(key)
            if event.type == rpc.Event.EventType.DELETE:
                self._items.pop(key, None)
            else:
                self._items[key] = bytes(event.kv.value)
        for key, before in written.items():
            self._judge(revision, key, before)

    def _judge(self, revision: int, key: str, before: bytes | None) -> None:
        self.writes += 1
        prefix, _, id_ = key.rpartition("/")
        type_ = _PUBLISHED[f"{prefix}/"]
        value = self._items.get(key)
        due = record_at_once(self._items, type_, f"{CONFIG}/{PLURALS[type_]}/{id_}")
        follows = value == before and f"{STATE}/{PLURALS[type_]}/{id_}" in self._items  # put again, as it stands
        if not follows and decoded(value) != due:
            self.wrong.append(f"revision {revision}: {key} became {value!r} where {due} was right")
        if value == before:
            self.twice.append(f"revision {revision}: {key} was {value!r} already")


JudgeT = TypeVar("JudgeT", bound=Judge)


class Lineage(Judge):
    """All writes of records since a revision, read afterwards."""

    def __init__(self, etcd: Etcd, since: int) -> None:
        """Replay: what stood at ``since``, and every change after it."""
        super().__init__(etcd.items("", since))
        for revision, events in etcd.replay(since):
            self.take(revision, events)


class Recorder(Generic[JudgeT]):
    """The same as it goes, in a thread: for histories that are compacted, or wiped, before anybody could read them."""

    def __init__(self, etcd: Etcd, judge: Callable[[Items], JudgeT]) -> None:
        """Begin with what is there now.

        :param judge: made of what stands there at the beginning, of each store.
        """
        self._etcd = etcd
        self._make = judge
        self._judges: list[JudgeT] = []
        """Of this store and of those before it."""
        self.judge: JudgeT
        """Of this store."""
        self._revision = 0
        self._thread = Background(self._follow, PAUSE)
        self.begin()

    def begin(self) -> None:
        """Record from now on."""
        self._revision = self._etcd.revision()
        self.judge = self._make(self._etcd.items("", self._revision))
        self._judges.append(self.judge)
        self._thread.begin()

    def end(self) -> None:
        """Record no more: the store is about to become another one, say."""
        self._thread.end()

    @property
    def writes(self) -> int:
        """How many writes of records there were."""
        return sum(judge.writes for judge in self._judges)

    @property
    def wrong(self) -> list[str]:
        """Writes of what was not so at their revision."""
        return [words for judge in self._judges for words in judge.wrong]

    def catch_up(self, timeout: float = 30.0) -> None:
        """Wait until all that has happened so far is recorded; before its history is compacted, say."""
        until, revision = time.monotonic() + timeout, self._etcd.revision()
        while self._revision < revision:
            assert time.monotonic() < until, f"recorded up to {self._revision}, not to {revision}"
            time.sleep(0.01)

    def _follow(self) -> None:
        with contextlib.suppress(grpc.RpcError):  # killed or frozen: it goes on where it was
            for revision, events in self._etcd.follow(self._revision, LOOK):
                self.judge.take(revision, events)
                self._revision = revision
