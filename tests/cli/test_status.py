"""``ha-monitor status``: a running monitor on the terminal, in a pipe, as JSON, live; and when there is none."""

from __future__ import annotations

import http.server
import json
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.etcd import free_port
from tests.support.service import command
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd


@pytest.fixture(autouse=True)
def no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave it to the command how wide its lines are."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def pairs(etcd: Etcd) -> list[site.HaInterface]:
    """Three HA interfaces by name: up, after a failover, down."""
    pairs = [site.HaInterface(name) for name in ("up", "failed-over", "down")]
    up, failover, down = pairs
    etcd.txn(
        site.ha_template()
        | up.keys()
        | failover.keys(primary=site.DOWN)
        | down.keys(primary=site.DOWN, secondary=site.DOWN)
    )
    return pairs


def status(url: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return command("status", "--url", url, *arguments)


def test_the_table_begins_with_what_is_not_healthy(pairs: list[site.HaInterface], service: StartService) -> None:
    ended = status(service().url)
    assert (ended.returncode, ended.stderr) == (0, b"")
    lines = [line.strip() for line in ended.stdout.decode().splitlines() if line.strip()]
    assert lines[0] == "1 down, 1 failover of 3 resources"
    assert [line.split()[:4] for line in lines[3:-1]] == [
        ["X", "DOWN", "ha_interface", "down"],
        ["S", "DEGRADED", "failover", "ha_interface"],
        ["U", "UP", "ha_interface", "up"],
    ]
    assert "primary DOWN, secondary UP" in lines[4]
    assert lines[4].endswith('primary: interface is "DOWN"')
    assert re.fullmatch(r"right up to revision \d+, proven at \d\d:\d\d:\d\d", lines[-1])
    assert "\x1b" not in ended.stdout.decode()


def test_some_of_them_are_chosen(pairs: list[site.HaInterface], service: StartService) -> None:
    url = service().url

    def names(*arguments: str) -> list[str]:
        shown = json.loads(status(url, "--json", *arguments).stdout)
        return [resource["name"] or resource["id"] for resource in shown["resources"]]

    assert names() == ["down", "failed-over", "up"]
    assert names("--status", "degraded") == ["failed-over"]
    assert names("--search", "OVER") == ["failed-over"]
    assert names("--type", "nothing") == []
    assert "1 of 3 shown" in status(url, "--limit", "1").stdout.decode()


def test_a_type_that_is_not_there_is_told(pairs: list[site.HaInterface], service: StartService) -> None:
    ended = status(service().url, "--type", "ha_interfaec")
    assert ended.returncode == 0
    assert ended.stdout.decode().splitlines()[0] == "there is no type ha_interfaec; types: ha_interface"
    assert b"no resources are monitored" not in ended.stdout


@pytest.mark.parametrize("width", [50, 60, 80, 109, 110, 200])
def test_no_name_and_no_status_is_cut_off(
    pairs: list[site.HaInterface], service: StartService, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = status(service().url).stdout.decode()
    assert max(len(line) for line in shown.splitlines()) <= width
    for words, times in (("UP", 4), ("DEGRADED", 1), ("failed-over", 1), ("primary DOWN", 2), ("secondary UP", 2)):
        assert len(re.findall(rf"\b{words}\b", shown)) == times, shown
    assert not [line for line in shown.splitlines() if line != line.rstrip()]


def test_who_reads_no_further_gets_no_traceback(pairs: list[site.HaInterface], service: StartService) -> None:
    line = [sys.executable, "-W", "error", "-m", "ha_monitor", "status", "--url", service().url, "--limit", "1"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_a_terminal_that_can_draw_nothing_has_lines(own_etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("pair")
    own_etcd.txn(site.ha_template() | pair.keys())
    with Terminal("status", "--watch", "--url", service(etcd=own_etcd).url, TERM="dumb") as terminal:
        terminal.wait_for("ready")
        own_etcd.put(pair.primary_state, site.DOWN)
        terminal.wait_for("primary UP -> DOWN")
        assert terminal.interrupt() == 0


def test_json_has_all_of_a_large_fleet(etcd: Etcd, service: StartService) -> None:
    fleet = [site.HaInterface(f"{number:04}") for number in range(1_100)]
    for start in range(0, len(fleet), 40):
        etcd.txn({key: value for pair in fleet[start : start + 40] for key, value in pair.keys().items()})
    etcd.txn(site.ha_template())
    running = service()
    shown = json.loads(status(running.url, "--json").stdout)
    assert (shown["ready"], shown["reason"]) == (True, "")
    assert [resource["id"] for resource in shown["resources"]] == [pair.id for pair in fleet]
    assert shown["resources"][7] == running.json("/api/v1/resources/ha_interface/0007") | {
        name: shown["resources"][7][name] for name in ("revision", "proven_at")
    }


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["words", "json"])
def test_watch_in_a_pipe_is_a_line_a_change(
    pairs: list[site.HaInterface], own_etcd: Etcd, service: StartService, form: tuple[str, ...]
) -> None:
    pair = site.HaInterface("pair")
    own_etcd.txn(site.ha_template() | pair.keys())
    running = service(etcd=own_etcd)
    line = [sys.executable, "-W", "error", "-m", "ha_monitor", "status", "--watch", "--url", running.url, *form]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "ready" in process.stdout.readline()
        revision = own_etcd.put(pair.primary_state, site.DOWN)
        said = process.stdout.readline()
        if form:
            change = json.loads(said)
            assert (change["id"], change["old"], change["new"], change["revision"]) == ("pair", "UP", "DOWN", revision)
        else:
            assert "ha_interface pair: primary UP -> DOWN, now DEGRADED, active secondary" in said
        own_etcd.kill()
        said = process.stdout.readline()
        assert '"ready":false' in said if form else "not ready: " in said
        running.stop()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_watch_on_a_terminal_is_live_and_survives_the_monitor(own_etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface("pair")
    own_etcd.txn(site.ha_template() | pair.keys())
    running = service(etcd=own_etcd)
    with Terminal("status", "--watch", "--url", running.url) as terminal:
        assert "\x1b[32m" in terminal.wait_for("all 1 resource up")
        own_etcd.put(pair.primary_state, site.DOWN)
        terminal.wait_for("1 failover of 1 resource")
        terminal.wait_for("primary UP -> DOWN")
        own_etcd.kill()
        terminal.wait_for("NOT READY: ")
        running.stop()
        terminal.wait_for("NO CONNECTION")
        assert terminal.interrupt() == 0


def test_no_color_is_obeyed(pairs: list[site.HaInterface], service: StartService) -> None:
    with Terminal("status", "--watch", "--url", service().url, NO_COLOR="1") as terminal:
        drawn = terminal.wait_for("1 down, 1 failover of 3 resources") + terminal.wait_for("up")
        assert terminal.interrupt() == 0
    assert not [code for code in ("\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[1;31m") if code in drawn]


def test_a_monitor_that_is_not_ready_is_shown_with_its_reason(service: StartService) -> None:
    running = service(etcd=Nowhere(), ready=False).wait_alive()
    ended = status(running.url)
    assert ended.returncode == 0
    assert b"NOT READY: etcd can't be heard" in ended.stdout
    assert b"no resources are monitored" not in ended.stdout  # which nobody knows
    shown = json.loads(status(running.url, "--json").stdout)
    assert shown["ready"] is False
    assert shown["reason"]


class Nowhere:
    url = f"http://127.0.0.1:{free_port()}"


def test_who_does_not_answer_is_told_in_words(tmp_path: Path) -> None:
    nobody = status(f"http://127.0.0.1:{free_port()}")
    assert nobody.returncode == 1
    assert b"nobody answers at http://127.0.0.1:" in nobody.stderr
    assert status(f"http://127.0.0.1:{free_port()}", "--watch").returncode == 1
    for wrong in ("somewhere", "ftp://x", "http://[::1", "http://127.0.0.1:99999", "http://xn--a"):
        ended = status(wrong)
        assert (ended.returncode, ended.stdout) == (2, b"")
        assert f"--url {wrong}: ".encode() in ended.stderr
    missing = status("http://127.0.0.1:1", "--http-token-file", str(tmp_path / "none"))
    assert missing.returncode == 2
    assert b"No such file" in missing.stderr


def test_another_program_is_told_from_a_monitor() -> None:
    server = http.server.HTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        ended = status(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert ended.returncode == 1
    assert b"is no ha-monitor" in ended.stderr


class Quiet(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "4")
        self.end_headers()
        self.wfile.write(b"<ok>")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def test_the_token_opens(pairs: list[site.HaInterface], service: StartService, tmp_path: Path) -> None:
    token, wrong = tmp_path / "token", tmp_path / "wrong"
    token.write_text("s3cret\n")
    wrong.write_text("other")
    running = service("--http-token-file", str(token))
    assert status(running.url, "--http-token-file", str(token)).returncode == 0
    for arguments in ((), ("--http-token-file", str(wrong)), ("--watch",)):
        refused = status(running.url, *arguments)
        assert refused.returncode == 1
        assert b"the token is missing or wrong; --http-token-file names" in refused.stderr


def test_names_do_not_steer_the_terminal(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    name = "\x1b[31mred\x1b]0;title\x07\u202e"
    etcd.txn(site.ha_template() | pair.keys() | {pair.config: site.envelope({**pair.body, "name": name})})
    printed = status(service().url).stdout.decode()
    assert "\\x1b[31mred" in printed.replace("\n", "").replace(" ", "")
    assert not set("\x1b\x07\u202e") & set(printed)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_knows_commands_options_and_values(
    shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = command("completion", shell)
    assert script.returncode == 0
    assert b"_HA_MONITOR_COMPLETE" in script.stdout

    def completed(line: str, incomplete: str) -> str:
        words = [*line.split(), incomplete]
        in_front = " ".join(words if shell != "fish" else words[:-1])
        asked = [sys.executable, "-m", "ha_monitor"]
        variables = {"COMP_WORDS": in_front, "COMP_CWORD": str(len(words) - 1) if shell != "fish" else incomplete}
        for key, value in variables.items():
            monkeypatch.setenv(key, value)
        monkeypatch.setenv("_HA_MONITOR_COMPLETE", f"{shell}_complete")
        return subprocess.run(asked, capture_output=True, check=True, timeout=30).stdout.decode()

    assert "status" in completed("ha-monitor", "sta")
    assert "--status-file" in completed("ha-monitor run", "--status")
    assert "gohan" in completed("ha-monitor run --publish", "g")
    assert "esi" not in completed("ha-monitor run --publish", "g")
    assert "file" in completed("ha-monitor run --etcd-ca", "x")


def test_the_demo_draws_its_progress_and_the_same_table() -> None:
    with Terminal("demo", "--listen", f"127.0.0.1:{free_port()}") as terminal:
        terminal.wait_for("starting an etcd")
        terminal.wait_for("the page is on http://127.0.0.1:")
        terminal.wait_for("of 10 resources")
        terminal.wait_for("->")
        assert terminal.interrupt() == 0
