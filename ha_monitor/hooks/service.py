"""Everything that is told to others, as one task: made from the settings, with what it has to remember."""

from __future__ import annotations

import contextlib
import shlex
from typing import TYPE_CHECKING

import anyio

from ha_monitor.hooks.memory import Memory
from ha_monitor.hooks.teller import Teller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor.hooks.receiver import Receiver
    from ha_monitor.measures import HookMeasures
    from ha_monitor.monitor import HaMonitor
    from ha_monitor.settings import Settings


class Hooks:
    """The receivers that the settings name; :meth:`run` tells them."""

    def __init__(self, monitor: HaMonitor, settings: Settings) -> None:
        self._monitor = monitor
        self._settings = settings
        self._tellers: list[Teller] = []

    def measures(self) -> Sequence[HookMeasures]:
        """Give what was counted so far, of each receiver."""
        return [teller.measures() for teller in self._tellers]

    async def run(self) -> None:
        """Tell of every change until cancelled; what is under way then has a moment to end."""
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            if settings.hook is not None:
                from ha_monitor.hooks.command import Command

                self._add("command", Command(shlex.split(settings.hook), settings.hook_parallel))
            if settings.webhook is not None:
                from ha_monitor.hooks.webhook import Webhook, webhook_client

                url, parallel = settings.webhook, settings.hook_parallel
                client = await stack.enter_async_context(webhook_client(url, settings.hook_timeout, parallel))
                self._add("webhook", Webhook(client, url, settings.webhook_secret_file))
            await self._run()

    def _add(self, kind: str, receiver: Receiver) -> None:
        settings = self._settings
        teller = Teller(
            self._monitor, kind, receiver, timeout=settings.hook_timeout, parallel=settings.hook_parallel,
            lease_ttl=settings.lease_ttl,
        )  # fmt: skip
        self._tellers.append(teller)

    async def _run(self) -> None:
        if self._settings.hook_state is None:
            await self._tell()
            return
        memory = Memory(self._settings.hook_state, self._tellers)
        await memory.recall()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(memory.keep)
                await self._tell()
                tasks.cancel_scope.cancel()
        finally:
            memory.close()

    async def _tell(self) -> None:
        async with anyio.create_task_group() as tasks:
            for teller in self._tellers:
                tasks.start_soon(teller.run, name=f"hooks: {teller.kind}")
