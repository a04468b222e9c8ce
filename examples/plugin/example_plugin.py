"""Two entry types: one that reads a state as etcd_reader does, and one that does I/O of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import anyio

from ha_monitor import Status
from ha_monitor.plugins import StateRef

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.plugins import Report
    from ha_monitor.reading.state import State


class ThresholdReader:
    """UP while the number ``field`` in the state of ``etcd_type``/``etcd_id`` is at least ``least``."""

    types: ClassVar[tuple[str, ...]] = ("threshold_reader",)
    required: ClassVar[tuple[str, ...]] = ("etcd_type", "etcd_id", "field")
    text: ClassVar[frozenset[str]] = frozenset({"etcd_type", "etcd_id", "field"})
    ids: ClassVar[frozenset[str]] = frozenset({"etcd_type", "etcd_id"})
    defaults: ClassVar[Mapping[str, Any]] = {"least": 1}

    def __init__(self, props: Mapping[str, Any]) -> None:
        self.keys: Sequence[StateRef] = (StateRef(props["etcd_type"], props["etcd_id"]),)
        self._field = props["field"]
        self._least = float(props["least"])  # its ValueError is the resource's problem, in these words

    def evaluate(self, states: Sequence[State | None]) -> tuple[Status, str]:
        """Compare; UNKNOWN without a state that can be read."""
        (state,) = states
        if state is None or state.dependencies is None:
            return Status.UNKNOWN, "no state" if state is None else state.reason
        value = state.dependencies.get(self._field)
        if not isinstance(value, (int, float)):
            return Status.UNKNOWN, f"{self._field} is no number"
        return (Status.UP if value >= self._least else Status.DOWN), f"{self._field} is {value:g}"


class TcpPort:
    """UP while ``host``:``port`` takes connections; tried every ``every`` seconds."""

    types: ClassVar[tuple[str, ...]] = ("tcp_port",)
    required: ClassVar[tuple[str, ...]] = ("host", "port")
    text: ClassVar[frozenset[str]] = frozenset({"host"})
    ids: ClassVar[frozenset[str]] = frozenset()
    defaults: ClassVar[Mapping[str, Any]] = {"every": 5.0}

    def __init__(self, props: Mapping[str, Any]) -> None:
        self.keys: Sequence[StateRef] = ()  # nothing in etcd
        self._host, self._port, self._every = props["host"], int(props["port"]), float(props["every"])
        self._found = (Status.UNKNOWN, "not tried yet")

    async def run(self, report: Report) -> None:
        """Try again and again; ends by cancellation, with the resource."""
        while True:
            found = await self._try()
            if found != self._found:
                self._found = found
                report()
            await anyio.sleep(self._every)

    async def _try(self) -> tuple[Status, str]:
        try:
            with anyio.fail_after(self._every):
                stream = await anyio.connect_tcp(self._host, self._port)
        except (OSError, TimeoutError) as error:
            return Status.DOWN, str(error) or "no answer"
        await stream.aclose()
        return Status.UP, "takes connections"

    def evaluate(self, states: Sequence[State | None]) -> tuple[Status, str]:
        """Say what was found last."""
        return self._found
