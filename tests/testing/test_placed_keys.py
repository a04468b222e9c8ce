"""Keys whose path names more than the id (``sync_key_template``): units of racks, and what reads their states."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ha_monitor import Settings
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import TOLD_WITHIN, until

if TYPE_CHECKING:
    from pathlib import Path

    from ha_monitor import HaMonitor

UNITS, LIVE = "/config/v1.0/racks/{}/units/{}", "/monitoring/v1.0/racks/{}/units/{}"
STATE = "/monitoring/v2.0/er_physical_interfaces/p"
READER, READER_RECORD = "/config/v2.0/readers/r", "/monitoring/v2.0/readers/r"
SCHEMAS = {
    "schemas": [
        {
            "id": "unit", "plural": "units", "prefix": "/v1.0",
            "metadata": {"state_versioning": True, "sync_key_template": "/v1.0/racks/{{rack_id}}/units/{{id}}"},
        },
        {"id": "rack", "plural": "racks", "prefix": "/v1.0"},
        {"id": "hidden", "plural": "hiddens", "metadata": {"sync_key_template": "/v1.0/{{a}}/{{b}}"}},
        {"id": "slot", "plural": "slots", "metadata": {"sync_key_template": "/v1.0/racks/{{a}}/{{b}}/{{id}}"}},
    ]
}  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    file = tmp_path / "schemas.json"
    file.write_text(json.dumps(SCHEMAS))
    return Settings(schema_file=[file], state_timeout=5.0)


def unit_template() -> dict[str, Any]:
    entry = "port: {type: etcd_reader, etcd_type: er_physical_interface, etcd_id: p}\n"
    return site.template("unit_monitoring", entry, {})


def unit(rack: str, id_: str = "u", version: int = 1) -> dict[str, Any]:
    return {UNITS.format(rack, id_): site.envelope({"id": id_, "rack_id": rack}, version)}


def reader(id_: str = "u", version: int = 1) -> dict[str, Any]:
    """Give a resource that reads the state of a unit, and the rack that the unit's config names."""
    text = "below: {type: etcd_reader, etcd_type: unit, etcd_id: '{{ unit_id }}'}\nnotes: ['{{ rack }}']\n"
    mappings = {
        "unit_id": {"field": "unit_id"},
        "rack": {"field": "rack_id", "path": [{"id": "unit_id", "type": "unit"}], "ignore_missing": True},
    }
    return site.template("reader_monitoring", text, mappings) | {READER: site.envelope({"unit_id": id_}, version)}


def record(version: int = 1) -> dict[str, Any]:
    return {"port": "UP", "version": version}


def published(monitor: HaMonitor) -> object:
    resource = monitor.get("unit", "u")
    return None if resource is None else resource.published


def test_a_resource_is_known_by_its_id_whatever_is_in_its_path(settings: Settings) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(unit_template() | unit("r1") | {STATE: site.UP})
        etcd.put("/config/v1.0/racks/r1", site.envelope({"id": "r1"}))
        etcd.put("/ha_monitor/maintenance/unit/frozen", {})
        etcd.txn(unit("r1", "frozen"))
        async with etcd.monitor(settings) as monitor:
            await etcd.wait(LIVE.format("r1", "u"), record(), timeout=TOLD_WITHIN)
            await until(lambda: published(monitor) == record(), TOLD_WITHIN)  # once the answer to the write has come
            resource = monitor.get("unit", "u")
            assert resource is not None
            assert resource.id == "u"
            assert [each.id for each in monitor.resources()] == ["frozen", "u"]
            assert monitor.roll.find() == [("unit", "frozen"), ("unit", "u")]
            assert [change.id for change in monitor.history()] == []
            assert monitor.get("unit", "r1/units/u") is None
            frozen = monitor.get("unit", "frozen")
            assert frozen is not None
            assert frozen.maintenance is not None
            explained = monitor.explain("unit", "u")
            assert explained is not None
            assert explained.config.key == UNITS.format("r1", "u")
            assert explained.record.source.key == LIVE.format("r1", "u")
            assert explained.record.state == "right"
            shown = monitor.rendering("unit", "u")
            assert shown is not None
            assert shown["depends_on"][0] == UNITS.format("r1", "u")
            assert UNITS.format("{{rack_id}}", "none") in monitor.absent("unit", "none")
            etcd.put(STATE, site.DOWN)
            await until(lambda: [change.id for change in monitor.history()] == ["u", "frozen"], TOLD_WITHIN)
            etcd.delete("/ha_monitor/maintenance/unit/frozen")
            await etcd.wait(LIVE.format("r1", "frozen"), {"port": "DOWN", "version": 1}, timeout=TOLD_WITHIN)
            etcd.delete(UNITS.format("r1", "u"))
            await etcd.wait(LIVE.format("r1", "u"), None, timeout=TOLD_WITHIN)
            assert monitor.get("unit", "u") is None

    run(main)


def test_a_resource_that_moves_has_its_record_at_its_new_path_alone(settings: Settings) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(unit_template() | unit("r1") | reader() | {STATE: site.UP})
        async with etcd.monitor(settings) as monitor:
            await etcd.wait(READER_RECORD, {"below": "UP", "version": 1}, timeout=TOLD_WITHIN)
            etcd.txn(unit("r2", version=2))  # gohan leaves the old key
            await etcd.wait(LIVE.format("r2", "u"), record(2), timeout=TOLD_WITHIN)
            await etcd.wait(LIVE.format("r1", "u"), None, timeout=TOLD_WITHIN)
            assert [(each.type, each.id, each.version) for each in monitor.resources()] == [
                ("reader", "r", 1),
                ("unit", "u", 2),
            ]
            resource = monitor.get("reader", "r")
            assert resource is not None
            assert resource.entries["below"].key == LIVE.format("r2", "u")
            assert list(monitor.twice()) == [("unit", "u", [UNITS.format("r2", "u"), UNITS.format("r1", "u")])]
            etcd.delete(UNITS.format("r2", "u"))
            await etcd.wait(LIVE.format("r1", "u"), record(1), timeout=TOLD_WITHIN)
            await etcd.wait(LIVE.format("r2", "u"), None, timeout=TOLD_WITHIN)

    run(main)


def test_a_state_whose_path_a_missing_config_would_tell_is_a_problem_that_heals(settings: Settings) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(reader() | {LIVE.format("r1", "u"): site.UP})
        async with etcd.monitor(settings) as monitor:
            words = "unit 'u' has no config, which the key of its state depends on"
            await until(lambda: ("reader/r", words) in list(monitor.problems()), TOLD_WITHIN)
            etcd.txn(unit("r1"))
            await etcd.wait(READER_RECORD, {"below": "UP", "version": 1}, timeout=TOLD_WITHIN)
            etcd.delete(UNITS.format("r1", "u"))
            await until(lambda: ("reader/r", words) in list(monitor.problems()), TOLD_WITHIN)

    run(main)


def test_a_state_of_a_type_whose_keys_are_unknown_is_a_problem(settings: Settings) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        text = "below: {type: etcd_reader, etcd_type: hidden, etcd_id: h}\n"
        etcd.txn(site.template("reader_monitoring", text, {}) | {READER: site.envelope({})})
        path = {"field": "x", "path": [{"id": "hidden_id", "type": "hidden"}]}
        etcd.txn(site.template("follower_monitoring", text, {"x": path}))
        etcd.put("/config/v2.0/followers/f", site.envelope({"hidden_id": "h"}))
        etcd.txn(site.template("hidden_monitoring", text, {}))
        async with etcd.monitor(settings) as monitor:
            await monitor.synced()
            problems = dict(monitor.problems())
            words = "schema hidden: sync_key_template '/v1.0/{{a}}/{{b}}': it has no {{id}}, so a key does not"
            assert problems["reader/r"].startswith(words)
            assert problems["follower/f"].startswith(f"parameter 'x': {words}")
            assert problems["template hidden_monitoring"].startswith(words)

    run(main)


def test_two_types_whose_paths_may_be_the_same_are_never_both_served(settings: Settings) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(unit_template() | unit("r1") | {STATE: site.UP})
        async with etcd.monitor(settings) as monitor:
            await etcd.wait(LIVE.format("r1", "u"), record(), timeout=TOLD_WITHIN)
            etcd.txn(site.template("slot_monitoring", "a: {type: etcd_reader, etcd_type: x, etcd_id: p}\n", {}))
            words = "type unit has its configs where type slot has them: /config/v1.0/racks/*/units/{id}"
            await until(lambda: ("template unit_monitoring", words) in list(monitor.problems()), TOLD_WITHIN)
            assert [each.type for each in monitor.resources()] == ["slot"]
            etcd.txn({}, [site.template_key("slot_monitoring")])
            await etcd.wait(LIVE.format("r1", "u"), record(), timeout=TOLD_WITHIN)

    run(main)


def test_each_path_below_one_folder_is_watched_apart(settings: Settings) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(unit_template() | unit("r1") | {STATE: site.UP})
        etcd.txn(site.template("rack_monitoring", "a: {type: etcd_reader, etcd_type: unit, etcd_id: u}\n", {}))
        etcd.put("/config/v1.0/racks/r1", site.envelope({"id": "r1"}))
        async with etcd.monitor(settings) as monitor:
            await etcd.wait("/monitoring/v1.0/racks/r1", {"a": "UP", "version": 1}, timeout=TOLD_WITHIN)
            named = {watch.prefix for watch in monitor.measures().watches}
            assert {"/config/v1.0/racks/", "/config/v1.0/racks/*/units/{id}"} <= named
            assert named == monitor.prefixes
            await anyio.sleep(100)  # what is not used is left, and no more than that
            assert monitor.prefixes == named
            etcd.put(STATE, site.DOWN)
            await etcd.wait("/monitoring/v1.0/racks/r1", {"a": "DOWN", "version": 1}, timeout=TOLD_WITHIN)

    run(main)


def something(random: Random, version: int) -> tuple[dict[str, Any], list[str]]:
    """Give keys to put and keys to delete."""
    rack, id_ = random.choice(["r1", "r2"]), random.choice("uv")
    changes: list[tuple[dict[str, Any], list[str]]] = [
        (unit(rack, id_, version), []),
        (unit(rack, id_, version), []),
        ({}, [UNITS.format(rack, id_)]),
        (unit("r1", id_, version), [UNITS.format("r2", id_)]),
        ({UNITS.format(rack, id_): site.envelope({}, version, marked=True)}, []),
        ({UNITS.format(rack, id_): "x"}, []),
        (reader(id_, version), []),
        (unit_template(), []),
        ({}, [site.template_key("unit_monitoring")]),
        ({STATE: random.choice([site.UP, site.DOWN])}, []),
        ({LIVE.format(rack, id_): record(version)}, []),
        ({"/config/v1.0/racks/r1": site.envelope({"id": "r1"}, version)}, []),
    ]
    return random.choice(changes)


def described(monitor: HaMonitor) -> list[Any]:
    """Return all resources, without the versions of those with a problem, which may be of the last valid config."""
    return [
        (
            each.type,
            each.id,
            each.status,
            each.problem or each.version,
            [(name, entry.key) for name, entry in each.entries.items()],
        )
        for each in monitor.resources()
    ]


@pytest.mark.parametrize("seed", [*range(17), 52, 58, 64])
def test_whatever_comes_goes_and_moves_all_is_as_a_fresh_monitor_has_it(seed: int, settings: Settings) -> None:
    async def main() -> None:
        random, etcd = Random(seed), MemoryEtcd()
        etcd.txn(unit_template() | reader() | {STATE: site.UP})
        async with etcd.monitor(settings) as monitor:
            for version in range(1, 60):
                etcd.txn(*something(random, version))
                await anyio.sleep(random.choice([0.0, 0.0005, 0.001, 0.002, 0.1, 40.0]))
                if random.random() < 0.05:
                    etcd.put(STATE, site.UP)  # no revision can be compacted twice
                    etcd.compact()
                    etcd.cancel_watches()
            etcd.txn(unit_template())
            await anyio.sleep(150)
            ended = etcd.items("/monitoring"), described(monitor)
        async with etcd.monitor(settings) as fresh:
            await fresh.synced()
            await anyio.sleep(150)
            assert ended == (etcd.items("/monitoring"), described(fresh))

    run(main)
