"""The README: what it shows runs, and what it lists is all there is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import click
from click.testing import CliRunner

from ha_monitor.cli import cli
from ha_monitor.cli.options import _shown
from ha_monitor.demo.site import INTERFACES, sample_site, state_key
from ha_monitor.settings import Settings, setting_name
from ha_monitor.testing import MemoryEtcd
from tests.support import site
from tests.support.service import Service

if TYPE_CHECKING:
    import pytest

    from tests.support.etcd import Etcd

ROOT = Path(__file__).resolve().parents[1]
_RECORDS = "/monitoring/v2.0/ha_interfaces"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_embedding_example_runs(etcd: Etcd, capsys: pytest.CaptureFixture[str]) -> None:
    etcd.txn(sample_site())
    example, _ = blocks("python")
    namespace: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), namespace)
    anyio.run(namespace["main"], etcd.url)
    assert f"ha_interface {INTERFACES[0].name} UP primary" in capsys.readouterr().out


def test_the_file_of_keys_gives_what_is_shown(etcd: Etcd, tmp_path: Path) -> None:
    (keys,) = [block for block in blocks("json") if "heat_templates" in block]
    (shown,) = [block for block in blocks("text") if "site.json" in block]
    file = tmp_path / "site.json"
    file.write_text(keys)
    check, render, get = (each.partition("\n") for each in shown.split("$ ")[1:])
    assert _said(check[0], file) == check[2]
    asked, _, kept = render[0].partition(" | ")
    assert kept == "grep -A 2 entries"
    assert render[2] in _said(asked, file)
    assert render[2].startswith("entries\n")
    assert CliRunner().invoke(cli, ["load", str(file), "--etcd", etcd.url]).exit_code == 0
    running = Service(etcd.url, "--listen", "")
    try:
        record = get[0].split()[-1]
        etcd.wait(record, lambda items: items.get(record) == get[2].strip().encode())
    finally:
        running.kill()


def _said(line: str, file: Path) -> str:
    """Give all that a command line of ours puts on a terminal."""
    words = [str(file) if word == file.name else word for word in line.split()]
    return CliRunner().invoke(cli, words[1:]).output


def test_the_plan_that_is_shown_is_what_the_command_says(tmp_path: Path) -> None:
    data, change = tmp_path / "site.json", tmp_path / "change.json"
    data.write_text(json.dumps(sample_site()))
    change.write_text(json.dumps({state_key(INTERFACES[0].primary): None}))
    result = CliRunner().invoke(cli, ["plan", str(change), "--data", str(data)])
    assert result.exit_code == 1
    assert result.stdout in blocks("text")


def test_every_line_of_an_explanation_that_is_shown_is_one_that_the_command_prints(etcd: Etcd) -> None:
    etcd.txn(sample_site() | {f"{_RECORDS}/{INTERFACES[0].id}": '{"primary":"DOWN","secondary":"UP","version":1}'})
    etcd.txn({"/monitoring/v2.0/vpn_gateways/vpn-tokyo-1": '{"downlink":"DOWN","version":1}'})
    etcd.txn({state_key(INTERFACES[0].primary): '{"interface":"DOWN","version":2}'})
    result = CliRunner().invoke(cli, ["explain", "vpn_gateway", "vpn-tokyo-1", "--etcd", etcd.url])
    (shown,) = [block for block in blocks("text") if "heals" in block]
    assert _timeless(shown) == _timeless(result.stdout)


def _timeless(text: str) -> str:
    """Give text in one line, without numbers and without how long anything lasts, which an etcd alone does not tell."""
    lasting = re.sub(r" for \d+ min \d+ s| \d+ s ago| less than a second ago", "", " ".join(text.split()))
    return re.sub(r"\d+", "N", lasting.replace("downlink is DOWN:", "downlink:"))


def test_the_example_of_a_test_runs() -> None:
    _, example = blocks("python")
    pair = site.HaInterface()
    keys = site.ha_template() | pair.keys()
    namespace = {"site": keys, "record": pair.record, "primary_state": pair.primary_state}
    exec(compile(example, "README.md", "exec"), namespace)


def test_the_kit_has_what_is_listed_and_nothing_else() -> None:
    section = README.split("## Testing your own code")[1].split("\n## ")[0]
    listed = set(re.findall(r"`(\w+)`", section.split("- **Keys**")[1].split("- **With pytest**")[0]))
    assert listed | {"clock", "connect", "leases", "monitor"} == {name for name in dir(MemoryEtcd()) if name[0] != "_"}


def test_the_settings_file_is_accepted(tmp_path: Path) -> None:
    (example,) = blocks("yaml")
    file = tmp_path / "settings.yaml"
    file.write_text(example)
    # A port that is no number is told only after the file was read and found right.
    result = CliRunner().invoke(cli, ["run", "--config", str(file), "--listen", "127.0.0.1:x"])
    assert result.exit_code == 2
    assert "listen: '127.0.0.1:x'" in result.output
    assert result.output.count("Error") == 1


def test_the_settings_table_has_every_option_with_its_default() -> None:
    rows = re.findall(r"^\| `--([a-z-]+)` \| (.*?) \|", README, re.MULTILINE)
    shown = {name: default.strip("`") for name, default in rows}
    there = {setting_name(name): _shown(field.default) for name, field in Settings.model_fields.items()}
    assert shown == there


def test_every_command_and_verb_that_is_shown_is_there() -> None:
    for block in blocks("console"):
        for line in block.splitlines():
            command = line.removeprefix("$ ").split("#")[0].split()
            if command[0] == "ha-monitor":
                result = CliRunner().invoke(cli, [command[1], "--help"])
                assert result.exit_code == 0
                assert all(option in result.output for option in command if option.startswith("--"))
            elif command[0] == "make":
                assert re.search(rf"^{command[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    commands = cli.list_commands(click.Context(cli))
    assert set(re.findall(r"^\| `ha-monitor (\w+)", README, re.MULTILINE)) | {"run"} == set(commands)
