"""Prefixes that a template asks for: what hangs on one that may not be read, and when one is watched no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ha_monitor import HaMonitor, Resource, Settings, Status
from ha_monitor.evaluate.unused import LOOK_EVERY
from ha_monitor.publish.decider import LATE
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import TOLD_WITHIN, ready, unready, until

if TYPE_CHECKING:
    from pathlib import Path

PORT = "/config/v2.0/ports/a"
DEVICE = "/config/v2.0/devices/d0"
RECORD = "/monitoring/v2.0/ports/a"
STATES = "/monitoring/v2.0/er_physical_interfaces/"
READ = [
    "/config/v2.0/heat_templates/", "/config/v2.0/ports/", "/monitoring/v2.0/ports/", "/state/", STATES,
    "/ha_monitor/",
]  # fmt: skip
STANDING = 5
"""Prefixes that a monitor of ports always needs: templates, configs, records, worker states and what is frozen."""

LEFT_WITHIN = 2 * LOOK_EVERY + 1.0
"""Seconds after which a prefix that nobody goes by is watched no longer."""


class Ports:
    """One port, whose template names its interface, or has that looked up at its device, which is another one."""

    def __init__(self) -> None:
        self.etcd = MemoryEtcd()
        self.etcd.txn(
            {
                **site.reader_template("port"),
                PORT: self.port(1),
                DEVICE: site.envelope({"port_id": "p1"}),
                site.monitoring_key("er_physical_interfaces", "p0"): site.UP,
                site.monitoring_key("er_physical_interfaces", "p1"): site.DOWN,
            }
        )

    def port(self, version: int) -> dict[str, Any]:
        return site.envelope({"port_id": "p0", "device_id": "d0"}, version)

    def look_up_at_device(self) -> None:
        text = "port:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n  etcd_id: {{ port_id }}\n"
        path = {"field": "port_id", "path": [{"id": "device_id", "type": "device"}]}
        self.etcd.txn(site.template("port_monitoring", text, {"port_id": path}))

    def may_read(self, *more: str) -> None:
        self.etcd.set_user("monitor", "pw", read=[*READ, *more], write=["/monitoring/v2.0/"])

    def monitor(self, folder: Path, **settings: Any) -> HaMonitor:
        """Give a monitor that may not read more than it needs at first."""
        password = folder / "password"
        password.write_text("pw")
        self.may_read()
        return self.etcd.monitor(Settings(etcd_user="monitor", etcd_password_file=password, **settings))


def port(monitor: HaMonitor) -> Resource:
    found = monitor.get("port", "a")
    assert found is not None
    return found


def test_what_hangs_on_a_prefix_that_is_not_listed_yet_is_stale_and_of_the_version_it_was(tmp_path: Path) -> None:
    async def main() -> None:
        ports = Ports()
        async with ports.monitor(tmp_path, on_blind="down", blind_grace=10) as monitor:
            await monitor.synced()
            assert (port(monitor).status, port(monitor).stale) == (Status.UP, False)
            ports.look_up_at_device()
            ports.etcd.put(PORT, ports.port(7))
            await until(lambda: port(monitor).stale, 1.0)
            assert (port(monitor).status, port(monitor).version) == (Status.UP, 1)
            await anyio.sleep(TOLD_WITHIN + 1)
            assert (port(monitor).status, port(monitor).blind, port(monitor).version) == (Status.DOWN, True, 1)
            await anyio.sleep(60)
            ports.may_read("/config/v2.0/devices/")
            await until(lambda: not port(monitor).stale, TOLD_WITHIN)
            assert (port(monitor).status, port(monitor).blind, port(monitor).version) == (Status.DOWN, False, 7)
            assert ports.etcd.record(RECORD) == {"port": "DOWN", "version": 7}

    run(main)


def test_a_config_that_changes_while_a_prefix_is_not_listed_waits_for_it_once(tmp_path: Path) -> None:
    async def main() -> None:
        ports = Ports()
        async with ports.monitor(tmp_path) as monitor:
            await monitor.synced()
            ports.look_up_at_device()
            for version in range(2, 202):
                ports.etcd.put(PORT, ports.port(version))
                await anyio.sleep(0.02)
            assert len(monitor._watches.keys("/config/v2.0/devices/")._on_sync) == 1
            ports.may_read("/config/v2.0/devices/")
            await until(lambda: port(monitor).version == 201, TOLD_WITHIN)

    run(main)


def reader_template(type_: str) -> dict[str, Any]:
    """Give a port's template that reads another type."""
    text = f"port:\n  type: etcd_reader\n  etcd_type: {type_}\n  etcd_id: {{{{ port_id }}}}\n"
    return site.template("port_monitoring", text, {"port_id": {"field": "port_id"}})


def test_a_typo_in_a_template_stops_nobody_once_it_is_corrected(tmp_path: Path) -> None:
    async def main() -> None:
        ports = Ports()
        async with ports.monitor(tmp_path) as monitor:
            await ready(monitor)
            ports.etcd.txn(reader_template("er_phys_interface"))
            assert "/monitoring/v2.0/er_phys_interfaces/ is not caught up" in await unready(monitor)
            await anyio.sleep(600)
            assert not monitor.readiness().ready, "somebody goes by it"
            ports.etcd.txn(site.reader_template("port"))
            ports.etcd.put(f"{STATES}p0", site.DOWN)
            await ready(monitor, LEFT_WITHIN)
            await ports.etcd.wait(RECORD, {"port": "DOWN", "version": 1}, timeout=1.0)
            assert (port(monitor).stale, port(monitor).revision >= ports.etcd.revision - 1) == (False, True)
            assert "/monitoring/v2.0/er_phys_interfaces/" not in monitor.prefixes

    run(main)


def test_a_typo_in_the_name_of_a_template_stops_nobody_once_that_is_gone(tmp_path: Path) -> None:
    async def main() -> None:
        ports = Ports()
        async with ports.monitor(tmp_path) as monitor:
            await ready(monitor)
            before = monitor.prefixes
            ports.etcd.txn(site.reader_template("prot"))
            assert "/config/v2.0/prots/ is not caught up" in await unready(monitor)
            ports.etcd.delete(site.template_key("prot_monitoring"))
            await ready(monitor, LEFT_WITHIN)
            assert monitor.prefixes <= before
            ports.etcd.txn(site.reader_template("prot"))
            await unready(monitor)
            ports.may_read("/config/v2.0/prots/", "/monitoring/v2.0/prots/")
            ports.etcd.put("/config/v2.0/prots/a", site.envelope({"port_id": "p0"}))
            await ready(monitor)
            await ports.etcd.wait("/monitoring/v2.0/prots/a", {"port": "UP", "version": 1}, timeout=1.0)

    run(main)


def test_a_type_is_watched_no_longer_once_it_is_gone_though_a_record_of_it_was_sent_in_vain(tmp_path: Path) -> None:
    """etcd is heard all the time: what came of the record is never asked for, and known after a few seconds."""

    async def main() -> None:
        ports = Ports()
        async with ports.monitor(tmp_path) as monitor:
            await ready(monitor)
            before = monitor.prefixes
            ports.may_read("/config/v2.0/prots/", "/monitoring/v2.0/prots/")
            ports.etcd.fill_up()
            ports.etcd.txn({**site.reader_template("prot"), "/config/v2.0/prots/a": ports.port(1)})
            assert "database space exceeded" in await unready(monitor)
            ports.etcd.txn({}, [site.template_key("prot_monitoring"), "/config/v2.0/prots/a"])
            await anyio.sleep(LEFT_WITHIN + LATE)
            assert monitor.prefixes <= before

    run(main)


def test_who_waits_for_a_prefix_does_so_for_good_and_who_does_no_longer_keeps_nobody_waiting(tmp_path: Path) -> None:
    async def main() -> None:
        ports = Ports()
        async with ports.monitor(tmp_path) as monitor:
            await ready(monitor)
            ports.look_up_at_device()
            await anyio.sleep(600)
            assert "/config/v2.0/devices/ is not caught up" in await unready(monitor)
            ports.etcd.txn(site.reader_template("port"))
            await ready(monitor, LEFT_WITHIN)
            ports.look_up_at_device()
            await unready(monitor)
            ports.may_read("/config/v2.0/devices/")
            await ready(monitor)
            await ports.etcd.wait(RECORD, {"port": "DOWN", "version": 1}, timeout=1.0)

    run(main)


def test_prefixes_that_a_config_names_in_turn_come_and_go() -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        text = "a:\n  type: etcd_reader\n  etcd_type: {{ t }}\n  etcd_id: b\n"
        etcd.txn(site.template("port_monitoring", text, {"t": {"field": "t"}}))
        async with etcd.monitor() as monitor:
            await ready(monitor)
            for turn in range(150):
                etcd.put(PORT, site.envelope({"t": f"t{turn % 50}"}, version=turn))
                etcd.put(site.monitoring_key(f"t{turn % 50}s", "b"), site.DOWN if turn % 2 else site.UP)
                await etcd.wait(RECORD, {"a": "DOWN" if turn % 2 else "UP", "version": turn}, timeout=5.0)
                await anyio.sleep(turn % 7)
            await anyio.sleep(LEFT_WITHIN)
            watches = monitor.measures().watches
            assert {watch.prefix for watch in watches} == monitor.prefixes
            assert len(watches) == len(etcd._server._streams) == STANDING + 1
            assert monitor._fleet.families["port"].prefixes <= monitor.prefixes
            etcd.put(site.monitoring_key("t49s", "b"), site.UP)
            await etcd.wait(RECORD, {"a": "UP", "version": 149}, timeout=5.0)
            await until(lambda: monitor.revision == etcd.revision, 5.0)

    run(main)


MANY = 1_000
STATE = "a: {type: etcd_reader, etcd_type: {{ t }}, etcd_id: b}\n"
LIST = STATE.replace("a:", "{% for t in ts %}a{{ loop.index }}:") + "{% endfor %}"
STEPS = [{"id": f"l{number}", "type": f"t{number}"} for number in range(MANY)]
LONG = "f" * 5_000
GREEDY: dict[str, tuple[str, dict[str, Any], str]] = {
    "paths of a config": (
        STATE, {"t": {"for_field": {"field": "links"}, "for_mapping": {"field": "id", "path": [{"field": "kind"}]}}},
        "the mappings read of more than 64 types",
    ),
    "a long name of a field": (STATE, {"t": {"field": "id", "path": [{"field": "long"}]}}, "longer than 1024 bytes"),
    "a field of which nobody knows": (
        STATE, {"t": {"field": "id", "path": [{"field": "stray"}]}}, f"nobody knows what port.{'f' * 60}… points to",
    ),
    "entries": (LIST, {"ts": {"field": "ts"}}, "its entries go by states of more than 64 types"),
    "a path of a template": (STATE, {"t": {"field": "id", "path": STEPS}}, "the template names more than 64 types"),
    "a long type": (
        STATE, {"t": {"field": "id", "path": [{"id": "l0", "type": "t" * 1_000_000}]}},
        """the path has {"id":"l0","type":"ttt""",
    ),
}  # fmt: skip


@pytest.mark.parametrize("who", GREEDY)
def test_who_asks_for_many_prefixes_gets_a_problem_and_all_others_go_on(who: str) -> None:
    text, mappings, words = GREEDY[who]

    async def main() -> None:
        etcd = MemoryEtcd()
        pair = site.HaInterface()
        etcd.txn(site.ha_template() | pair.keys())
        for number in range(MANY):
            etcd.put(f"/config/v2.0/k{number}_gateways/x", site.envelope({"id": "x"}))
        body = {
            "links": [{"kind": f"k{number}_gw_id", f"k{number}_gw_id": "x"} for number in range(MANY)],
            "ts": [f"t{number}" for number in range(65)],
            "long": f"{LONG}_gw_id", f"{LONG}_gw_id": "x", "stray": LONG, LONG: "x",
        }  # fmt: skip
        async with etcd.monitor() as monitor:
            await ready(monitor)
            etcd.txn(site.template("port_monitoring", text, mappings) | {PORT: site.envelope(body)})
            await until(lambda: words in str(dict(monitor.problems())), TOLD_WITHIN, lambda: list(monitor.problems()))
            assert len(str(dict(monitor.problems()))) < 1_000
            etcd.put(pair.primary_state, site.DOWN)
            await etcd.wait(pair.record, site.record("DOWN"), timeout=TOLD_WITHIN)
            await ready(monitor, TOLD_WITHIN)
            assert len(monitor.measures().watches) < 64 + 3 * STANDING

    run(main)
