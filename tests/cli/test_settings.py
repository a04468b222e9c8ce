"""Settings: where they come from, which source wins, and what is said of a wrong one."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ha_monitor import Settings, SettingsError
from ha_monitor.cli import cli
from ha_monitor.cli.options import settings_options


def given(*arguments: str, **environment: str) -> Settings:
    """Give the settings that a command gets."""
    got: list[Settings] = []

    @click.command()
    @settings_options()
    def command(settings: Settings) -> None:
        got.append(settings)

    result = CliRunner().invoke(command, arguments, env=environment)
    assert result.exit_code == 0, result.output
    return got[0]


def test_the_command_line_beats_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("state-timeout: 1\npublish: gohan\ntypes: [a, b]\nup_values: [GOOD]\n")
    environment = {"HA_MONITOR_CONFIG": str(file), "HA_MONITOR_STATE_TIMEOUT": "2", "HA_MONITOR_TYPES": "c,d"}
    settings = given("--state-timeout", "3", **environment)
    assert settings.state_timeout == 3
    assert list(settings.types) == ["c", "d"]
    assert settings.publish == "gohan"
    assert list(settings.up_values) == ["GOOD"]
    assert settings.log_level == "info"


def test_several_values_may_be_repeated_or_stand_behind_commas() -> None:
    settings = given("--etcd", "http://a:1,http://b", "--etcd", "http://[::1]:3")
    assert list(settings.etcd) == ["http://a:1", "http://b:2379", "http://[::1]:3"]


def test_an_endpoint_without_a_scheme_has_tls_where_it_is_configured() -> None:
    members = ("127.0.0.1:2379", "[::1]", "unix:/run/etcd.sock")
    plain = ("http://127.0.0.1:2379", "http://[::1]:2379", "unix:///run/etcd.sock")
    secure = ("https://127.0.0.1:2379", "https://[::1]:2379", "unixs:///run/etcd.sock")
    assert given("--etcd", ",".join(members)).etcd == Settings(etcd=members).etcd == plain
    assert given("--etcd", ",".join(members), "--etcd-ca", "ca.pem").etcd == secure
    assert Settings(etcd=members, etcd_cert=Path("a"), etcd_key=Path("b")).etcd == secure


def test_the_stronger_source_says_how_the_members_are_named(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("etcd-discovery-srv: site.example\netcd-discovery-srv-name: blue\n")
    config = ("--config", str(file))
    found = given(*config).discovery
    assert found is not None
    assert (found.domain, found.service) == ("site.example", "blue")
    here = given(*config, "--etcd", "a:1")
    assert (here.etcd, here.discovery) == (("http://a:1",), None)
    file.write_text("etcd: [http://a:1]\n")
    found = given(*config, HA_MONITOR_ETCD_DISCOVERY_SRV="site.example").discovery
    assert found is not None
    assert found.domain == "site.example"
    assert given(*config, "--etcd", "b:1", HA_MONITOR_ETCD_DISCOVERY_SRV="site.example").etcd == ("http://b:1",)


def test_discovery_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dns", None)
    result = CliRunner().invoke(cli, ["run", "--etcd-discovery-srv", "site.example"])
    assert result.exit_code == 2
    assert "etcd-discovery-srv needs the extra dns: pip install 'ha-monitor[dns]'" in result.output


def test_tables_are_pairs_on_the_command_line_and_mappings_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("constants: {A: 'x=y', B: z}\n")
    assert given("--config", str(file)).constants == {"A": "x=y", "B": "z"}
    assert given("--constants", "A=x=y", "--constants", "B=z").constants == {"A": "x=y", "B": "z"}


def test_an_empty_variable_turns_http_off_and_leaves_other_settings_alone() -> None:
    settings = given(HA_MONITOR_LISTEN="", HA_MONITOR_STATE_TIMEOUT="", HA_MONITOR_ETCD="", HA_MONITOR_ETCD_USER="")
    assert settings.listen == ""
    assert settings == Settings(listen="")


def test_no_password_of_a_url_is_ever_said() -> None:
    for url in ("http://me:secret@host:1", "http://me:sec/ret@host", "me:secret@host"):
        result = CliRunner().invoke(cli, ["run", "--etcd", url])
        assert result.exit_code == 2
        assert "sec" not in result.output
        assert "host" in result.output


def test_a_schema_file_tells_where_a_type_is(tmp_path: Path) -> None:
    file = tmp_path / "schemas.yaml"
    file.write_text(
        "schemas:\n- id: tenant\n  plural: tenants\n  prefix: /common/v1.0/tenants\n  schema: {properties: {}}\n"
    )
    settings = given("--schema-file", str(file))
    assert settings.keyspace.configs("tenant") == "/config/common/v1.0/tenants/"
    assert settings.keyspace.configs("ha_interface") == "/config/v2.0/ha_interfaces/"


@pytest.mark.parametrize(
    ("text", "words"),
    [("schemas: {}", '{"schemas":{}}'), ("a: [", "while parsing"), ("- a", "[...]")],
)
def test_what_is_wrong_with_a_schema_file_is_told_with_its_name(tmp_path: Path, text: str, words: str) -> None:
    good, file = tmp_path / "good.yaml", tmp_path / "schemas.yaml"
    good.write_text("schemas: []")
    file.write_text(text)
    result = CliRunner().invoke(cli, ["run", "--schema-file", str(good), "--schema-file", str(file)])
    assert result.exit_code == 2
    assert f"schema-file {file}: " in result.output
    assert words in result.output


def test_help_says_what_a_value_looks_like() -> None:
    said = CliRunner().invoke(cli, ["run", "--help"], terminal_width=120).output
    for option in (
        "--shards N", "--rise S", "--rise-by-type TYPE=S", "--on-blind-by-type TYPE=hold|unknown|down",
        "--template-types TEMPLATE=TYPE", "--constants NAME=VALUE", "--etcd-ca FILE",
    ):  # fmt: skip
        assert f"  {option} " in said.replace("\n", " ")


WRONG = [
    (["--state-timeout", "abc"], ["state-timeout", "'abc'", "number"]),
    (["--state-timeout", "0"], ["state-timeout", "'0'", "greater than 0"]),
    (["--state-timeout", "inf"], ["state-timeout", "'inf'", "finite"]),
    (["--publish", "nope"], ["publish", "'nope'", "'esi', 'gohan' or 'none'"]),
    (["--etcd", "ftp://x"], ["etcd", "'ftp://x'", "https://HOST:PORT", "unix://PATH"]),
    (["--etcd", "http://x/etcd"], ["etcd", "'http://x/etcd'", "has a path"]),
    (["--etcd", "::1:2379"], ["etcd", "'::1:2379'", "IPv6 in brackets"]),
    (["--etcd", "unix://"], ["etcd", "'unix://'", "names no socket"]),
    (["--etcd", "a:1,https://b"], ["all URLs are https", "http://a:1, https://b:2379"]),
    (["--etcd", "a", "--etcd-discovery-srv", "b"], ["etcd and etcd-discovery-srv", "give one of them"]),
    (["--etcd-discovery-srv", "a..b"], ["etcd-discovery-srv", "'a..b'", "not the name of a domain"]),
    (["--etcd-discovery-srv-name", "blue"], ["etcd-discovery-srv-name is for etcd-discovery-srv"]),
    (["--etcd-discovery-nameserver", "127.0.0.1"], ["etcd-discovery-nameserver is for etcd-discovery-srv"]),
    (["--etcd-discovery-nameserver", "dns:53"], ["etcd-discovery-nameserver", "'dns:53'", "ADDRESS:PORT"]),
    (["--etcd-discovery-nameserver", "::1:53"], ["etcd-discovery-nameserver", "'::1:53'", "brackets"]),
    (["--etcd-discovery-nameserver", "127.0.0.1:0"], ["etcd-discovery-nameserver", "from 1 to 65535"]),
    (["--etcd", "http://x:0"], ["etcd", "'http://x:0'", "1 to 65535"]),
    (["--etcd", "http://::1:2379"], ["etcd", "'http://::1:2379'", "IPv6 in brackets"]),
    (["--etcd", "http://x y"], ["etcd", "'http://x y'", "names no host"]),
    (["--etcd", "http://me:pw@x"], ["etcd", "etcd-user and etcd-password-file"]),
    (["--etcd", "http://x:99999"], ["etcd", "99999", "65535"]),
    (["--etcd", "http://a", "--etcd", "https://b"], ["all URLs are https"]),
    (["--etcd-user", "me"], ["etcd-user and etcd-password-file go together"]),
    (["--etcd-ca", "ca.pem"], ["https://"]),
    (["--listen", "nowhere"], ["listen", "'nowhere'", "HOST:PORT"]),
    (["--http-host", "monitor.example:80"], ["http-host", "'monitor.example:80'", "no name of a host"]),
    (["--config-prefix", "config"], ["config-prefix", "'config'", "begin with /"]),
    (["--config-prefix", "/monitoring"], ["config-prefix must not be a prefix of states or records"]),
    (["--outputs-prefix", "/state"], ["outputs-prefix must not be a prefix of states or records"]),
    (["--status-file", ""], ["status-file", "''", "names no file"]),
    (["--status-file", "/"], ["status-file", "'/'", "names no file"]),
    (["--hook", "true", "--hook-state", "."], ["hook-state", "'.'", "names no file"]),
    (["--hook", "true", "--hook-state", "x/.."], ["hook-state", "'x/..'", "names no file"]),
    (["--constants", "x"], ["constants", "'x'", "NAME=VALUE"]),
    (["--rise-by-type", "ha_interface=-1"], ["rise-by-type: ha_interface: '-1'", "greater than or equal to 0"]),
    (["--on-blind-by-type", "x=up,y=hold"], ["on-blind-by-type: x: 'up'", "'hold', 'unknown' or 'down'"]),
    (["--schema-file", "missing.json"], ["schema-file missing.json: No such file"]),
    (["--config", "missing.yaml"], ["missing.yaml", "No such file"]),
    (["--bogus"], ["--bogus"]),
    (["--log-level", "loud"], ["log-level", "'loud'", "'debug', 'info', 'warning' or 'error'"]),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=lambda value: " ".join(value))
def test_a_wrong_setting_is_named_with_its_value_and_what_is_allowed(arguments: list[str], words: list[str]) -> None:
    result = CliRunner().invoke(cli, ["run", *arguments])
    assert result.exit_code == 2
    for word in words:
        assert word in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stat-timeout: 3\n", "stat-timeout: there is no such setting"),
        ("state-timeout: soon\n", "'soon'"),
        ("state-timeout: true\n", "state-timeout: True: it has to be a number"),
        ('status-file: ""\n', "status-file: '': it names no file"),
        ("- a\n", "NAME: VALUE"),
        ("a: [\n", "while parsing"),
    ],
)
def test_a_wrong_settings_file_is_told_in_words(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    result = CliRunner().invoke(cli, ["run", "--config", str(file)])
    assert result.exit_code == 2
    assert words in result.output


def test_a_port_that_is_taken_is_told_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(cli, ["run", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"])
    assert result.exit_code == 2
    assert "in use" in result.output


def test_embedders_get_the_same_words() -> None:
    with pytest.raises(SettingsError, match=r"state-timeout: -1: .*greater than 0"):
        Settings.checked({"state_timeout": -1})
    with pytest.raises(ValueError, match="state_timeout"):
        Settings(state_timeout=-1)
