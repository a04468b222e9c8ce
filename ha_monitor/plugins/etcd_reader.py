"""``etcd_reader``: up while the state of ``etcd_type``/``etcd_id`` can be read and every dependency in it is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ha_monitor.model import Status
from ha_monitor.plugins import StateRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.reading.state import State

_UP, _DOWN, _UNKNOWN = Status.UP, Status.DOWN, Status.UNKNOWN  # an enum's attributes are slow on Python 3.11


class EtcdReader:
    """The entry type that HA interfaces are made of."""

    shared = True
    types: ClassVar[tuple[str, ...]] = ("etcd_reader",)
    required: ClassVar[tuple[str, ...]] = ("etcd_type", "etcd_id")
    text: ClassVar[frozenset[str]] = frozenset({"etcd_type", "etcd_id"})
    ids: ClassVar[frozenset[str]] = frozenset({"etcd_type", "etcd_id"})
    defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, props: Mapping[str, Any]) -> None:
        self._type: str = props["etcd_type"]
        self._id: str = props["etcd_id"]

    @property
    def keys(self) -> Sequence[StateRef]:
        """The one state that it hangs on."""
        return (StateRef(self._type, self._id),)

    def evaluate(self, states: Sequence[State | None]) -> tuple[Status, str]:
        """UP where every dependency is, DOWN where one is not, UNKNOWN without a state that can be read."""
        (state,) = states
        if state is None:
            return _UNKNOWN, "no state"
        if state.dependencies is None:
            return _UNKNOWN, state.reason
        return (_UP if state.up else _DOWN), state.reason
