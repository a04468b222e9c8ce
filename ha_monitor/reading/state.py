"""Reads a state key: what stands there, and whether every dependency in it is up.

States are few in kind and many in number, so equal values are read once and shared (:class:`StateReader`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ha_monitor.reading.decoded import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CACHED_STATES = 4_096
_CACHED_SIZE = 256  # bytes; larger values are rare, and would let strangers decide how much memory the cache takes


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A state key's value: ``raw`` as it stands in etcd, and what it says.

    ``dependencies`` is ``None`` where the value can't be read; ``reason`` says why, or which dependency is not up.
    """

    raw: bytes
    dependencies: Mapping[str, Any] | None
    up: bool
    reason: str


class StateReader(dict[bytes, State]):
    """Reads states, each distinct value once: ``reader[value]`` never raises. A dict, so that a known one is quick."""

    def __init__(self, up_values: frozenset[str], dependencies: Callable[[bytes], Mapping[str, Any]]) -> None:
        """Prepare.

        :param up_values: the values that count as up.
        :param dependencies: takes the dependencies out of a value; raises ``ValueError`` in words.
        """
        super().__init__()
        self._up_values = up_values
        self._dependencies = dependencies

    def __missing__(self, value: bytes) -> State:
        """Give the state for a key's value; never raises."""
        state = self._read(value)
        if len(value) <= _CACHED_SIZE:
            if len(self) >= _CACHED_STATES:
                self.clear()
            self[value] = state
        return state

    def _read(self, value: bytes) -> State:
        try:
            dependencies = self._dependencies(value)
        except ValueError as error:
            return State(value, None, False, str(error)[:200])
        for name, status in dependencies.items():
            if not (isinstance(status, str) and status in self._up_values):
                shown = msgspec.json.encode(status).decode()[:80]
                return State(value, dependencies, False, f"{name} is {shown}")
        return State(value, dependencies, True, "every dependency is up")


def monitoring_dependencies(value: bytes) -> Mapping[str, Any]:
    """Take the dependencies out of a value under ``/monitoring``, ``version`` left out.

    ``{"interface": "UP", "version": 1}``, or the later form ``{"status": {"interface": "UP"}, "version": 1}``.
    Raises ``ValueError`` in words where it can't be read.
    """
    state = _object(value)
    inner = state.get("status")
    if isinstance(inner, dict):
        state = inner
    state.pop("version", None)
    return state


def worker_dependencies(value: bytes) -> Mapping[str, Any]:
    """Take them out of a value under ``/state``: they are JSON text in ``state.state_monitoring``, in either form.

    Raises ``ValueError`` in words where it can't be read.
    """
    inner = _object(value).get("state")
    text = inner.get("state_monitoring") if isinstance(inner, dict) else None
    if not isinstance(text, str):
        raise ValueError("the state has no state.state_monitoring")
    return monitoring_dependencies(text.encode())


def _object(value: bytes) -> dict[str, Any]:
    try:
        decoded = decode(value, "the state")
    except ValueError as error:
        if not value.strip():
            raise ValueError("the state is empty") from error
        raise
    if not isinstance(decoded, dict):
        raise ValueError("the state is not an object")
    return decoded
