"""Whatever somebody puts into etcd, the monitor goes on for everybody else, and says in words what it can't use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import anyio
import pytest

from ha_monitor.model import Status
from ha_monitor.plugins import Plugins, StateRef, load_plugins
from ha_monitor.testing import run
from tests.support import site
from tests.testing.fleet import Fleet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor import HaMonitor
    from ha_monitor.reading.state import State

TEMPLATES = "/config/v2.0/heat_templates/"
CONFIG = "/config/v2.0/ports/x"
HALF = "\\ud800"  # as YAML and JSON write half of a character
READER = ": {type: etcd_reader, etcd_type: er_physical_interface, etcd_id: p0}\n"
TEXTS = {
    "an entry's name": (f'"{HALF}"' + READER, "", "line 1 has an escape that is half a character"),
    "a name from a config": (f'"{{{{ n }}}}"{READER}', HALF, "line 1 has an escape that is half a character"),
    "an etcd_type": (
        f'a: {{type: etcd_reader, etcd_type: "{HALF}", etcd_id: x}}\n', "",
        "line 1 has an escape that is half a character",
    ),
    "an etcd_type that is a path": (
        "a: {type: etcd_reader, etcd_type: ../x, etcd_id: x}\n", "",
        "entry 'a' (etcd_reader): its etcd_type: the id '../x' has a / in it: an id is one path segment",
    ),
}  # fmt: skip


async def others_go_on(fleet: Fleet) -> None:
    """See that a change elsewhere still comes to its record."""
    fleet.flip(1)
    await fleet.etcd.wait(fleet.pairs[1].record, site.record("DOWN"), timeout=10.0)


def problem(monitor: HaMonitor) -> str | None:
    resource = monitor.get("port", "x")
    return None if resource is None else resource.problem


@pytest.mark.parametrize("case", TEXTS)
def test_a_template_whose_text_makes_no_key_is_a_problem(case: str) -> None:
    text, field, words = TEXTS[case]

    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor() as monitor:
            await fleet.right()
            fleet.etcd.txn(site.template("port_monitoring", text, {"n": {"field": "n"}}))
            fleet.etcd.put(CONFIG, site.envelope({"id": "x", "n": field}))
            await others_go_on(fleet)
            assert words in (problem(monitor) or "")

    run(main)


def test_a_character_that_json_writes_as_two_escapes_is_one() -> None:
    async def main() -> None:
        fleet = Fleet()
        fleet.etcd.txn(site.template("port_monitoring", '"\\ud83d\\ude00"' + READER, {}))
        fleet.etcd.put(CONFIG, site.envelope({"id": "x"}))
        async with fleet.monitor():
            await fleet.etcd.wait("/monitoring/v2.0/ports/x", {"😀": "UP", "version": 1}, timeout=10.0)

    run(main)


@pytest.mark.parametrize("id_", ["\udcff_monitoring", "_monitoring", ".._monitoring"])
def test_a_template_whose_name_is_no_type_is_a_problem(id_: str) -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor() as monitor:
            await fleet.right()
            fleet.etcd.txn({TEMPLATES + id_: next(iter(site.template("port_monitoring", READER, {}).values()))})
            await others_go_on(fleet)
            ((_, words),) = monitor.problems()
            assert words == "its name is not TYPE_monitoring, and no setting says which type it is for"

    run(main)


def test_a_type_whose_configs_are_the_templates_is_a_problem() -> None:
    async def main() -> None:
        fleet = Fleet()
        async with fleet.monitor() as monitor:
            await fleet.right()
            fleet.etcd.txn(site.template("heat_template_monitoring", "a" + READER, {}))
            await others_go_on(fleet)
            words = f"type heat_template has its configs where the templates are: {TEMPLATES}"
            assert tuple(monitor.problems()) == (("template heat_template_monitoring", words),)
            fleet.etcd.delete(TEMPLATES + "ha_interface_monitoring")
            await fleet.etcd.wait(fleet.pairs[1].record, None, timeout=10.0)

    run(main)


class Odd:
    """A plugin that hangs on whatever its entry says."""

    types: ClassVar[tuple[str, ...]] = ("odd",)
    required: ClassVar[tuple[str, ...]] = ()
    text: ClassVar[frozenset[str]] = frozenset()
    ids: ClassVar[frozenset[str]] = frozenset()
    defaults: ClassVar[Mapping[str, Any]] = {}
    KEYS: ClassVar[Mapping[str, Any]] = {
        "twice": [StateRef("port", "gone"), StateRef("port", "gone")],
        "plain": [("port", "p")],
        "number": [StateRef("port", 1)],  # type: ignore[arg-type]
        "null": [StateRef(None, "p")],  # type: ignore[arg-type]
        "half": [StateRef("port", "\ud800")],
        "path": [StateRef("port", "a/b")],
        "word": ["port"],
    }

    def __init__(self, props: Mapping[str, Any]) -> None:
        self.keys = self.KEYS[props["keys"]]

    def evaluate(self, states: Any) -> tuple[Status, str]:
        found: list[State | None] = list(states)
        return (Status.UP if any(found) else Status.DOWN), "so it is"


@pytest.mark.parametrize("keys", Odd.KEYS)
def test_a_plugin_that_hangs_on_odd_keys_stops_nobody(keys: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = Plugins({**load_plugins().classes, "odd": Odd}, ())
    monkeypatch.setattr("ha_monitor.monitor.load_plugins", lambda: plugins)

    async def main() -> None:
        fleet = Fleet()
        fleet.etcd.txn(site.template("port_monitoring", f"a: {{type: odd, keys: {keys}}}\n", {}))
        async with fleet.monitor() as monitor:
            await fleet.right()
            for version in (1, 2):
                fleet.etcd.put(CONFIG, site.envelope({"id": "x"}, version=version))
                await anyio.sleep(1.0)
            fits = keys in ("twice", "plain")
            assert (problem(monitor) is None) == fits
            if not fits:
                assert (problem(monitor) or "").startswith("entry 'a': type odd: ")
            fleet.etcd.delete(CONFIG)
            await others_go_on(fleet)
            assert monitor.get("port", "x") is None

    run(main)


class Minutely(Odd):
    """One whose work fails now and then."""

    starts: ClassVar[list[float]] = []
    ends: ClassVar[list[float]] = []

    def __init__(self, props: Mapping[str, Any]) -> None:
        self.keys = ()

    def evaluate(self, states: Any) -> tuple[Status, str]:
        return Status.UP, "so it is"

    async def run(self, report: Any) -> None:
        self.starts.append(anyio.current_time())
        await anyio.sleep(61.0)
        self.ends.append(anyio.current_time())
        raise OSError("lost")


def test_work_that_fails_after_a_minute_is_begun_anew_at_once_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = Plugins({**load_plugins().classes, "odd": Minutely}, ())
    monkeypatch.setattr("ha_monitor.monitor.load_plugins", lambda: plugins)

    async def main() -> None:
        fleet = Fleet()
        fleet.etcd.txn(site.template("port_monitoring", "a: {type: odd}\n", {}))
        fleet.etcd.put(CONFIG, site.envelope({"id": "x"}))
        async with fleet.monitor():
            await anyio.sleep(12 * 61.0)
        pauses = [start - end for end, start in zip(Minutely.ends, Minutely.starts[1:], strict=False)]
        assert len(pauses) > 9
        assert max(pauses) < 2.0

    run(main)
