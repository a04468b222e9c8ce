"""The server's end of a watch stream, as ``v3rpc/watch.go`` and ``mvcc/watchable_store.go`` have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.testing.refusals import DENIED, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ha_monitor.testing.node import Node
    from ha_monitor.testing.streams import Stream

REVISIONS_IN_A_REPLY = 1000
"""etcd's ``watchBatchMaxRevs``: so many revisions at the most are in one reply to a watch that catches up."""

SYNC_INTERVAL = 0.1
"""Seconds, at most, after which a watch that starts in the past gets its history (``watchResyncPeriod``)."""

NO_WATCH = -1
"""The id of no watch (``InvalidWatchID``): of answers to progress requests, and to watches that were not created."""

_PUT, _DELETE = rpc.Event.EventType.PUT, rpc.Event.EventType.DELETE
_LEFT_OUT = {
    rpc.WatchCreateRequest.FilterType.NOPUT: _PUT,
    rpc.WatchCreateRequest.FilterType.NODELETE: _DELETE,
}


@dataclass(slots=True)
class Watch:
    """A range, and the revision from which on its events are still to be sent."""

    id: int
    key: bytes
    end: bytes
    start_revision: int
    """As requested; 0: from now on."""
    next_revision: int
    left_out: frozenset[int]
    prev_kv: bool
    synced: bool
    """Whether it has all events up to the store's revision; one that was compacted never has."""
    compacted: bool = False
    forgotten: bool = False
    """Whether the server sends no events to its id any more: see ``denied_watch_keeps_its_id``."""

    def wants(self, event: rpc.Event) -> bool:
        """Tell whether an event is one to be sent."""
        key = event.kv.key
        inside = key == self.key if not self.end else key >= self.key and (self.end == b"\0" or key < self.end)
        return inside and event.type not in self.left_out


class WatchSession:
    """One stream with its watches. Watches read the store's log from where they are, so that none misses anything."""

    def __init__(self, node: Node, stream: Stream, sync_later: Callable[[], None], *, answers_progress: bool) -> None:
        """Begin without a watch.

        :param sync_later: has :meth:`sync` called within :data:`SYNC_INTERVAL`.
        :param answers_progress: whether progress requests are answered at all: an ``etcd grpc-proxy`` does not.
        """
        self._proxied = not answers_progress
        self._node = node
        self._stream = stream
        self._sync_later = sync_later
        self._watches: dict[int, Watch] = {}
        """Those that were created and not canceled by the client: one that was compacted stays, as in etcd."""
        self._next_id = 0

    def take(self, request: rpc.WatchRequest) -> None:
        """Do a request."""
        kind = request.WhichOneof("request_union")
        if kind == "create_request":
            self._create(request.create_request)
        elif kind == "cancel_request":
            if self._watches.pop(request.cancel_request.watch_id, None) is not None:
                self._reply(request.cancel_request.watch_id, canceled=True)
        elif kind == "progress_request" and self._answers_progress():
            self._reply(NO_WATCH)

    def _answers_progress(self) -> bool:
        if self._proxied or not self._node.behaviour.progress_is_ordered:
            return not self._proxied
        if not self._watches or not all(watch.synced for watch in self._watches.values()):
            return False
        if not self._node.behaviour.progress_needs_start:
            return True
        return all(watch.start_revision <= self._node.visible for watch in self._watches.values())

    def _create(self, request: rpc.WatchCreateRequest) -> None:
        key = request.key or b"\0"
        try:
            self._node.may(self._stream.metadata, rpc.WatchCreateRequest(key=key, range_end=request.range_end))
        except Refused as error:
            self._deny(request.watch_id, error)
            return
        end = request.range_end
        words = ""
        if end and end != b"\0" and end <= key:
            words = "mvcc: watcher range is empty"
        elif request.watch_id and request.watch_id in self._watches:
            words = "mvcc: duplicate watch ID provided on the WatchStream"
        if words:
            self._reply(NO_WATCH, created=True, canceled=True, cancel_reason=words)
            return
        id_, visible = request.watch_id or self._free_id(), self._node.visible
        watch = self._watches[id_] = Watch(
            id_, key, end,
            start_revision=request.start_revision,
            next_revision=request.start_revision or visible + 1,
            left_out=frozenset(_LEFT_OUT[filter_] for filter_ in request.filters),
            prev_kv=request.prev_kv,
            synced=not request.start_revision or request.start_revision > visible,
        )  # fmt: skip
        self._reply(id_, created=True)
        if not watch.synced:
            self._sync_later()

    def _deny(self, id_: int, error: Refused) -> None:
        if not self._node.behaviour.denied_watch_keeps_its_id:
            self._reply(NO_WATCH, created=True, canceled=True, cancel_reason=error.refusal.in_go)
            return
        self._reply(id_, created=True, canceled=True, cancel_reason=DENIED.in_go)
        if id_ in self._watches:
            self._watches[id_].forgotten = True

    def _free_id(self) -> int:
        while self._next_id in self._watches:
            self._next_id += 1
        self._next_id += 1
        return self._next_id - 1

    def notify(self) -> None:
        """Send every watch that is synced what was written since."""
        for watch in self._watches.values():
            if watch.synced:
                self._send_events(watch)

    def sync(self) -> None:
        """Send every watch what it has not got yet."""
        for watch in self._watches.values():
            if not watch.compacted:
                watch.synced = True
                self._send_events(watch)

    def fall_behind(self) -> None:
        """Send nothing: a watch for which something was written is no longer synced."""
        for watch in self._watches.values():
            if watch.synced and not self._events(watch):
                watch.next_revision = max(watch.next_revision, self._node.visible + 1)
            else:
                watch.synced = False

    def _events(self, watch: Watch) -> list[Sequence[rpc.Event]]:
        """Give what a watch has not got yet, by revisions."""
        batch: list[Sequence[rpc.Event]] = []
        for _, events in self._node.store.since(watch.next_revision, self._node.visible):
            wanted = [event for event in events if watch.wants(event)]
            if wanted:
                batch.append(wanted)
        return batch

    def _send_events(self, watch: Watch) -> None:
        store, upto = self._node.store, self._node.visible
        if watch.next_revision > upto:
            return
        if watch.next_revision < store.compacted:
            watch.synced, watch.compacted = False, True
            self._send(self._response(watch.id, 0, canceled=True, compact_revision=store.compacted), watch)
            return
        batch = self._events(watch)
        watch.next_revision = upto + 1
        for first in range(0, len(batch), REVISIONS_IN_A_REPLY):
            events = [event for wanted in batch[first : first + REVISIONS_IN_A_REPLY] for event in wanted]
            events = [self._with_previous(event) for event in events] if watch.prev_kv else events
            self._send(self._response(watch.id, upto, events=events), watch)

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

    def _response(self, watch_id: int, revision: int, **fields: Any) -> rpc.WatchResponse:
        return rpc.WatchResponse(header=self._node.header(revision), watch_id=watch_id, **fields)

    def _reply(self, watch_id: int, **fields: Any) -> None:
        """Answer a request."""
        self._stream.reply(self._response(watch_id, self._node.visible, **fields))

    def _send(self, response: rpc.WatchResponse, watch: Watch) -> None:
        """Send what a watch has to get."""
        if not watch.forgotten:
            self._stream.reply(response)
