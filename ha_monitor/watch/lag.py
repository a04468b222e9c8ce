"""How far a watch is behind the store, and whether a list is the shorter way to what stands there now.

A watch that was away brings every change since, one after the other; a list brings every key once. Who comes back to
50,000 changes of 1,000 keys wants the latter. It is also the faster the more single writes there were: of a watch that
has fallen behind, etcd brings 1,000 revisions each 0.1 s, however small they are (``syncWatchersLoop`` and
``watchBatchMaxRevs`` in its ``server/storage/mvcc``; measured on 3.5.1: 14,000 single puts a second).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aetcd import rpc

BATCH = 1_000
"""Revisions in a reply of a watch that is catching up, where more are to come; so a shorter one is the last."""

WORTH_A_LOOK = 5_000
"""Events after which the store is asked how far it is: 40 ms of work, for a read of 1 ms. And what a list must spare,
in events, beside its keys: it takes two or three round trips, and a new stream."""

_SINGLE = 10
"""Events that take as long as one that comes alone: in a reply of its own it takes us 35 us (measured), and in a batch
it takes etcd 100."""

_KEY = 2.0
"""Events that take as long as a key of a list: etcd goes through all that are left for each page."""


class Lag:
    """The pace of one stream: how many events came with how many revisions of the store, since the last judgement."""

    def __init__(self) -> None:
        self._work = 0
        self._events = 0
        self._first = 0
        self._last = 0

    def came(self, events: Sequence[rpc.Event]) -> None:
        """Note the events of a reply, which are about to be taken."""
        if not self._events:
            self._first = events[0].kv.mod_revision
        self._last = events[-1].kv.mod_revision
        self._events += len(events)
        self._work += max(len(events), _SINGLE)

    @property
    def deserves_a_look(self) -> bool:
        """Whether so many have come that it is worth to ask how far the store is."""
        return self._work >= WORTH_A_LOOK

    def list_is_shorter(self, in_hand: int, store: int, keys: int) -> bool:
        """Judge by the pace so far, and begin to count anew.

        :param in_hand: events that came and were not taken yet.
        :param store: the store's revision.
        :param keys: how many there are to list.
        """
        revisions = self._last - self._first + 1
        events_each = self._events / revisions  # other prefixes have revisions, too
        self._work = self._events = 0
        to_come = max(store - self._last, 0) * max(events_each, _SINGLE * min(events_each, 1.0))
        return in_hand + to_come > _KEY * keys + WORTH_A_LOOK
