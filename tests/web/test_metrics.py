"""/metrics as Prometheus reads it."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import anyio
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from ha_monitor import Settings
from ha_monitor.testing import MemoryEtcd, run
from ha_monitor.watch.pulse import PROBE_EVERY
from ha_monitor.web.metrics import exposition
from tests.support import site
from tests.testing.held_back import HeldBack

if TYPE_CHECKING:
    import httpx

    from ha_monitor import HaMonitor
    from tests.conftest import StartService
    from tests.support.etcd import Etcd

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(text: str) -> Series:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def value(of: Series, name: str, **labels: str) -> float:
    return of[name, tuple(sorted(labels.items()))]


def test_what_is_counted_is_right(client: httpx.Client, pairs: list[site.HaInterface], etcd: Etcd) -> None:
    before = series(client.get("/metrics").text)
    for status, count in {"UP": 1, "DEGRADED": 2, "DOWN": 1, "UNKNOWN": 2}.items():
        assert value(before, "ha_monitor_resources", type="ha_interface", status=status) == count
    assert value(before, "ha_monitor_problems", type="ha_interface") == 1
    assert value(before, "ha_monitor_ready") == 1
    assert value(before, "ha_monitor_leader") == 1
    assert value(before, "ha_monitor_publish_pending") == 0
    assert 0 <= value(before, "ha_monitor_watch_lag_seconds", prefix="/config/v2.0/ha_interfaces/") < 30
    assert 0 <= value(before, "ha_monitor_type_lag_seconds", type="ha_interface") < 30
    etcd.put(pairs[0].primary_state, site.DOWN)
    etcd.wait_record(pairs[0].record, site.record("DOWN"))
    while True:  # the answer to the write may come after the record is seen
        after = series(client.get("/metrics").text)
        counts = ("ha_monitor_published_total", "ha_monitor_etcd_revision")  # and the proof with the next probe
        if all(value(after, name) > value(before, name) for name in counts):
            break
    for name, labels in (
        ("ha_monitor_transitions_total", {"type": "ha_interface", "status": "DEGRADED"}),
        ("ha_monitor_published_total", {}),
        ("ha_monitor_publish_latency_seconds_count", {}),
        ("ha_monitor_publish_latency_seconds_bucket", {"le": "+Inf"}),
    ):
        assert value(after, name, **labels) == value(before, name, **labels) + 1, name
    events = "/monitoring/v2.0/er_physical_interfaces/"
    assert value(after, "ha_monitor_etcd_events_total", prefix=events) == 1
    assert value(after, "ha_monitor_publish_failures_total") == 0
    assert value(after, "ha_monitor_relists_total", prefix=events) == 0
    assert value(after, "ha_monitor_watch_reconnects_total", prefix=events) == 0


def test_a_series_for_each_resource_only_where_it_is_asked_for(
    client: httpx.Client, pairs: list[site.HaInterface]
) -> None:
    assert "ha_monitor_resource_status" not in client.get("/metrics").text
    each = series(client.get("/metrics", params={"resources": 1}).text)
    found = {dict(labels)["id"]: dict(labels) for name, labels in each if name == "ha_monitor_resource_status"}
    assert sorted(found) == [pair.id for pair in pairs]
    assert (found[pairs[1].id]["status"], found[pairs[1].id]["active"]) == ("DEGRADED", "secondary")


def test_openmetrics_is_spoken_where_it_is_asked_for(client: httpx.Client) -> None:
    answer = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    assert "ha_monitor_build" in {family.name for family in families}


def test_reconnects_and_relists_are_counted(own_etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    own_etcd.txn(site.ha_template() | pair.keys())
    running = service(etcd=own_etcd)
    own_etcd.kill()
    while running.get("/readyz")[0] == 200:
        pass
    assert value(series(running.get("/metrics")[1].decode()), "ha_monitor_ready") == 0
    own_etcd.start()
    running.wait_ready(30.0)
    now = series(running.get("/metrics")[1].decode())
    assert value(now, "ha_monitor_watch_reconnects_total", prefix="/config/v2.0/ha_interfaces/") >= 1


def test_promtool_has_nothing_against_it(client: httpx.Client) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: Debian's package prometheus")
    ended = subprocess.run(
        [promtool, "check", "metrics"],
        input=client.get("/metrics", params={"resources": 1}).content,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_the_lag_of_a_type_is_counted_in_seconds_and_in_revisions() -> None:
    async def lag(monitor: HaMonitor) -> tuple[float, float]:
        now = series((await exposition(monitor, "", (), None))[0].decode())
        names = ("ha_monitor_type_lag_seconds", "ha_monitor_type_lag_revisions")
        seconds, revisions = (value(now, name, type="ha_interface") for name in names)
        return seconds, revisions

    async def main() -> None:
        etcd, pair = HeldBack(), site.HaInterface()
        etcd.txn(site.ha_template() | pair.keys())
        async with etcd.monitor(Settings(publish="none")) as monitor:
            await monitor.synced()
            await monitor.consistent()
            seconds, revisions = await lag(monitor)
            assert (seconds < 0.1, revisions) == (True, 0)
            etcd.holds = True
            for state in (site.DOWN, site.UP, site.DOWN):
                etcd.put(pair.primary_state, state)
            await anyio.sleep(PROBE_EVERY + 0.5)
            seconds, revisions = await lag(monitor)
            assert (seconds >= PROBE_EVERY, revisions) == (True, 3)

    run(main)


@pytest.mark.anyio
@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
@pytest.mark.parametrize("count", [0, 3, 6, 7])
async def test_the_series_of_each_resource_are_those_that_the_library_writes_at_once(
    accept: str, count: int, monkeypatch: pytest.MonkeyPatch, anyio_backend: object
) -> None:
    etcd = MemoryEtcd()
    etcd.txn(site.ha_template() | {site.config_key("ha_interfaces", 'a\\b\r"c'): site.envelope({"id": "x"})})
    for _ in range(count):
        etcd.txn(site.HaInterface().keys())
    async with etcd.monitor() as monitor:
        await monitor.synced()
        monkeypatch.setattr("ha_monitor.web.metrics._AT_ONCE", 3)
        in_pieces, media_type = await exposition(monitor, accept, (), anyio.Lock())
        monkeypatch.setattr("ha_monitor.web.metrics._AT_ONCE", 1_000)
        at_once, _ = await exposition(monitor, accept, (), anyio.Lock())
        without, _ = await exposition(monitor, accept, (), None)
    each = [line for line in in_pieces.splitlines() if line.startswith(b"ha_monitor_resource_status{")]
    assert len(each) == count + 1
    assert in_pieces.splitlines()[-len(each) - 3 :] == at_once.splitlines()[-len(each) - 3 :]
    assert not [line for line in without.splitlines() if b"ha_monitor_resource_status" in line]
    read = parse_openmetrics if "openmetrics" in media_type else parse
    (family,) = [family for family in read(in_pieces.decode()) if family.name == "ha_monitor_resource_status"]
    assert len(family.samples) == count + 1
