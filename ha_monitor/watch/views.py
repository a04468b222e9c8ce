"""What is in etcd, prefix by prefix, as the feeds keep it, and who is to be told when a key changes.

A view holds no more than is watched: values, and for each key who hangs on it. It decides nothing. Configs, templates
and stack outputs are here, states in :mod:`ha_monitor.watch.states`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aetcd import rpc

from ha_monitor.reading.envelope import Envelope, read_envelope, read_outputs

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

_DELETE = rpc.Event.EventType.DELETE
_DECODED = 1_024
"""Configs kept decoded, at the most: what one burst of renderings follows foreign keys to."""

_DECODED_OF = 4 << 20
"""Bytes that those have in etcd, at the most; decoded, they are several times as large."""

ITEMS_IN_A_SLICE = 500
"""Items between two turns of the event loop: a millisecond or two, of each of the feeds that list at once."""


def slices(events: Sequence[rpc.Event], length: int) -> Iterator[Sequence[rpc.Event]]:
    """Give events in slices of about ``length``; those of one revision changed together, and stay together."""
    begin, total = 0, len(events)
    while begin < total:
        end = begin + length
        while end < total and events[end].kv.mod_revision == events[end - 1].kv.mod_revision:
            end += 1
        yield events[begin:end]
        begin = end


class View:
    """The keys under one prefix, one path segment each; deeper keys are not ours and passed over."""

    def __init__(self, prefix: str, folder: str | None = None) -> None:
        """Prepare.

        :param folder: the prefix of the keys, if ``prefix`` only identifies them.
        """
        self.prefix = prefix
        self.folder = prefix if folder is None else folder
        self.synced = False
        self.absent = 0
        """The newest revision at which what is not there was found to be missing, by a list or as it went."""
        self._cut = len(self.folder.encode())
        self._lists = 0
        self._seen: set[bytes] | None = None
        self._others: set[bytes] = set()
        """Keys under the prefix that are none of ours."""
        self._on_sync: dict[Hashable, Callable[[], None]] = {}

    @property
    def in_use(self) -> bool:
        """Whether anybody goes by it at this moment."""
        return True

    def key(self, id_: str) -> bytes:
        """Give the key of an id, as it is in etcd."""
        return (self.folder + id_).encode("utf-8", "surrogateescape")

    def when_synced(self, who: Hashable, callback: Callable[[], None]) -> None:
        """Call back once the first list is whole; at once where it is.

        :param who: waits; whoever asks again while he does is called once, as he asked last.
        """
        if self.synced:
            callback()
        else:
            self._on_sync[who] = callback

    def list_begins(self) -> None:
        """Begin a list; what is known stays until the list is whole."""
        self._seen = set()
        self._others = set()
        self._lists += 1

    def size(self) -> int:
        """Give about how many keys there are."""
        raise NotImplementedError

    def count(self) -> int | None:
        """Give how many keys there are under the prefix; ``None`` where that can't be told now."""
        return self.size() + len(self._others)

    def put_items(self, items: Sequence[rpc.KeyValue]) -> Iterator[None]:
        """Take some items of a list. Yields between slices of the work, so that the event loop may have its turn."""
        seen, is_ours, put, first = self._seen, self._is_ours, self._put, self._lists == 1
        for number, item in enumerate(items, 1):
            key = item.key
            if seen is not None and is_ours(key):
                if not first:
                    seen.add(key)
                put(key, item)
            else:
                self._others.add(key)
            if not number % ITEMS_IN_A_SLICE:
                yield

    def list_ends(self, revision: int) -> Iterator[None]:
        """Drop what the list did not have: it was deleted while nobody listened. Yields as :meth:`put_items`."""
        seen, self._seen = self._seen or set(), None
        self.absent = revision
        if self._lists > 1:  # the very first finds nothing to drop
            for number, key in enumerate(self._keys(), 1):
                if key not in seen:
                    self._delete(key, revision)
                if not number % ITEMS_IN_A_SLICE:
                    yield
            yield
        if not self.synced:
            self.synced = True
            waiting, self._on_sync = self._on_sync, {}
            for callback in waiting.values():
                callback()
                yield

    def apply(self, events: Sequence[rpc.Event]) -> Iterator[None]:
        """Apply events, in order. Yields as :meth:`put_items`."""
        for some in slices(events, ITEMS_IN_A_SLICE):
            for event in some:
                item = event.kv
                key, deleted = item.key, event.type == _DELETE
                if self._is_ours(key):
                    if deleted:
                        self._delete(key, item.mod_revision)
                    else:
                        self._put(key, item)
                elif deleted:
                    self._others.discard(key)
                else:
                    self._others.add(key)
            yield

    def _is_ours(self, key: bytes) -> bool:
        return key.find(b"/", self._cut) < 0 and len(key) > self._cut

    def _text(self, key: bytes) -> str:
        """Give the id that a key is of."""
        return key[self._cut :].decode("utf-8", "surrogateescape")

    def _keys(self) -> Iterator[bytes]:
        """Give the keys that are there, each as it is reached."""
        raise NotImplementedError

    def _put(self, key: bytes, item: rpc.KeyValue) -> None:
        raise NotImplementedError

    def _delete(self, key: bytes, revision: int) -> None:
        raise NotImplementedError


class KeyView(View):
    """Values kept as they are: configs, templates, stack outputs.

    An id is everything after the folder of a key: the resource's id, or more in
    :class:`ha_monitor.watch.placed.PlacedKeyView`. Subscriptions are by resource.
    """

    ids_are_resources = True
    """Whether ids are the resources' ids."""

    def __init__(self, prefix: str, folder: str | None = None) -> None:
        super().__init__(prefix, folder)
        self.items: dict[str, tuple[bytes, int, int]] = {}
        """By id: the value, etcd's mod_revision and etcd's version of the key."""
        self.hangers: dict[str, set[Callable[[], None]]] = {}
        """Subscribers by resource, existing or not."""
        self.on_change: Callable[[str], None] | None = None
        """Told of each change of an item, by id."""
        self._decoded: dict[str, Any] = {}
        self._decoded_of = 0

    @property
    def in_use(self) -> bool:
        """Whether anybody is to be told of a change."""
        return self.on_change is not None or bool(self.hangers)

    def revision(self, id_: str) -> int:
        """Give a key's mod_revision; 0 where there is none, as etcd compares it."""
        item = self.items.get(id_)
        return 0 if item is None else item[1]

    def known(self, resource: str) -> int:
        """Give the revision by which a key is known: of its last put, or at which it was missing, or is since."""
        return self.revision(resource) or self.absent

    def ground(self, resource: str) -> tuple[bytes, int] | None:
        """Return a resource's key and its mod_revision, 0 if it does not exist; ``None`` if the key is unknown."""
        return self.key(resource), self.revision(resource)

    def find(self, resource: str) -> str | None:
        """Return the id of a resource's key, existing or not; ``None`` if that is unknown."""
        return resource

    def resource_id(self, id_: str) -> str:
        """Return the resource id for the id of a key."""
        return id_

    def where(self, resource: str) -> str:
        """Return a resource's key for display."""
        return self.folder + resource

    def envelope(self, id_: str) -> Envelope | None:
        """Give a config or template; ``None`` where there is none. Raises :class:`Problem` for a bad one."""
        item = self.items.get(id_)
        if item is None:
            return None
        known = self._decoded.get(id_)
        return (
            known if isinstance(known, Envelope) else self._keep(id_, self._read(id_, item[0], item[2]), len(item[0]))
        )

    def _read(self, _id: str, value: bytes, puts: int) -> Envelope:
        return read_envelope(value, puts)

    def outputs(self, id_: str) -> Mapping[str, Any] | None:
        """Give stack outputs; ``None`` where there are none. Raises :class:`Problem` for bad ones."""
        item = self.items.get(id_)
        return None if item is None else read_outputs(item[0])

    def _keep(self, id_: str, envelope: Envelope, size: int) -> Envelope:
        if len(self._decoded) >= _DECODED or self._decoded_of + size > _DECODED_OF:
            self._decoded.clear()
            self._decoded_of = 0
        self._decoded[id_] = envelope
        self._decoded_of += size
        return envelope

    def size(self) -> int:
        """Give how many of them are ours."""
        return len(self.items)

    def _keys(self) -> Iterator[bytes]:
        return (self.key(id_) for id_ in tuple(self.items))

    def _put(self, key: bytes, item: rpc.KeyValue) -> None:
        id_ = self._text(key)
        fresh = (item.value, item.mod_revision, item.version)
        if self.items.get(id_) != fresh:
            self.items[id_] = fresh
            self._changed(id_)

    def _delete(self, key: bytes, revision: int) -> None:
        id_ = self._text(key)
        self.absent = revision
        if self.items.pop(id_, None) is not None:
            if not self.items:
                self.items.clear()  # a dict keeps the room of all that were ever in it
            self._changed(id_)

    def _changed(self, id_: str) -> None:
        self._decoded.pop(id_, None)
        if self.on_change is not None:
            self.on_change(id_)
        self._tell(id_)

    def _tell(self, resource: str) -> None:
        for tell in tuple(self.hangers.get(resource, ())):
            tell()

    def hang(self, resource: str, tell: Callable[[], None]) -> None:
        """Tell of each change of a resource's key, one that is not there as well."""
        self.hangers.setdefault(resource, set()).add(tell)

    def unhang(self, resource: str, tell: Callable[[], None]) -> None:
        """Tell no more."""
        tells = self.hangers.get(resource)
        if tells is not None:
            tells.discard(tell)
            if not tells:
                del self.hangers[resource]
