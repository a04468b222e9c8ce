"""Prefixes that a template asks for and that may not be read: what is said of the resources that hang on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from ha_monitor import HaMonitor, Resource, Settings, Status
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import TOLD_WITHIN, until

if TYPE_CHECKING:
    from pathlib import Path

PORT = "/config/v2.0/ports/a"
DEVICE = "/config/v2.0/devices/d0"
READ = ["/config/v2.0/heat_templates/", "/config/v2.0/ports/", "/monitoring/v2.0/", "/ha_monitor/"]


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
            assert ports.etcd.record("/monitoring/v2.0/ports/a") == {"port": "DOWN", "version": 7}

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
