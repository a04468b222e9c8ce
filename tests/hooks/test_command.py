"""``--hook``: a real command is run for each change, the newest wins, and one that fails or hangs holds up nobody."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import site
from tests.support.hooks import wait_until
from tests.support.service import Service, command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.hooks import Recorder


def metric(service: Service, name: str) -> float:
    """Give a metric, by its name and labels as they are written."""
    for line in service.get("/metrics")[1].decode().splitlines():
        if line.startswith(f"{name} "):
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"there is no {name}")


def runs(service: Service, result: str) -> float:
    return metric(service, f'ha_monitor_hook_runs_total{{kind="command",result="{result}"}}')


def test_a_command_gets_each_change_and_nothing_of_what_is_there_at_the_start(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVICE", "hidden")
    running = service("--hook", recorder.command())
    etcd.put(pair.primary_state, site.DOWN)
    (told,) = recorder.wait(1)
    (change,) = running.json("/api/v1/history")["changes"]
    assert told["change"] == change
    assert (change["old"], change["new"], change["status"], change["active"]) == ("UP", "DOWN", "DEGRADED", "secondary")
    about = {name.lower(): "" if value is None else str(value) for name, value in change.items()}
    environment = told["environment"]
    given = {name.removeprefix("HA_CHANGE_").lower(): environment[name] for name in environment if "HA_CHANGE" in name}
    assert given == about
    passed = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}
    assert {name for name in environment if not name.startswith("HA_CHANGE_")} <= passed
    assert environment["PATH"] == os.environ["PATH"]
    etcd.put(pair.primary_state, site.UP)
    etcd.delete(pair.config)
    recorder.wait_told("secondary", None)
    recorder.wait_told("primary", None)
    wait_until(lambda: runs(running, "ok") == len(recorder.said("end")))
    assert metric(running, 'ha_monitor_hook_pending{kind="command"}') == 0
    assert metric(running, 'ha_monitor_hook_latency_seconds_count{kind="command"}') == runs(running, "ok")


def test_never_two_at_once_for_one_resource_and_the_last_is_the_last(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    others = [site.HaInterface(f"other-{number}") for number in range(3)]
    for other in others:
        etcd.txn(other.keys())
    running = service("--hook", recorder.command(), "--hook-parallel", "2")
    recorder.make("closed")
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1, "begin")
    for _ in range(10):
        for value in (site.UP, site.DOWN):
            etcd.put(pair.primary_state, value)
            etcd.put(pair.secondary_state, value)
    etcd.put(pair.primary_state, site.UP)
    for other in others:
        etcd.put(other.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("UP", "DOWN"))  # it is published whatever the command does
    recorder.wait(2, "begin")
    recorder.unmake("closed")
    recorder.wait_told("primary", "UP")
    recorder.wait_told("secondary", "DOWN")
    wait_until(lambda: metric(running, 'ha_monitor_hook_pending{kind="command"}') == 0)
    said = recorder.said()
    of_pair = [item for item in said if item["change"]["id"] == "pair"]
    assert [item["what"] for item in of_pair] == ["begin", "end"] * (len(of_pair) // 2), "one after the other"
    revisions = [item["change"]["revision"] for item in of_pair]
    assert revisions == sorted(revisions)
    assert len(of_pair) // 2 < 10, "what was over when its turn came was not told"
    told: dict[str, str] = {"primary": "UP", "secondary": "UP"}
    for item in of_pair[::2]:
        change = item["change"]
        assert change["old"] == told[change["entry"]], "old is what was told before"
        told[change["entry"]] = change["new"]
    at_once = most = 0
    for item in said:
        at_once += 1 if item["what"] == "begin" else -1
        most = max(most, at_once)
    assert most == 2
    assert {item["change"]["id"] for item in said} == {"pair", *(other.id for other in others)}


def test_what_is_told_last_of_the_resource_is_what_it_is(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    running = service("--hook", recorder.command())
    recorder.make("closed")
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1, "begin")
    for key, value in (
        (pair.primary_state, site.UP),
        (pair.secondary_state, site.DOWN),
        (pair.primary_state, site.DOWN),
    ):
        etcd.put(key, value)
    etcd.wait_record(pair.record, site.record("DOWN", "DOWN"))
    recorder.unmake("closed")
    recorder.wait_told("secondary", "DOWN")
    wait_until(lambda: metric(running, 'ha_monitor_hook_pending{kind="command"}') == 0)
    last = recorder.said("end")[-1]["change"]
    assert (last["status"], last["active"]) == ("DOWN", None)


def test_what_fails_is_told_again_until_it_does_not(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    running = service("--hook", recorder.command())
    recorder.make("broken")
    etcd.put(pair.primary_state, site.DOWN)
    tries = recorder.wait(2, "break")
    assert tries[0]["change"] == tries[1]["change"]
    assert metric(running, 'ha_monitor_hook_failing{kind="command"}') == 1
    recorder.unmake("broken")
    (told,) = recorder.wait(1)
    assert told["change"] == tries[0]["change"]
    assert runs(running, "failed") >= 2
    wait_until(lambda: metric(running, 'ha_monitor_hook_failing{kind="command"}') == 0)
    log = running.log
    assert "for ha_interface/pair primary UP -> DOWN: exit code 3: " in log
    assert "really" in log, "what it wrote last"
    assert len(log) < 20_000
    gaps = [after["at"] - before["at"] for before, after in pairwise(tries)]
    assert all(gap >= 0.5 for gap in gaps), "not at once"


def test_how_one_ended_is_known_where_sigchld_was_ignored_when_the_service_started(
    pair: site.HaInterface, etcd: Etcd, recorder: Recorder
) -> None:
    ignore = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    running = Service(etcd.url, "--hook", recorder.command(), before=[sys.executable, "-c", ignore])
    try:
        running.wait_ready()
        recorder.make("broken")
        etcd.put(pair.primary_state, site.DOWN)
        wait_until(lambda: runs(running, "failed") >= 1)
        recorder.unmake("broken")
        wait_until(lambda: runs(running, "ok") == 1)
        assert "exit code 3" in running.log
        running.stop()
    finally:
        running.kill()


def test_one_that_hangs_is_ended_with_all_that_it_started(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    other = site.HaInterface("other")
    etcd.txn(other.keys())
    running = service("--hook", recorder.command(), "--hook-timeout", "1")
    recorder.make("stubborn")
    recorder.make("closed")
    etcd.put(pair.primary_state, site.DOWN)
    (hanging,) = recorder.wait(1, "begin")
    child = int((recorder.folder / "child").read_text())
    wait_until(lambda: runs(running, "timeout") >= 1)
    wait_until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)
    assert not psutil.pid_exists(hanging["pid"])
    assert "not done within 1 s" in running.log
    recorder.unmake("stubborn")
    recorder.unmake("closed")
    recorder.wait_told("primary", "DOWN")
    wait_until(lambda: psutil.Process(running.pid).children() == [])


def test_what_is_back_after_a_try_that_may_have_done_its_work_is_told(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    service("--hook", recorder.command())
    recorder.make("broken")
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1, "break")
    revision = etcd.put(pair.primary_state, site.UP)
    recorder.unmake("broken")
    recorder.wait_told("primary", "UP")
    last = recorder.said("end")[-1]["change"]
    assert (last["old"], last["revision"]) == ("DOWN", revision)


def test_in_maintenance_nothing_is_told_and_afterwards_what_is_different(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    other, frozen = site.HaInterface("other"), "/ha_monitor/maintenance/ha_interface/pair"
    etcd.txn(other.keys() | {frozen: {"reason": "new line card"}})
    running = service("--hook", recorder.command())
    etcd.put(pair.primary_state, site.DOWN)
    etcd.put(pair.secondary_state, site.DOWN)
    wait_until(lambda: metric(running, 'ha_monitor_hook_held{kind="command"}') == 1)
    etcd.put(pair.secondary_state, site.UP)
    etcd.put(other.primary_state, site.DOWN)
    recorder.wait(1)
    assert [item["change"]["id"] for item in recorder.said()] == ["other", "other"]
    etcd.delete(frozen)
    recorder.wait_told("primary", "DOWN")
    recorder.wait(2)
    wait_until(lambda: metric(running, 'ha_monitor_hook_held{kind="command"}') == 0)
    told = [item["change"] for item in recorder.said("end")[1:]]
    assert [(change["id"], change["entry"], change["old"], change["new"]) for change in told] == [
        ("pair", "primary", "UP", "DOWN")
    ]


def test_the_end_of_a_resource_in_maintenance_is_told_afterwards(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    other, frozen = site.HaInterface("other"), "/ha_monitor/maintenance/ha_interface/pair"
    etcd.txn(other.keys() | {frozen: "{}"})
    running = service("--hook", recorder.command())
    etcd.delete(pair.config)
    wait_until(lambda: metric(running, 'ha_monitor_hook_held{kind="command"}') == 1)
    etcd.put(other.primary_state, site.DOWN)
    recorder.wait(1)
    assert {item["change"]["id"] for item in recorder.said()} == {"other"}
    etcd.delete(frozen)
    recorder.wait(3)
    told = [item["change"] for item in recorder.said("end")[1:]]
    assert sorted((change["entry"], change["old"], change["new"]) for change in told) == [
        ("primary", "UP", None),
        ("secondary", "UP", None),
    ]


@pytest.mark.parametrize("manner", ["stubborn", "closed"])
def test_sigterm_ends_what_runs_in_time(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, manner: str
) -> None:
    running = service("--hook", recorder.command())
    recorder.make("closed")
    if manner == "stubborn":
        recorder.make("stubborn")
    etcd.put(pair.primary_state, site.DOWN)
    (begun,) = recorder.wait(1, "begin")
    running.stop()  # checks the time, the exit code and the log
    assert not psutil.pid_exists(begun["pid"])


def test_one_that_ends_soon_after_sigterm_is_let(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    running = service("--hook", recorder.command())
    recorder.make("closed")
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1, "begin")

    def let_it_end() -> None:
        wait_until(lambda: "SIGTERM: stopping" in running.log)
        recorder.unmake("closed")

    ending = threading.Thread(target=let_it_end)
    ending.start()
    running.stop()
    ending.join()
    assert len(recorder.said("end")) == 1
    assert running.last_log.count("WARNING") == 1, "of the side that is down, and none of the hook"


def test_a_program_that_is_gone_fails_and_is_found_again(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder
) -> None:
    program = recorder.folder / "program"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    running = service("--hook", str(program))
    program.rename(recorder.folder / "away")
    etcd.put(pair.primary_state, site.DOWN)
    wait_until(lambda: runs(running, "failed") >= 1)
    assert "hook program for ha_interface/pair primary UP -> DOWN: No such file or directory" in running.log
    (recorder.folder / "away").rename(program)
    wait_until(lambda: runs(running, "ok") == 1)


def test_an_id_of_any_bytes_is_told(etcd: Etcd, service: StartService, recorder: Recorder) -> None:
    pair = site.HaInterface("odd \x00 \x1b[31m \u00e9 $(reboot)")
    etcd.txn(site.ha_template() | pair.keys())
    service("--hook", recorder.command())
    etcd.put(pair.primary_state, site.DOWN)
    (told,) = recorder.wait(1)
    assert told["change"]["id"] == pair.id
    assert told["environment"]["HA_CHANGE_ID"] == pair.id.replace("\x00", "?")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--hook", "no-such-program --flag"], "--hook no-such-program: there is no such program"),
        (["--hook", "/etc/passwd"], "--hook /etc/passwd: there is no such program, or it may not be run"),
        (["--hook", "'unfinished"], 'hook: "\'unfinished": No closing quotation'),
        (["--hook", " "], "hook: ' ': it names no program"),
        (["--hook", "true", "--hook-timeout", "0"], "hook-timeout: '0'"),
        (["--hook", "true", "--hook-parallel", "0"], "hook-parallel: '0'"),
        (["--hook", "true", "--hook-state", "/nowhere/at/all"], "--hook-state /nowhere/at/all: there is no folder"),
        (["--hook-state", "x"], "hook-state: there is neither a hook nor a webhook"),
        (["--webhook-secret-file", "x"], "webhook-secret-file: there is no webhook to sign"),
        (["--webhook", "ftp://host/path"], "webhook: 'ftp://host': it is not http://HOST/PATH or https://HOST/PATH"),
        (["--webhook", "http://me:hidden@host/hidden"], "webhook: 'http://host': user and password have no place"),
        (["--webhook", "me:hidden@host/hidden"], "webhook: 'host': it is not http://HOST/PATH"),
        (["--webhook", "http://host:x/hidden"], "webhook: 'http://host:x': it is not"),
        (["--webhook", "http://host/", "--webhook-secret-file", "missing"], "missing: No such file or directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_can_not_work_is_told_at_once(arguments: list[str], words: str) -> None:
    ended = command("run", *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr.decode()
    assert b"hidden" not in ended.stderr


def test_a_file_with_no_secret_is_told_at_once_without_its_content(tmp_path: Path) -> None:
    for content in ("hidden", "whsec_hidden", "whsec_aGlkZGVu", ""):
        file = tmp_path / "secret"
        file.write_text(content)
        ended = command("run", "--webhook", "http://host/", "--webhook-secret-file", str(file))
        assert ended.returncode == 2
        assert b"a secret is whsec_" in ended.stderr or b"there is no secret in it" in ended.stderr
        assert b"hidden" not in ended.stderr
