"""One run of a command, on both event loops: what it gets, how it ends, and what is left of it."""

from __future__ import annotations

import os
import resource
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel
import psutil
import pytest

from ha_monitor.hooks.command import KEPT, Command
from ha_monitor.hooks.receiver import OK
from ha_monitor.model import Change, Status

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio
CHANGE = Change("t", "id", "primary", Status.UP, Status.DOWN, Status.DOWN, None, 7, 1.0, "why")
PATIENCE = 30.0  # seconds


def shell(line: str) -> Command:
    return Command(["sh", "-c", line], parallel=1)


@pytest.fixture
def reaped() -> Iterator[None]:
    """Have the kernel reap each process at its end."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


def open_files() -> int:
    return psutil.Process().num_fds()


def highest_file() -> int:
    return max(int(path.name) for path in Path("/proc/self/fd").iterdir())


async def is_gone(pid: int) -> None:
    with anyio.fail_after(PATIENCE):
        while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await anyio.sleep(0.01)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exit 3", "exit code 3"),
        ("echo one; echo two >&2; exit 1", "exit code 1: one two"),
        ("kill -TERM $$", "ended by SIGTERM"),
        ("kill -50 $$", "ended by signal 50"),
        ("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last; exit 1", "x last"),
        ("printf '\\377\\033[31m'; exit 1", "exit code 1: \ufffd\x1b[31m"),
    ],
)
async def test_how_it_ended_is_said(line: str, words: str) -> None:
    outcome = await shell(line).tell(CHANGE)
    assert (outcome.result, outcome.perhaps) == ("failed", True)
    assert outcome.words.endswith(words)
    assert len(outcome.words) < KEPT


async def test_one_that_reads_nothing_or_leaves_much_unread_is_fine() -> None:
    huge = Change("t", "id", "primary", None, None, Status.DOWN, None, 7, 1.0, "y" * 3_000_000)
    for line in ("true", "exec <&-", "read line"):
        assert await shell(line).tell(huge) == OK
    assert await shell("test $(wc -c) -gt 3000000 && test ${#HA_CHANGE_REASON} -lt 5000").tell(huge) == OK


async def test_what_it_leaves_in_the_background_is_not_waited_for_and_ended(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with anyio.fail_after(PATIENCE):
        assert await shell(f"sleep 1000 & echo $! > {shlex.quote(str(file))}").tell(CHANGE) == OK
    await is_gone(int(file.read_text()))


async def test_one_that_is_cancelled_is_ended_and_nothing_is_left(tmp_path: Path) -> None:
    files = open_files()
    for manner in ("", "trap '' TERM;"):
        file = tmp_path / f"pid{len(manner)}"
        line = f"{manner} sleep 1000 & echo $! $$ > {shlex.quote(str(file))}.next; mv {file}.next {file}; wait; wait"
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(shell(line).tell, CHANGE)
                while not file.exists():  # noqa: ASYNC110
                    await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
        for pid in map(int, file.read_text().split()):
            await is_gone(pid)
    assert open_files() == files
    assert [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE] == []


async def test_one_that_writes_without_end_is_read_at_leisure() -> None:
    turns = 0
    with anyio.move_on_after(1.0):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shell("exec yes").tell, CHANGE)
            while True:
                await anyio.lowlevel.checkpoint()
                turns += 1
    assert turns > 100


async def test_where_there_are_no_more_files_it_fails_and_says_so() -> None:
    command, limits = shell("true"), resource.getrlimit(resource.RLIMIT_NOFILE)
    assert await command.tell(CHANGE) == OK
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest_file() + 1, limits[1]))
    held = []
    try:
        while True:
            try:
                held.append(os.dup(0))
            except OSError:
                break
        outcome = await command.tell(CHANGE)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (outcome.result, outcome.words, outcome.perhaps) == ("failed", "Too many open files", False)
    assert await command.tell(CHANGE) == OK


@pytest.mark.parametrize("line", ["true", "exit 3"])
async def test_one_whose_exit_code_another_has_taken_is_not_run_again(reaped: None, line: str) -> None:
    outcome = await shell(line).tell(CHANGE)
    assert (outcome.result, outcome.words) == ("refused", "nobody knows how it ended: another has taken its exit code")


async def test_one_that_another_reaps_is_ended_in_time_as_well(reaped: None) -> None:
    others = psutil.Process().children()
    with anyio.fail_after(PATIENCE), anyio.move_on_after(0.2) as scope:
        await shell("exec sleep 1000").tell(CHANGE)
    assert scope.cancelled_caught
    assert psutil.Process().children() == others
