"""An etcd in memory whose watches bring what they have to say only once it is let go."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ha_monitor.testing import MemoryEtcd

if TYPE_CHECKING:
    from collections.abc import Callable

    from ha_monitor.etcd.connection import Access
    from ha_monitor.testing.stubs import MemoryStubs


class HeldBack(MemoryEtcd):
    """Holds back the events of one prefix, or, without one, whatever any watch says."""

    def __init__(self, prefix: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.holds = False
        self._prefix = prefix.encode()
        self._held: list[tuple[Callable[[Any], None], Any]] = []

    def connect(self, url: str, access: Access) -> MemoryStubs:
        stubs = super().connect(url, access)
        open_stream = stubs.watch.Watch

        def watch(**options: Any) -> Any:
            stream = open_stream(**options)
            bring = stream.reply

            def reply(message: Any) -> None:
                if self.holds and self._is_meant(message):
                    self._held.append((bring, message))
                else:
                    bring(message)

            stream.reply = reply
            return stream

        stubs.watch = SimpleNamespace(Watch=watch)
        return stubs

    def _is_meant(self, message: Any) -> bool:
        if not self._prefix:
            return True
        return bool(message.events) and message.events[0].kv.key.startswith(self._prefix)

    def let_go(self) -> None:
        assert self._held, "there was nothing to hold back"
        self.holds, held = False, self._held
        for bring, message in held:
            bring(message)
