"""The list-and-watch of one prefix as a value: states, inputs, and one pure step between them.

The rules it encodes are etcd's own (``client/v3/watch.go`` and the robustness validators):

- list at one revision, page by page, then watch from the next one; never "from now";
- the resume point moves only at the end of a reply, since all events of one revision come in one reply;
- a compacted start is a normal event: list again, and whoever keeps the items finds what went missing;
- so is a backlog that takes longer than a list (:mod:`ha_monitor.watch.lag` tells);
- a store whose revision is lower than one already seen was wiped or restored: list again.

No I/O, no clock and no task is here: :mod:`ha_monitor.watch.feed` asks :func:`step` what to do next and does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aetcd import rpc

PAGE = 10_000
"""Keys in a page of a list. etcd walks over all that are left to count them, for each page, so that pages of 2,000 take
three times as long for 300,000 keys; a page is decoded in one go, which takes 10,000 about 15 ms."""

# ------------------------------------------------------------------ states: each says what is to be done next


class Listing(Struct, frozen=True):
    """Read the next page from ``start`` at ``revision`` (0: the newest, which pins those that follow)."""

    start: bytes
    revision: int = 0
    limit: int = PAGE


class Opening(Struct, frozen=True):
    """Open a watch stream from ``next_revision``. ``fresh``: straight after a list, which is proof up to there."""

    next_revision: int
    fresh: bool


class Watching(Struct, frozen=True):
    """Read the stream.

    ``target`` is the store's revision when the stream was opened: the watch has caught up when it is known to be
    past it. ``asked`` is the revision of the last answer to a progress request with no event since (0: none).
    ``known`` is the revision up to which all was known when it was opened: the stream may bring some of it again.
    """

    next_revision: int
    target: int
    caught_up: bool = False
    asked: int = 0
    known: int = 0


State: TypeAlias = Listing | Opening | Watching

# ------------------------------------------------------------------ inputs: what the I/O loop got back


class Page(Struct, frozen=True):
    """A page of a list, read at ``revision``. The next one begins at the key ``after``; ``None``: there is none."""

    items: Sequence[rpc.KeyValue]
    revision: int
    after: bytes | None


class Opened(Struct, frozen=True):
    """The stream is open; ``revision`` is the store's, read linearizably just before."""

    revision: int


class Events(Struct, frozen=True):
    """A reply with events, in order."""

    events: Sequence[rpc.Event]


class Progress(Struct, frozen=True):
    """A reply without events: the store is at ``revision``.

    ``ordered``: it came in line with the events, so all of them up to there were delivered. The answer to a progress
    request is not, on etcd before 3.4.25 and 3.5.8: it may overtake a backlog (measured on 3.5.1).
    """

    revision: int
    ordered: bool


class Gone(Struct, frozen=True):
    """The revision asked for is compacted away, or the store went back in time: only a new list helps."""


class TooLarge(Struct, frozen=True):
    """The reply is larger than we can receive."""


class Behind(Struct, frozen=True):
    """So much is to come that a list brings what stands there sooner than the watch."""


class Broken(Struct, frozen=True):
    """The call or the stream failed."""


Input: TypeAlias = Page | Opened | Events | Progress | Gone | TooLarge | Behind | Broken

# ------------------------------------------------------------------ effects: what whoever keeps the items is told


class ListBegins(Struct, frozen=True):
    """A list starts: the items that follow replace everything."""


class Items(Struct, frozen=True):
    """Some of the list's items."""

    items: Sequence[rpc.KeyValue]


class ListEnds(Struct, frozen=True):
    """The list is whole, as of ``revision``: what was not in it is no more."""

    revision: int


class Apply(Struct, frozen=True):
    """Apply these events, together."""

    events: Sequence[rpc.Event]


class Proven(Struct, frozen=True):
    """All that is known is right up to ``revision``, and the watch has caught up."""

    revision: int


class Lost(Struct, frozen=True):
    """The watch is not caught up any more."""


Effect: TypeAlias = ListBegins | Items | ListEnds | Apply | Proven | Lost
Step: TypeAlias = "tuple[State, tuple[Effect, ...]]"


def begin(prefix: bytes) -> Listing:
    """Give the first state of a watch on ``prefix``."""
    return Listing(prefix)


def step(prefix: bytes, state: State, got: Input) -> Step:
    """Go one step: the new state and what the keeper of the items is told.

    Raises ``TypeError`` for an input that can't come in that state: a bug of the caller.
    """
    if isinstance(got, Events) and isinstance(state, Watching):  # nearly always
        return _happened(state, got)
    if isinstance(got, Gone):
        return begin(prefix), (Lost(),)
    if isinstance(state, Listing):
        return _listing(state, got)
    if isinstance(got, TooLarge):  # resuming would meet the same batch for ever
        return begin(prefix), (Lost(),)
    if isinstance(got, Broken):
        return Opening(state.next_revision, fresh=False), (Lost(),)
    if isinstance(state, Opening):
        return _opening(prefix, state, got)
    if isinstance(got, Behind):  # what was proven is no less right for it
        return begin(prefix), ()
    return _progressed(state, got)


def _listing(state: Listing, got: Input) -> Step:
    if isinstance(got, Broken):
        return state, (Lost(),)
    if isinstance(got, TooLarge):
        return replace(state, limit=max(1, state.limit // 2)), ()
    if not isinstance(got, Page):
        raise TypeError(f"{type(got).__name__} while listing")
    begins = (ListBegins(),) if state.revision == 0 else ()
    revision = state.revision or got.revision
    if got.after is not None:
        return replace(state, start=got.after, revision=revision), (*begins, Items(got.items))
    return Opening(revision + 1, fresh=True), (*begins, Items(got.items), ListEnds(revision))


def _opening(prefix: bytes, state: Opening, got: Input) -> Step:
    if not isinstance(got, Opened):
        raise TypeError(f"{type(got).__name__} while opening")
    if got.revision < state.next_revision - 1:  # etcd would accept the watch, and be silent until it gets there
        return begin(prefix), (Lost(),)
    if state.fresh:
        known = state.next_revision - 1
        return Watching(state.next_revision, known, caught_up=True, known=known), (Proven(known),)
    return Watching(state.next_revision, got.revision, known=state.next_revision - 1), ()


def opening_revision(next_revision: int, store: int) -> int:
    """Give the revision to open a watch at, which is to go on from ``next_revision``.

    Never above the store's: such a watch counts as not synced until the next write, by anybody, and etcd from 3.5.22
    and 3.6.2 on answers no progress request for its stream until then (``progressIfSync`` in its
    ``server/storage/mvcc/watchable_store.go``). What it brings again is passed over: see :func:`news`.

    :param store: the store's revision, read linearizably just before.
    """
    return min(next_revision, store)


def news(state: Watching, events: Sequence[rpc.Event]) -> Sequence[rpc.Event]:
    """Give the events that were not known when the watch was opened: one that was opened early begins with those."""
    if events[0].kv.mod_revision > state.known:  # nearly always
        return events
    return [event for event in events if event.kv.mod_revision > state.known]


def _happened(state: Watching, got: Events) -> Step:
    last = got.events[-1].kv.mod_revision
    caught_up = state.caught_up or last >= state.target
    after = Watching(max(last + 1, state.next_revision), state.target, caught_up, 0, state.known)
    return after, (Apply(got.events), Proven(last)) if caught_up else (Apply(got.events),)


def _progressed(state: Watching, got: Input) -> Step:
    if not isinstance(got, Progress):
        raise TypeError(f"{type(got).__name__} while watching")
    if got.ordered:
        proven = got.revision
        after = replace(state, next_revision=max(proven + 1, state.next_revision), asked=proven)
    else:
        # Such an answer may overtake events, so it is believed only when the next one comes and none did in between.
        # The resume point never moves by it.
        proven = state.asked
        after = replace(state, asked=got.revision)
    if proven < state.target or proven == 0:
        return after, ()
    return replace(after, caught_up=True), (Proven(proven),)
