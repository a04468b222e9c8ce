"""By what right a record is written: where several monitors share the work, only as long as a key in etcd is ours."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Fence(Struct, frozen=True):
    """The election key that has to be in etcd, created at ``revision``, for a write to land."""

    key: bytes
    revision: int


class Freezer(Protocol):
    """Says which records are left as they are, for maintenance."""

    def of(self, type_: str, id_: str) -> object | None:
        """Give why a resource is frozen; ``None`` where it is not."""

    def grounds(self, type_: str, id_: str) -> tuple[tuple[bytes, int], ...]:
        """Give the key that would freeze it, with its revision (0: it is not there), where there can be one."""


class Mandate(Protocol):
    """Says which records are ours to write."""

    def fence(self, type_: str, id_: str) -> Fence | None:
        """Give the fence for a resource's record at this moment; ``None`` where somebody else is to write it."""
