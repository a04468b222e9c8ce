"""The teller on a monitor that loses changes, has resources in maintenance and is one of a group, as it is told to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest

from ha_monitor.broadcast import Broadcast
from ha_monitor.evaluate.verdict import verdict
from ha_monitor.hooks.receiver import OK, Outcome
from ha_monitor.hooks.teller import Teller
from ha_monitor.model import Change, EntryStatus, Maintenance, Resource, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ha_monitor.broadcast import Subscription

pytestmark = pytest.mark.anyio
PATIENCE = 30.0  # seconds


class FakeMonitor:
    """As much of a monitor as a teller sees."""

    def __init__(self, *ids: str) -> None:
        self.revision = 1
        self.all: dict[str, Resource] = {}
        self.queued = 100
        self.elsewhere: set[str] = set()
        self.nobodys: set[str] = set()
        self.frozen: set[str] = set()
        self.meanwhile: dict[int, Callable[[], None]] = {}
        """What happens while all resources are looked at, by the number of the one that is next."""
        self._broadcast = Broadcast()
        self.subscription: Subscription
        for id_ in ids:
            self.put(id_, Status.UP, tell=False)

    def put(self, id_: str, status: Status | None, *, entry: str = "primary", tell: bool = True) -> None:
        """Have an entry of a resource come to a status; ``None``: the resource ends, and has no other entry."""
        before = self.all.get(id_)
        entries = {} if before is None else dict(before.entries)
        old = entries[entry].status if entry in entries else None
        self.revision += 1
        shown, side = Status.UNKNOWN, None
        if status is None:
            del self.all[id_]
        else:
            entries[entry] = EntryStatus(status, 0.0, None, "")
            statuses = {name: entries[name].status for name in sorted(entries)}
            shown, side = verdict(statuses.values()), next((name for name in statuses if statuses[name] == "UP"), None)
            self.all[id_] = Resource(
                "t", id_, "", 1, None, shown, side, 0.0, None, None, self.revision, 0.0, False, entries,
            )  # fmt: skip
        if tell:
            self._broadcast.send([Change("t", id_, entry, old, status, shown, side, self.revision, 0.0, "")])

    @property
    def noted(self) -> bool:
        """Whether the teller has taken all changes."""
        return not (self.subscription._queue or self.subscription._missed)

    def resources(self) -> Iterator[Resource]:
        for number, id_ in enumerate(list(self.all)):
            self.meanwhile.pop(number, lambda: None)()
            yield self.all[id_]

    def get(self, type_: str, id_: str) -> Resource | None:
        return self.all.get(id_)

    def maintenance(self, type_: str, id_: str) -> Maintenance | None:
        return Maintenance("work", None) if id_ in self.frozen else None

    def publishes(self, type_: str, id_: str) -> bool:
        return id_ not in self.elsewhere | self.nobodys

    def published_elsewhere(self, type_: str, id_: str) -> bool:
        return id_ in self.elsewhere

    async def synced(self) -> None:
        await anyio.lowlevel.checkpoint()

    @contextlib.asynccontextmanager
    async def changes(self) -> AsyncIterator[Subscription]:
        with self._broadcast.subscribe(self.queued) as self.subscription:
            yield self.subscription


class Notebook:
    """A receiver that notes what it is told, and does with it what it is told to."""

    name = "notebook"

    def __init__(self) -> None:
        self.told: list[tuple[str, str | None, str | None]] = []
        self.last: dict[str, tuple[Status, str | None]] = {}
        """Status and active side of each resource, as they were told last."""
        self.outcome = OK
        self.hangs = False
        self.stumbles = False

    async def tell(self, change: Change) -> Outcome:
        if self.hangs:
            await anyio.sleep_forever()
        if self.stumbles:
            raise KeyError("a fault of its own")
        await anyio.lowlevel.checkpoint()
        self.told.append((change.id, change.old, change.new))
        self.last[change.id] = change.status, change.active
        return self.outcome


@contextlib.asynccontextmanager
async def telling(monitor: FakeMonitor, notebook: Notebook, **options: Any) -> AsyncIterator[Teller]:
    options = {"timeout": 10.0, "parallel": 2, "lease_ttl": 2.0, **options}
    teller = Teller(cast("Any", monitor), "command", notebook, **options)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(teller.run)
        await until(lambda: teller.observer.is_complete)
        yield teller
        tasks.cancel_scope.cancel()


async def until(holds: Any) -> None:
    with anyio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110 - what is waited for are plain values
            await anyio.sleep(0.01)


async def rest(monitor: FakeMonitor, teller: Teller) -> None:
    """Wait until all changes are noted and there is nothing to tell."""
    await until(lambda: monitor.noted and teller.ledger.pending == 0)


async def test_a_reader_that_was_too_slow_loses_nothing() -> None:
    monitor, notebook = FakeMonitor(*"abcdef"), Notebook()
    monitor.queued = 3
    async with telling(monitor, notebook) as teller:
        monitor.put("a", Status.DOWN)
        monitor.put("b", Status.DOWN)
        monitor.put("b", Status.UP)
        monitor.put("c", None)
        monitor.put("g", Status.UP)
        for id_ in "def":
            monitor.put(id_, Status.DOWN)
        await rest(monitor, teller)
        assert sorted(notebook.told, key=str) == [
            ("a", "UP", "DOWN"),
            ("c", "UP", None),
            ("d", "UP", "DOWN"),
            ("e", "UP", "DOWN"),
            ("f", "UP", "DOWN"),
            ("g", None, "UP"),
        ]
        assert ("t", "c") not in set(teller.ledger.known())


async def test_what_changed_before_this_start_is_noted_before_what_goes_by_it_is_told() -> None:
    """It changes back while the others are still compared, and what was told meanwhile had it in it."""
    monitor, notebook = FakeMonitor(*map(str, range(2_000)), "pair"), Notebook()
    monitor.put("pair", Status.UP, entry="secondary", tell=False)
    teller = Teller(cast("Any", monitor), "command", notebook, timeout=10.0, parallel=2, lease_ttl=2.0)
    for id_, resource in monitor.all.items():
        teller.ledger.remember(("t", id_), {name: entry.status for name, entry in resource.entries.items()}, {})
    teller.observer.is_first = False
    monitor.put("pair", Status.DOWN, tell=False)
    monitor.meanwhile = {
        1: lambda: monitor.put("pair", Status.DOWN, entry="secondary"),
        1_500: lambda: monitor.put("pair", Status.UP),
    }
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(teller.run)
        await until(lambda: teller.observer.is_complete)
        assert notebook.told[0] == ("pair", "UP", "DOWN")
        await rest(monitor, teller)
        tasks.cancel_scope.cancel()
    assert notebook.last["pair"] == (monitor.all["pair"].status, monitor.all["pair"].active)


async def test_hooks_of_a_resource_wait_for_the_end_of_its_maintenance() -> None:
    monitor, notebook = FakeMonitor("a", "b", "c"), Notebook()
    async with telling(monitor, notebook) as teller:
        monitor.frozen = {"a", "b"}
        monitor.put("a", Status.DOWN)
        monitor.put("b", Status.DOWN)
        monitor.put("c", Status.DOWN)
        await rest(monitor, teller)
        assert notebook.told == [("c", "UP", "DOWN")]
        assert teller.measures().held == 2
        monitor.put("a", Status.FAIL)
        monitor.put("b", Status.UP)
        await rest(monitor, teller)
        assert teller.measures().held == 1, "what is back where it was is not waited for"
        monitor.frozen = set()
        await until(lambda: len(notebook.told) > 1)
        await rest(monitor, teller)
        assert notebook.told[1:] == [("a", "UP", "FAIL")]


async def test_a_resource_that_ends_in_maintenance_is_told_of_afterwards_and_one_that_comes_again_is_not() -> None:
    monitor, notebook = FakeMonitor("a", "b", "c"), Notebook()
    async with telling(monitor, notebook) as teller:
        monitor.frozen = {"a", "b"}
        for id_ in "abc":
            monitor.put(id_, None)
        await rest(monitor, teller)
        assert (notebook.told, teller.measures().held) == ([("c", "UP", None)], 2)
        monitor.put("b", Status.UP)
        await rest(monitor, teller)
        monitor.frozen = set()
        await until(lambda: len(notebook.told) > 1)
        await rest(monitor, teller)
        assert notebook.told[1:] == [("a", "UP", None)]


async def test_who_takes_over_tells_what_changed_lately() -> None:
    monitor, notebook = FakeMonitor("a", "b"), Notebook()
    monitor.elsewhere = {"a", "b"}
    async with telling(monitor, notebook) as teller:
        monitor.put("a", Status.DOWN)
        monitor.put("b", Status.DOWN)
        monitor.put("b", Status.UP)
        await anyio.sleep(1.0)  # two looks
        assert (notebook.told, teller.measures().pending) == ([], 0)
        monitor.elsewhere = set()
        await until(lambda: len(notebook.told) == 2)
        assert sorted(notebook.told) == [("a", "UP", "DOWN"), ("b", "DOWN", "UP")], (
            "the former owner may have told DOWN"
        )
        monitor.put("a", Status.UP)
        await until(lambda: len(notebook.told) == 3)
        assert notebook.told[-1] == ("a", "DOWN", "UP")


async def test_what_can_not_get_through_is_told_once_it_does_and_the_receiver_is_tried_gently() -> None:
    ids = [f"r{number}" for number in range(50)]
    monitor, notebook = FakeMonitor(*ids), Notebook()
    notebook.outcome = Outcome("failed", "it is down", perhaps=False)
    async with telling(monitor, notebook, parallel=8) as teller:
        for id_ in ids:
            monitor.put(id_, Status.DOWN)
        await until(lambda: len(notebook.told) >= 10)
        assert len(notebook.told) < 20, "not each of them, once it is seen that none gets through"
        assert teller.measures().failing <= len(notebook.told)
        notebook.outcome = OK
        await rest(monitor, teller)
        assert {told[0] for told in notebook.told} == set(ids)
        assert teller.measures().failing == 0


async def test_one_that_hangs_holds_up_no_other() -> None:
    monitor, notebook = FakeMonitor("a", "b"), Notebook()
    async with telling(monitor, notebook, timeout=0.2) as teller:
        notebook.hangs = True
        monitor.put("a", Status.DOWN)
        await until(lambda: teller.measures().runs["timeout"] == 1)
        notebook.hangs = False
        monitor.put("b", Status.DOWN)
        await until(lambda: len(notebook.told) == 2)
        assert notebook.told[0][0] == "b"
        assert teller.measures().runs == {"ok": 2, "failed": 0, "timeout": 1, "refused": 0}


async def test_a_receiver_that_stumbles_ends_nothing_and_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    monitor, notebook = FakeMonitor("a"), Notebook()
    async with telling(monitor, notebook) as teller:
        notebook.stumbles = True
        monitor.put("a", Status.DOWN)
        await until(lambda: teller.measures().runs["failed"] == 1)
        assert "notebook for t/a primary UP -> DOWN: KeyError('a fault of its own')" in caplog.text
        notebook.stumbles = False
        await until(lambda: len(notebook.told) == 1)


async def test_the_end_of_the_monitor_is_the_end() -> None:
    monitor, notebook = FakeMonitor("a"), Notebook()
    teller = Teller(cast("Any", monitor), "command", notebook, timeout=10.0, parallel=2, lease_ttl=2.0)
    with anyio.fail_after(PATIENCE):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(teller.run)
            await until(lambda: teller.observer.is_complete)
            monitor._broadcast.end()
