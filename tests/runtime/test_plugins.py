"""Plugins: what is wrong with one is told in words and stops nobody; one with work of its own is run and ended."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import pytest

from ha_monitor import HaMonitor, Settings, Status
from ha_monitor.watch.backoff import Backoff
from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ha_monitor import EntryStatus
    from tests.support.etcd import Etcd

pytestmark = pytest.mark.anyio

BASE = """
from ha_monitor import Status
class Base:
    required, text, ids, defaults, keys = (), frozenset(), frozenset(), {}, ()
    def __init__(self, props):
        self.props = props
    def evaluate(self, states):
        return Status.UP, "well"
"""


class Install(Protocol):
    def __call__(self, module: str, **points: str) -> None: ...


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a module with entry points, for this test."""

    def install(module: str, **points: str) -> None:
        name = f"plugin_{tmp_path.name.replace('-', '_')}"
        (tmp_path / f"{name}.py").write_text(BASE + textwrap.dedent(module))
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{point} = {name}:{attribute}" for point, attribute in points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[ha_monitor.plugins]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)

    return install


def with_entry(etcd: Etcd, type_: str, more: str = "", mappings: dict[str, Any] | None = None) -> None:
    """Have an edge_router with one entry of a type."""
    etcd.txn(site.template("edge_router_monitoring", f"one:\n  type: {type_}\n{more}", mappings or {}))
    etcd.put("/config/v2.0/edge_routers/r", site.envelope({"id": "r"}))


def entries(monitor: HaMonitor) -> Mapping[str, EntryStatus]:
    resource = monitor.get("edge_router", "r")
    assert resource is not None
    return resource.entries


async def until_entry(monitor: HaMonitor, status: Status, words: str) -> None:
    with anyio.fail_after(20):
        while (one := entries(monitor)["one"]).status is not status or words not in one.reason:  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def until_record(etcd: Etcd, wanted: dict[str, Any]) -> None:
    with anyio.fail_after(20):
        while etcd.record("/monitoring/v2.0/edge_routers/r") != wanted:  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_plugins_that_can_not_be_used_are_named_and_the_others_serve(etcd: Etcd, install: Install) -> None:
    install(
        """
        class Good(Base):
            types = ("good",)
        class Thief(Base):
            types = ("etcd_reader",)
        class Lazy:
            types = ("lazy",)
        class Odd(Base):
            types = "odd"
        """,
        a_good="Good", thief="Thief", lazy="Lazy", odd="Odd", missing="Nothing", value="BASE",
    )  # fmt: skip
    with_entry(etcd, "good")
    async with HaMonitor(Settings(etcd=[etcd.url])) as monitor:
        await monitor.synced()
        problems = dict(monitor.problems())
        assert "type etcd_reader is served by EtcdReader already" in problems["plugin thief"]
        assert "its required is None, not a tuple of names" in problems["plugin lazy"]
        assert "its types is 'odd', not a tuple of names" in problems["plugin odd"]
        assert "can't be loaded" in problems["plugin missing"]
        assert set(problems) == {f"plugin {name}" for name in ("thief", "lazy", "odd", "missing", "value")}
        assert entries(monitor)["one"].status is Status.UP
        await until_record(etcd, {"one": "UP", "version": 1})


async def test_a_constructor_that_refuses_is_a_problem_of_the_resource_in_its_words(
    etcd: Etcd, install: Install
) -> None:
    install(
        """
        class Picky(Base):
            types = ("picky",)
            def __init__(self, props):
                raise ValueError("every is negative")
        """,
        picky="Picky",
    )
    with_entry(etcd, "picky")
    async with HaMonitor(Settings(etcd=[etcd.url])) as monitor:
        await monitor.synced()
        assert dict(monitor.problems()) == {"edge_router/r": "entry 'one': type picky: every is negative"}


async def test_a_constructor_that_quotes_a_secret_is_not_quoted(etcd: Etcd, install: Install) -> None:
    install(
        """
        class Picky(Base):
            types = ("picky",)
            def __init__(self, props):
                raise ValueError(f"there is no login with {props}")
        """,
        picky="Picky",
    )
    with_entry(etcd, "picky", "  mark: {{ password }}\n", {"password": {"constant": "swordfish"}})
    async with HaMonitor(Settings(etcd=[etcd.url])) as monitor:
        await monitor.synced()
        words = "it refuses its properties: ValueError, with words that are redacted"
        assert dict(monitor.problems()) == {"edge_router/r": f"entry 'one': type picky: {words}"}


@pytest.mark.parametrize(
    ("result", "words"),
    [("1 / 0", "ZeroDivisionError"), ("'UP', ''", "no Status"), ("None", "TypeError")],
    ids=["raises", "no status", "nothing"],
)
async def test_an_evaluation_that_fails_is_unknown_then_fail(
    etcd: Etcd, install: Install, result: str, words: str
) -> None:
    install(
        f"""
        class Broken(Base):
            types = ("broken",)
            def evaluate(self, states):
                return {result}
        """,
        broken="Broken",
    )
    with_entry(etcd, "broken", "  timeout: 0.3\n")
    async with HaMonitor(Settings(etcd=[etcd.url])) as monitor:
        await monitor.synced()
        await until_entry(monitor, Status.FAIL, words)


WORKING = """
    import anyio
    class Working(Base):
        types = ("working",)
        starts = []
        ends = []
        def __init__(self, props):
            self.props, self.found = props, (Status.UNKNOWN, "not yet")
        def evaluate(self, states):
            return self.found
        async def run(self, report):
            self.starts.append(self.props.get("mark"))
            try:
                if len(self.starts) == 1:
                    raise OSError("no luck")
                self.found = Status.UP, f"found {self.props.get('mark')}"
                report()
                await anyio.sleep_forever()
            finally:
                self.ends.append(self.props.get("mark"))
    """


async def test_work_of_its_own_is_begun_anew_when_it_fails_and_ends_with_the_resource(
    etcd: Etcd, install: Install
) -> None:
    install(WORKING, working="Working")
    with_entry(etcd, "working", "  mark: one\n")
    async with HaMonitor(Settings(etcd=[etcd.url])) as monitor:
        await until_entry_exists(monitor)
        await until_entry(monitor, Status.UP, "found one")
        cls = monitor._plugins.classes["working"]
        starts, ends = cls.starts, cls.ends  # type: ignore[attr-defined]
        assert (starts, ends) == (["one", "one"], ["one"])
        etcd.put("/config/v2.0/edge_routers/r", site.envelope({"id": "r"}, 2))
        await until_record(etcd, {"one": "UP", "version": 2})
        assert starts == ["one", "one"], "the same properties: it works on"
        with_entry(etcd, "working", "  mark: two\n")
        await until_entry(monitor, Status.UP, "found two")
        assert (starts, ends) == (["one", "one", "two"], ["one", "one"])
    assert ends == ["one", "one", "two"]


async def until_entry_exists(monitor: HaMonitor) -> None:
    await monitor.synced()
    with anyio.fail_after(20):
        while "one" not in entries(monitor):  # noqa: ASYNC110
            await anyio.sleep(0.01)


@pytest.mark.parametrize(
    "how",
    [
        'raise OSError("lost")',
        "await cancelled()",
        "asyncio.current_task().cancel(); await anyio.sleep(0)",
        "await swallowed()",
    ],
    ids=["raises", "cancelled", "cancels itself", "has swallowed one before"],
)
async def test_work_that_fails_after_it_has_reported_is_looked_at_anew(
    etcd: Etcd, install: Install, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it has nothing new to report: what it found before counts again. To be cancelled by others is one."""
    monkeypatch.setattr(Backoff, "delay", lambda self: 0.05)
    install(
        f"""
        import asyncio
        import anyio
        async def cancelled():
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future
        async def swallowed():
            asyncio.current_task().cancel()
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                await cancelled()
        class Working(Base):
            types = ("working",)
            starts = []
            def __init__(self, props):
                self.found = Status.UNKNOWN, "not yet"
            def evaluate(self, states):
                return self.found
            async def run(self, report):
                self.starts.append(None)
                if len(self.starts) == 1:
                    self.found = Status.UP, "found"
                    report()
                    await anyio.sleep(0)
                    {how}
                await anyio.sleep_forever()
        """,
        working="Working",
    )
    with_entry(etcd, "working")
    async with HaMonitor(Settings(etcd=[etcd.url])) as monitor:
        await until_entry_exists(monitor)
        with anyio.fail_after(20):
            while len(monitor._plugins.classes["working"].starts) < 2:  # type: ignore[attr-defined]  # noqa: ASYNC110
                await anyio.sleep(0.01)
        await until_entry(monitor, Status.UP, "found")
