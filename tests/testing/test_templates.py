"""Templates that come, go and get in each other's way, with what they leave behind: on an etcd in memory."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import anyio
import pytest

from ha_monitor import Settings, Status
from ha_monitor.lang.template import Rendering, Template
from ha_monitor.testing import MemoryEtcd, run
from tests.support import site
from tests.testing.fleet import TOLD_WITHIN, until
from tests.testing.test_faults import virtual

if TYPE_CHECKING:
    from collections.abc import Mapping

PORTS = "/config/v2.0/ports/"
STATES = "/monitoring/v2.0/er_physical_interfaces/"
RECORDS = "/monitoring/v2.0/ports/"
TEMPLATE = "/config/v2.0/heat_templates/port_monitoring"


def side(parameter: str, name: str = "side") -> str:
    return f"{name}:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n  etcd_id: {{{{ {parameter} }}}}\n"


def ports(
    mapping: Mapping[str, Any] = {"field": "line"},
    *,
    name: str = "side",
    template_id: str = "port_monitoring",
) -> dict[str, Any]:
    return site.template(template_id, side("line", name), {"line": mapping})


def port(id_: str, **fields: Any) -> dict[str, Any]:
    return {f"{PORTS}{id_}": site.envelope({"id": id_, **fields})}


@virtual
async def test_a_resource_that_a_first_list_finds_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are found first are rendered while the others are still listed."""
    rendered: Counter[str] = Counter()
    render = Template.render

    def counted(template: Template, type_: str, id_: str, *read: Any) -> Rendering:
        rendered[id_] += 1
        return render(template, type_, id_, *read)

    monkeypatch.setattr(Template, "render", counted)
    etcd = MemoryEtcd()
    etcd.txn(ports())
    for number in range(3_000):  # more than are taken between two turns of the loop
        etcd.txn(port(f"p{number}", line="l"))
    async with etcd.monitor() as monitor:
        await monitor.synced()
        assert len(rendered) == 3_000
        assert set(rendered.values()) == {1}
        etcd.txn(ports({"field": "id"}))
        await until(lambda: set(rendered.values()) == {2}, TOLD_WITHIN)


@virtual
async def test_a_record_of_a_resource_that_is_gone_is_found_where_a_path_leads_to_its_own_type() -> None:
    """Both wait for the list of its configs: what is found by the path, and the look for orphans."""
    etcd = MemoryEtcd()
    above = side("line").replace("er_physical_interface", "port")
    etcd.txn(site.template("vpn_gateway_monitoring", above, {"line": {"field": "line"}}))
    etcd.put("/config/v2.0/vpn_gateways/vpn", site.envelope({"id": "vpn", "line": "p1"}))
    for number in range(1_200):  # more than are taken between two turns of the loop
        etcd.txn(port(f"p{number}", line=f"l{number}", peer=f"p{number * 7 % 1_200}") | {f"{STATES}l{number}": site.UP})
    etcd.put(f"{RECORDS}gone", {"side": "UP", "version": 1})
    async with etcd.monitor() as monitor:
        await monitor.synced()
        await anyio.sleep(5)
        etcd.txn(ports({"field": "line", "path": [{"id": "peer", "type": "port"}]}))
        await until(lambda: etcd.record(f"{RECORDS}gone") is None, TOLD_WITHIN)


@virtual
async def test_a_config_that_can_not_be_read_ends_with_its_template() -> None:
    etcd = MemoryEtcd()
    etcd.txn(ports() | {f"{PORTS}broken": "no JSON"})
    async with etcd.monitor() as monitor:
        await monitor.synced()
        assert [resource.id for resource in monitor.resources()] == ["broken"]
        etcd.delete(TEMPLATE)
        await until(lambda: not list(monitor.resources()), TOLD_WITHIN)
        etcd.put(f"{PORTS}another", "no JSON either")
        await anyio.sleep(TOLD_WITHIN)
        assert not list(monitor.resources())
        assert not list(monitor.problems())


@pytest.mark.parametrize("number", range(8))
def test_a_timeout_comes_at_any_moment(number: int) -> None:
    """Some sums of times are a hair less than their parts."""

    async def main() -> None:
        etcd = MemoryEtcd()
        etcd.txn(ports() | port("p", line="l") | {f"{STATES}l": site.UP})
        async with etcd.monitor() as monitor:
            await monitor.synced()
            await anyio.sleep(1 + number * 0.0137)
            etcd.delete(f"{STATES}l")
            await anyio.sleep(70)
            resource = monitor.get("port", "p")
            assert resource is not None
            assert resource.entries["side"].status is Status.FAIL

    run(main)


@pytest.mark.parametrize("first", ["aaa", "port_monitoring"])
def test_of_two_templates_of_a_type_the_same_one_counts_whichever_came_first(
    first: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        etcd = MemoryEtcd()
        by_id = {id_: ports(name=id_, template_id=id_) for id_ in ("aaa", "port_monitoring")}
        etcd.txn(by_id[first] | port("p", line="l") | {f"{STATES}l": site.UP})
        async with etcd.monitor(Settings(template_types={"aaa": "port"})) as monitor:
            await monitor.synced()
            (second,) = set(by_id) - {first}
            etcd.txn(by_id[second])
            await etcd.wait(f"{RECORDS}p", {"aaa": "UP", "version": 1}, timeout=TOLD_WITHIN)
            words = "type port has a template already: aaa"
            with anyio.fail_after(TOLD_WITHIN):
                while not list(monitor.problems()):  # noqa: ASYNC110 - nothing tells of a template's problem
                    await anyio.sleep(0.01)
            assert list(monitor.problems()) == [("template port_monitoring", words)]
            assert f"template port_monitoring: {words}" in caplog.messages
            etcd.delete("/config/v2.0/heat_templates/aaa")
            await etcd.wait(f"{RECORDS}p", {"port_monitoring": "UP", "version": 1}, timeout=TOLD_WITHIN)
            assert not list(monitor.problems())

    caplog.set_level(logging.WARNING, "ha_monitor")
    run(main)


@virtual
async def test_a_monitor_that_has_ended_claims_nothing_any_more() -> None:
    etcd = MemoryEtcd()
    etcd.txn(ports() | port("p", line="l") | {f"{STATES}l": site.UP})
    async with etcd.monitor() as monitor:
        await monitor.synced()
        assert monitor.readiness().ready
    assert not monitor.readiness().ready
    resource = monitor.get("port", "p")
    assert resource is not None
    assert resource.stale


@virtual
async def test_what_another_worker_serves_is_the_same_entry_after_another_rendering() -> None:
    etcd = MemoryEtcd()
    etcd.txn(
        site.template(
            "port_monitoring", "vm: {type: nova_vm, server_id: x}\n" + side("line"), {"line": {"field": "line"}}
        )
    )
    etcd.txn(port("p", line="l") | {f"{STATES}l": site.UP})
    async with etcd.monitor() as monitor:
        await monitor.synced()
        before = monitor.get("port", "p")
        await anyio.sleep(10)
        etcd.put(f"{PORTS}p", site.envelope({"id": "p", "line": "l"}, 2))
        await anyio.sleep(10)
        after = monitor.get("port", "p")
        assert before is not None
        assert after is not None
        assert after.version == 2
        assert after.entries["vm"].since == before.entries["vm"].since
        assert not monitor.history("port", "p")


@pytest.mark.parametrize("form", ["esi", "gohan"])
@pytest.mark.parametrize("ours", [True, False])
def test_a_record_of_an_earlier_run_ends_with_its_resource_though_nobody_could_confirm_it(
    form: Literal["esi", "gohan"], ours: bool
) -> None:
    """The entries hang on the resource, and there is no state, so that it was neither written nor found right."""

    async def main() -> None:
        etcd, record = MemoryEtcd(), f"{RECORDS}p"
        text = side("line") + "{% if more %}" + side("line", "more") + "{% endif %}"
        etcd.txn(site.template("port_monitoring", text, {"line": {"field": "line"}, "more": {"field": "more"}}))
        etcd.txn(port("p", line="l"))
        stands = {"esi": {"side": "UP"}, "gohan": {"monitoring": "UP"}}[form] if ours else {"mode": "UP"}
        etcd.put(record, {**stands, "version": 1})
        async with etcd.monitor(Settings(publish=form)) as monitor:
            await monitor.synced()
            await anyio.sleep(5)
            etcd.delete(f"{PORTS}p")
            if ours:
                await etcd.wait(record, None, timeout=TOLD_WITHIN)
            else:
                await anyio.sleep(500)
                assert etcd.record(record) is not None

    run(main)
