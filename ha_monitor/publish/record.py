"""The record that is published for a resource, in each form; and whether one that stands there is of our making."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ha_monitor.model import Status
from ha_monitor.reading.decoded import decode

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_encode = msgspec.json.Encoder(order="sorted").encode

_RECORDED = frozenset({Status.UP, Status.DOWN, Status.FAIL, Status.DEGRADED})


def esi_record(entries: Mapping[str, Status], version: int) -> bytes:
    """Give the default form: each entry's status and the config's version, compact, keys sorted."""
    return _encode({**entries, "version": version})


def gohan_record(status: Status, version: int) -> bytes:
    """Give upstream gohan's form: the verdict alone under ``monitoring``, and the config's version."""
    return _encode({"monitoring": status, "version": version})


def read_record(value: bytes) -> Mapping[str, Any] | None:
    """Give a record as decoded JSON; ``None`` where it is no object."""
    try:
        decoded = decode(value, "the record")
    except ValueError:
        return None
    return decoded if isinstance(decoded, dict) else None


def is_ours(value: bytes, names: Collection[str]) -> bool:
    """Tell whether a record has just the shape that we write for a resource with these keys besides ``version``.

    This is how the record of a resource that ended while nobody looked is known from another worker's.
    """
    record = read_record(value)
    return (
        record is not None
        and record.keys() == {*names, "version"}
        and all(isinstance(record[name], str) and record[name] in _RECORDED for name in names)
    )
