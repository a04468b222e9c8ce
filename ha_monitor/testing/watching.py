"""The server's end of a watch stream, as ``v3rpc/watch.go`` and ``mvcc`` have it: who watches what, and is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.refusals import DENIED, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor.testing.node import Node
    from ha_monitor.testing.streams import Stream

REVISIONS_IN_A_REPLY = 1000
"""etcd's ``watchBatchMaxRevs``: so many revisions at the most are told in one reply to a watch that catches up."""

_DENIED = f"rpc error: code = PermissionDenied desc = {DENIED.words}"
_NOBODY = -1  # the id of a watch that there is not
_PUT, _DELETE = rpc.Event.EventType.PUT, rpc.Event.EventType.DELETE
_LEFT_OUT = {
    rpc.WatchCreateRequest.FilterType.NOPUT: _PUT,
    rpc.WatchCreateRequest.FilterType.NODELETE: _DELETE,
}


@dataclass(slots=True)
class Watch:
    """A range, and the revision from which on it is still to be told."""

    id: int
    key: bytes
    end: bytes
    next_revision: int
    left_out: frozenset[int]
    prev_kv: bool

    def wants(self, event: rpc.Event) -> bool:
        """Tell whether an event is one to be told."""
        key = event.kv.key
        inside = key == self.key if not self.end else key >= self.key and (self.end == b"\0" or key < self.end)
        return inside and event.type not in self.left_out


class WatchSession:
    """One stream with its watches. Watches go by what the store has had since, so that none misses anything."""

    def __init__(self, node: Node, stream: Stream) -> None:
        self._node = node
        self._stream = stream
        self._watches: dict[int, Watch] = {}
        self._next_id = 0

    def take(self, request: rpc.WatchRequest) -> None:
        """Do a request."""
        kind = request.WhichOneof("request_union")
        if kind == "create_request":
            self._create(request.create_request)
        elif kind == "cancel_request":
            if self._watches.pop(request.cancel_request.watch_id, None) is not None:
                self._reply(request.cancel_request.watch_id, canceled=True)
        elif kind == "progress_request":
            self._reply(_NOBODY)  # every watch has been told all by now

    def _create(self, request: rpc.WatchCreateRequest) -> None:
        key = request.key or b"\0"
        try:
            self._node.may(self._stream.metadata, rpc.WatchCreateRequest(key=key, range_end=request.range_end))
        except Refused:  # a bad token as well: 3.5 does not tell one from the other here
            self._reply(_NOBODY, created=True, canceled=True, cancel_reason=_DENIED)
            return
        end = request.range_end
        words = ""
        if end and end != b"\0" and end <= key:
            words = "mvcc: watcher range is empty"
        elif request.watch_id and request.watch_id in self._watches:
            words = "mvcc: duplicate watch ID provided on the WatchStream"
        if words:
            self._reply(_NOBODY, created=True, canceled=True, cancel_reason=words)
            return
        id_ = request.watch_id or self._free_id()
        start = request.start_revision or self._node.visible + 1
        left_out = frozenset(_LEFT_OUT[filter_] for filter_ in request.filters)
        watch = self._watches[id_] = Watch(id_, key, end, start, left_out, request.prev_kv)
        self._reply(id_, created=True)
        self._tell(watch)

    def _free_id(self) -> int:
        while self._next_id in self._watches:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def tell(self) -> None:
        """Tell every watch what it was not told yet."""
        for watch in tuple(self._watches.values()):
            self._tell(watch)

    def _tell(self, watch: Watch) -> None:
        store, upto = self._node.store, self._node.visible
        if watch.next_revision > upto:
            return
        if watch.next_revision < store.compacted:
            del self._watches[watch.id]
            self._send(watch.id, 0, canceled=True, compact_revision=store.compacted)
            return
        batch: list[Sequence[rpc.Event]] = []
        for _, events in store.since(watch.next_revision, upto):
            wanted = [event for event in events if watch.wants(event)]
            if wanted:
                batch.append(wanted)
        watch.next_revision = upto + 1
        for first in range(0, len(batch), REVISIONS_IN_A_REPLY):
            events = [event for wanted in batch[first : first + REVISIONS_IN_A_REPLY] for event in wanted]
            self._reply(watch.id, events=[self._with_previous(event) for event in events] if watch.prev_kv else events)

    def _with_previous(self, event: rpc.Event) -> rpc.Event:
        revision = event.kv.mod_revision - 1
        before = self._node.store.at(event.kv.key, revision) if revision >= self._node.store.compacted else None
        told = rpc.Event()
        told.CopyFrom(event)
        if before is not None:
            told.prev_kv.CopyFrom(before)
        return told

    def cancel_all(self, reason: str) -> None:
        """End every watch, and say why; the stream goes on."""
        for id_ in tuple(self._watches):
            del self._watches[id_]
            self._reply(id_, canceled=True, cancel_reason=reason)

    def _reply(self, watch_id: int, **fields: Any) -> None:
        self._send(watch_id, self._node.visible, **fields)

    def _send(self, watch_id: int, revision: int, **fields: Any) -> None:
        self._stream.reply(rpc.WatchResponse(header=self._node.header(revision), watch_id=watch_id, **fields))
