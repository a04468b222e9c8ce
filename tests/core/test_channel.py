"""A call that waits while its connection is given up, or while whoever waits for it is cancelled, or both at once."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ha_monitor.errors import EtcdUnavailable
from ha_monitor.etcd.connection import Access, Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class NoStubs:
    """No call of these is made."""

    kv = watch = lease = maintenance = auth = None

    async def close(self) -> None:
        raise NotImplementedError


class Asker:
    """A task that asks, what may happen to it meanwhile, and what becomes of it."""

    def __init__(self, run: Callable[[Asker], Coroutine[Any, Any, None]]) -> None:
        self.connection = Connection("http://127.0.0.1:1", Access(), lambda *_: NoStubs())
        self.scope = anyio.CancelScope()
        self.outcome: object = None
        self.begun = asyncio.Event()
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(run(self))

    async def call(self, _: Connection) -> str:
        """A call that answers a cancellation as gRPC does: with one of its own making."""
        self.begun.set()
        try:
            return await self.answer
        except asyncio.CancelledError:
            raise asyncio.CancelledError from None

    async def ask(self) -> None:
        try:
            self.outcome = await self.connection.ask(self.call)
        except EtcdUnavailable as error:
            self.outcome = str(error)
        await asyncio.sleep(0)  # a cancellation that was left over would come here

    async def ask_in_a_scope(self) -> None:
        with self.scope:
            await self.ask()
        await asyncio.sleep(0)

    async def ask_in_a_shield(self) -> None:
        with self.scope, anyio.CancelScope(shield=True):
            await self.ask()

    # -- what may happen

    def reply(self) -> None:
        self.answer.set_result("answer")

    def abandon(self) -> None:
        self.connection.abandon("given up")

    def leave(self) -> None:
        self.scope.cancel()

    def cancel(self) -> None:
        self.task.cancel()

    async def ends(self, *happens: str, turns_between: int = 0) -> None:
        """See it through, with some things happening while it waits, so many turns of the loop after each other."""
        await self.begun.wait()
        for what in happens:
            getattr(self, what)()
            for _ in range(turns_between):
                await asyncio.sleep(0)
        await asyncio.wait([self.task], timeout=5)
        assert self.task.done()
        assert self.connection.idle


async def test_an_answer_is_given() -> None:
    asker = Asker(Asker.ask)
    await asker.ends("reply")
    asker.task.result()
    assert asker.outcome == "answer"


@pytest.mark.parametrize("happens", [["abandon"], ["reply", "abandon"]])
async def test_who_waits_is_told_that_the_connection_was_given_up_and_goes_on(happens: list[str]) -> None:
    asker = Asker(Asker.ask)
    await asker.ends(*happens)
    asker.task.result()
    assert asker.outcome == "given up"


async def test_a_shield_does_not_keep_it_from_being_told() -> None:
    asker = Asker(Asker.ask_in_a_shield)
    await asker.ends("leave", "abandon")
    asker.task.result()
    assert asker.outcome == "given up"


async def test_nothing_is_asked_on_a_connection_that_was_given_up() -> None:
    asker = Asker(Asker.ask)
    asker.abandon()  # before its task has had a turn
    await asker.task
    assert asker.outcome == "given up"
    assert not asker.begun.is_set()


async def test_who_has_its_answer_is_not_cancelled() -> None:
    asker = Asker(Asker.ask)
    await asker.ends("reply")
    asker.abandon()
    asker.task.result()


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("happens", [["leave"], ["leave", "abandon"]])
async def test_a_scope_that_is_left_is_the_one_that_ends(happens: list[str], turns: int) -> None:
    asker = Asker(Asker.ask_in_a_scope)
    await asker.ends(*happens, turns_between=turns)
    asker.task.result()
    assert asker.scope.cancelled_caught
    assert asker.outcome is None


async def test_a_scope_that_is_left_just_after_the_connection_was_given_up_ends_as_well() -> None:
    asker = Asker(Asker.ask_in_a_scope)
    await asker.ends("abandon", "leave")
    asker.task.result()
    assert asker.scope.cancelled_caught
    assert asker.outcome is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tasks do not count who cancels them")
@pytest.mark.parametrize("happens", [["cancel"], ["cancel", "abandon"], ["abandon", "cancel"]])
async def test_a_task_that_is_cancelled_ends_whatever_becomes_of_the_connection(happens: list[str]) -> None:
    asker = Asker(Asker.ask)
    await asker.ends(*happens)
    assert asker.task.cancelled()
