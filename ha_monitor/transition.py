"""One change as JSON: the same object over HTTP, on the standard input of a hook, and in the body of a webhook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from ha_monitor.text import legible, rfc3339

if TYPE_CHECKING:
    from ha_monitor.model import Change

Status = Literal["UP", "DEGRADED", "DOWN", "UNKNOWN"]
EntryStatus = Literal["UP", "DOWN", "FAIL", "UNKNOWN"]


class Transition(Struct):
    """One entry went from ``old`` to ``new``; ``status`` and ``active`` are the resource's after it."""

    type: str
    id: str
    entry: str
    old: EntryStatus | None
    new: EntryStatus | None
    status: Status
    active: str | None
    revision: int
    at: str
    reason: str


def transition_shape(change: Change) -> Transition:
    """Give a change's shape."""
    old, new = change.old and change.old.value, change.new and change.new.value
    return Transition(
        change.type, change.id, change.entry, old, new, change.status.value, change.active, change.revision,  # type: ignore[arg-type]
        rfc3339(change.at) or "", change.reason,
    )  # fmt: skip


def encode(shape: object) -> bytes:
    """Write JSON. A key that is no UTF-8, which etcd allows, is shown with question marks."""
    try:
        return msgspec.json.encode(shape)
    except UnicodeEncodeError:
        return legible(json.dumps(msgspec.to_builtins(shape), ensure_ascii=False)).encode()
