"""Time that jumps to what is due next, and tests that would never end."""

from __future__ import annotations

import asyncio
import functools
import importlib
import threading
import time

import anyio
import pytest

from ha_monitor.testing import LoopClock, MemoryEtcd, Stuck, VirtualLoop, run
from ha_monitor.testing.clock import WALL_CLOCK


async def wait_for_ever() -> None:
    await anyio.Event().wait()


def test_hours_pass_in_order_and_at_no_cost() -> None:
    order: list[str] = []

    async def note(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        order.append(name)

    async def main(start: str) -> float:
        begun = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for name, seconds in (("an hour", 3600.0), (start, 0.0), ("a minute", 60.0)):
                tasks.start_soon(note, name, seconds)
            with anyio.move_on_after(600) as scope:
                await wait_for_ever()
            assert scope.cancelled_caught
            assert order == ["now", "a minute"]
        return anyio.current_time() - begun

    assert run(main, "now") == pytest.approx(3600)
    assert order == ["now", "a minute", "an hour"]


def test_what_nobody_can_end_ends_in_words_with_its_line() -> None:
    with pytest.raises(Stuck, match=r"nothing can happen any more.*\n(.*\n)*.*test_loop.py:\d+ in wait_for_ever"):
        run(wait_for_ever)


def test_who_waits_beside_a_monitor_ends_in_words_after_the_limit() -> None:
    async def main() -> None:
        async with MemoryEtcd().monitor():
            await wait_for_ever()

    with pytest.raises(Stuck, match=r"50 s of virtual time(.*\n)*.*test_loop.py:\d+ in wait_for_ever"):
        run(main, limit=50.0)


def test_an_error_comes_out_as_it_went_in() -> None:
    async def main() -> None:
        await anyio.sleep(1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(main)


@pytest.fixture(params=[False, True], ids=["plain", "sniffio"])
def sniffio_installed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have AnyIO find sniffio, as it does where any of the packages that need it is installed; or not find it."""
    module = importlib.import_module("sniffio") if request.param else None
    monkeypatch.setattr("anyio._core._eventloop.sniffio", module)


@pytest.mark.usefixtures("sniffio_installed")
@pytest.mark.parametrize("runner", ["anyio", "asyncio"])
def test_time_stands_while_a_thread_works(runner: str) -> None:
    go_on = threading.Event()

    async def main() -> None:
        begun = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 3600)
            await anyio.to_thread.run_sync(lambda: time.sleep(0.2))
            assert anyio.current_time() == begun
            asyncio.get_running_loop().call_later(10, go_on.set)
            tasks.cancel_scope.cancel()
        await anyio.sleep(11)
        assert go_on.is_set()

    if runner == "anyio":
        run(main)
    else:
        loop = VirtualLoop()
        try:
            loop.run_until_complete(main())
        finally:
            loop.close()


@pytest.mark.usefixtures("sniffio_installed")
def test_each_run_has_the_whole_limit() -> None:
    loop = VirtualLoop(limit=100)
    try:
        for _ in range(3):
            loop.run_until_complete(asyncio.sleep(90))
        with pytest.raises(Stuck):
            loop.run_until_complete(asyncio.sleep(110))
    finally:
        loop.close()


@pytest.mark.parametrize("factory", [None, functools.partial(VirtualLoop)], ids=["real", "virtual"])
def test_the_clock_goes_with_the_loop(factory: functools.partial[VirtualLoop] | None) -> None:
    async def main() -> None:
        clock = LoopClock()
        assert clock.time() == WALL_CLOCK
        before = clock.monotonic()
        called = anyio.Event()
        clock.call_later(0.05, called.set)
        await called.wait()
        assert clock.monotonic() >= before + 0.05
        assert clock.time() == pytest.approx(WALL_CLOCK + clock.monotonic() - before, abs=0.01)
        clock.set(0.0)
        assert clock.time() == pytest.approx(0.0, abs=0.01)
        assert clock.monotonic() == pytest.approx(before + 0.05, abs=1.0)

    anyio.run(main, backend_options={"loop_factory": factory})


def test_the_etcd_can_be_filled_before_any_loop_runs() -> None:
    etcd = MemoryEtcd()
    assert (etcd.revision, etcd.put("/a", "1"), etcd.txn({"/b": [2]}, ["/a"])) == (1, 2, 3)
    assert (etcd.get("/a"), etcd.record("/b"), etcd.items("/"), etcd.items("/", 2)) == (
        None, [2], {"/b": b"[2]"}, {"/a": b"1"},
    )  # fmt: skip
    etcd.compact()
    with pytest.raises(ValueError, match="revision 2 is not among 3 to 3"):
        etcd.items("/", 2)
    with pytest.raises(ValueError, match="required revision has been compacted"):
        etcd.compact()
    with pytest.raises(ValueError, match="requested lease not found"):
        etcd.put("/a", "", lease=5)
    assert etcd.delete_prefix("/") == 4
    assert etcd.items() == {}
