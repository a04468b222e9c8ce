"""A recorded etcd of a real site, loaded by the command: the records that it calls for, and nothing else touched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

HA_INTERFACE = "/monitoring/v2.0/ha_interfaces/1205d3f2-7568-412a-a554-012340ab3172"
HA_ROUTER = "/monitoring/v2.0/ha_routers/d4286c1d-86e7-42d3-9d84-a4d9daa3ae17"
PRIMARY = "/monitoring/v2.0/er_physical_interfaces/1fda2a88-f7e9-4982-9ce2-d65c9611aae7"


def load(recorded_site: Path, etcd: Etcd) -> dict[str, bytes]:
    ended = command("load", str(recorded_site / "internet_gateway.json"), "--etcd", etcd.url)
    assert ended.returncode == 0, ended.stderr
    items = etcd.items()
    recorded = json.loads((recorded_site / "internet_gateway.json").read_text())
    assert items == {key: value.encode() for key, value in recorded.items()}
    return items


def test_its_records_are_published_and_every_other_key_is_left_alone(
    recorded_site: Path, etcd: Etcd, service: StartService
) -> None:
    before = load(recorded_site, etcd)
    service()
    etcd.wait_record(HA_INTERFACE, site.record())
    etcd.wait_record(HA_ROUTER, site.record())
    etcd.put(PRIMARY, site.DOWN)
    etcd.wait_record(HA_INTERFACE, site.record("DOWN"))
    etcd.put(PRIMARY, before[PRIMARY])
    etcd.wait_record(HA_INTERFACE, site.record())
    after = etcd.items()
    assert {key: value for key, value in after.items() if key not in (HA_INTERFACE, HA_ROUTER)} == before


def test_check_names_the_two_resources_that_truly_have_a_reason(recorded_site: Path, etcd: Etcd) -> None:
    load(recorded_site, etcd)
    ended = command("check", "--etcd", etcd.url)
    lines = ended.stdout.decode().splitlines()
    assert ended.returncode == 1
    assert [line.split(":")[0] for line in lines] == [
        "internet_gateway/429e24b5-a2f0-4fb8-b467-e335857e9476",
        "port/0cd64eb2-32e8-4069-b5e4-9b718aa61b76",
    ]
    assert "uplink_interface_id" in lines[0]


def test_render_gives_the_parameters_and_the_chain_that_led_to_them(recorded_site: Path, etcd: Etcd) -> None:
    load(recorded_site, etcd)
    jobs = json.loads((recorded_site / "internet_gateway_jobs.json").read_text())
    (job,) = [job for job in jobs if job["resource_type"] == "gw_interface"]
    ended = command("render", job["resource_type"], job["resource_id"], "--json", "--etcd", etcd.url)
    assert ended.returncode == 0, ended.stderr
    shown = json.loads(ended.stdout)
    assert shown["parameters"] == {param["param"]: param["value"] for param in job["params"]}
    chain = {
        f"/config/v2.0/{step['resource_type']}s/{step['resource_id']}"
        for param in job["params"]
        for step in param["resources"]
    }
    assert chain <= set(shown["depends_on"])
    assert shown["problem"] is None
