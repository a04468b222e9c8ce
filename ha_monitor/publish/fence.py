"""By what right a record is written: where several monitors share the work, only as long as a key in etcd is ours."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Fence(Struct, frozen=True):
    """The election key that has to be in etcd, created at ``revision``, for a write to land."""

    key: bytes
    revision: int


class Mandate(Protocol):
    """Says which records are ours to write."""

    def fence(self, type_: str, id_: str) -> Fence | None:
        """Give the fence for a resource's record at this moment; ``None`` where somebody else is to write it."""
