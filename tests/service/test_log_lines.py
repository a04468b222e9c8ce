"""What ``run`` logs: a line for each transition, none for what changes nothing, and faults once."""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.service import Service
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd


def test_a_line_says_what_became_of_what_and_why(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("pair")
    etcd.txn(site.ha_template() | pair.keys())
    console, as_json = service("--publish", "none"), service("--publish", "none", "--log-format", "json")
    revision = etcd.put(pair.primary_state, site.DOWN)
    for running in (console, as_json):
        wait_for_line(running, '"DOWN"')
        running.stop()
    (line,) = [line for line in console.last_log.splitlines() if "pair" in line]
    said = 'ha_interface/pair primary: UP -> DOWN: interface is "DOWN"'
    assert line.endswith(f"{said} (status DEGRADED, active secondary, revision {revision})")
    (fields,) = [each for each in map(json.loads, as_json.last_log.splitlines()) if each.get("id") == "pair"]
    wanted = {
        "type": "ha_interface", "id": "pair", "entry": "primary", "old": "UP", "new": "DOWN", "status": "DEGRADED",
        "active": "secondary", "revision": revision, "reason": 'interface is "DOWN"', "level": "WARNING",
    }  # fmt: skip
    assert {name: fields[name] for name in wanted} == wanted


def wait_for_line(running: Service, words: str) -> None:
    give_up = time.monotonic() + 30
    while words not in running.log:
        assert time.monotonic() < give_up, f"{words!r} is not in {running.log[-4000:]}"
        time.sleep(0.01)


def test_what_changes_nothing_is_no_line(etcd: Etcd, service: StartService) -> None:
    pair, other = site.HaInterface("pair"), site.HaInterface("other")
    etcd.txn(site.ha_template() | pair.keys() | other.keys())
    running = service()
    etcd.wait_record(pair.record, site.record())
    for _ in range(5):
        etcd.put(pair.primary_state, site.UP)
        etcd.put(pair.config, pair.envelope())
    etcd.put(other.primary_state, site.DOWN)  # comes after all of these
    wait_for_line(running, "other primary")
    running.stop()
    assert [line for line in running.last_log.splitlines() if "/pair" in line] == []


def test_an_outage_is_a_few_lines_however_often_it_is_tried_again(own_etcd: Etcd, service: StartService) -> None:
    own_etcd.txn(site.ha_template() | site.HaInterface().keys())
    running = service(etcd=own_etcd)
    before = len(running.log.splitlines())
    own_etcd.kill()
    give_up = time.monotonic() + 60
    while running.get("/readyz")[0] == 200:  # some attempts have failed by then
        assert time.monotonic() < give_up
        time.sleep(0.05)
    own_etcd.start()
    running.wait_ready(60.0)
    running.stop()
    told = running.last_log.splitlines()[before:]
    assert told, "it is told of"
    assert len(told) < 30, told


def test_a_key_does_not_break_a_line_or_steer_a_terminal(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("a\nFORGED\x1b[31m")
    etcd.txn(site.ha_template() | pair.keys())
    running = service("--publish", "none")
    etcd.put(pair.primary_state, site.DOWN)
    wait_for_line(running, "FORGED")
    running.stop()
    assert "\x1b" not in running.last_log
    (line,) = [line for line in running.last_log.splitlines() if "FORGED" in line]
    assert "a\\nFORGED\\x1b[31m primary: UP -> DOWN" in line


def test_a_long_wait_is_drawn_on_a_terminal_and_log_lines_come_out_as_well(own_etcd: Etcd) -> None:
    own_etcd.txn(site.ha_template() | site.HaInterface().keys())
    own_etcd.stop()
    with Terminal("run", "--etcd", own_etcd.url, "--listen", "") as terminal:
        terminal.wait_for("waiting: ")
        own_etcd.start()
        terminal.wait_for("synced: 1 resources, 0 problems")
        assert terminal.interrupt() == 0


def test_a_resource_that_never_had_an_entry_and_what_is_named_in_vain_are_told(
    etcd: Etcd, service: StartService
) -> None:
    pair = site.HaInterface("pair")
    etcd.txn(site.ha_template() | pair.keys() | {"/ha_monitor/maintenance/ha_interface/nobody": "{}"})
    running = service("--types", "ha_interface,ha_interfaec")
    for line in (
        "type ha_interfaec: it is named by --types, and has no template",
        "maintenance ha_interface/nobody: it freezes nothing: there is no such resource",
        "synced: 1 resources, 2 problems",
    ):
        wait_for_line(running, line)
    etcd.put(site.HaInterface("born-bad").config, "{")
    wait_for_line(running, "WARNING ha_interface/born-bad: problem: the config is not JSON")
    etcd.delete(site.HaInterface("born-bad").config)
    wait_for_line(running, "ha_interface/born-bad: its problem is over")
    etcd.put("/ha_monitor/maintenance/ha_interface/pair", '{"reason": "cables"}')
    wait_for_line(running, "ha_interface/pair: in maintenance: cables")
    etcd.delete("/ha_monitor/maintenance/ha_interface/pair")
    wait_for_line(running, "ha_interface/pair: its maintenance is over")


def test_an_outage_that_is_told_of_all_is_not_told_of_each(own_etcd: Etcd, service: StartService) -> None:
    own_etcd.txn(site.ha_template() | site.HaInterface("one").keys() | site.HaInterface("two").keys())
    running = service("--on-blind", "down", "--blind-grace", "0", etcd=own_etcd)
    own_etcd.kill()
    wait_for_line(running, "WARNING not ready: ")
    wait_for_line(running, "WARNING ha_interface: all of its 2 resources are DOWN: not proven for ")
    own_etcd.start()
    wait_for_line(running, "ready again, after ")
    wait_for_line(running, "ha_interface: what is said of its 2 resources can be proven again")
    assert "ha_interface/one" not in running.log


def test_who_reads_no_further_holds_up_nothing(etcd: Etcd, tmp_path: Path) -> None:
    pair = site.HaInterface("pair")
    etcd.txn(site.ha_template() | pair.keys())
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    running = Service(etcd.url, before=["sh", "-c", f'exec "$0" "$@" 2>{pipe}'])
    try:
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 4_096)
        running.wait_ready()
        for version in range(1, 61):  # 9 KiB of lines
            status = "DOWN" if version % 2 else "UP"
            etcd.put(pair.primary_state, {"interface": status, "version": version})
            etcd.wait_record(pair.record, site.record(status))
        with pytest.raises(BlockingIOError):
            os.write(end, b"x" * 4_096)
        running.stop()
    finally:
        running.kill()
        os.close(end)
