"""The owner of the tasks, and a program that is in a hurry to end it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import anyio
import pytest

from ha_monitor.evaluate.leaves import Leaves

if TYPE_CHECKING:
    from ha_monitor.evaluate.entry import Entry

pytestmark = pytest.mark.anyio


class Reluctant:
    """An entry whose task ends when it is allowed to."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.began = anyio.Event()
        self.asked = anyio.Event()
        self.may_end = anyio.Event()
        self.ended = False

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        pass

    def rest(self) -> None:
        pass

    async def run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self.began.set()
            await asyncio.Event().wait()
        finally:
            self.asked.set()
            await self.may_end.wait()
            self.ended = True


async def test_a_task_that_is_cancelled_again_while_it_waits_for_the_others_still_sees_them_end() -> None:
    leaves, leaf = Leaves(), Reluctant()
    entry = cast("Entry", leaf)
    leaves.entries = lambda: [entry]

    async def own() -> None:
        async with leaves:
            leaves.start(entry)
            await asyncio.Event().wait()

    owner = asyncio.create_task(own())
    with anyio.fail_after(10):
        await leaf.began.wait()
        owner.cancel()
        await leaf.asked.wait()
    owner.cancel()  # asyncio's own cancellation knows of no shield
    done, _ = await asyncio.wait([owner], timeout=0.05)
    assert not done
    leaf.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await owner
    assert leaf.ended
    assert len(leaves) == 0
