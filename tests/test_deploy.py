"""What is in examples/ for those who run the service: unit, manifests, alerts, dashboard, each held to what is."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from ha_monitor import Settings
from ha_monitor.cli.run import run
from ha_monitor.group.member import FAREWELL
from tests.support import confine, site
from tests.support.service import STOP, Service, command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
UNIT = EXAMPLES / "systemd" / "ha-monitor.service"
PROMETHEUS = EXAMPLES / "prometheus"
MANIFESTS = sorted((EXAMPLES / "kubernetes").glob("*.yaml"))
EXECUTABLE = "/opt/ha-monitor/bin/ha-monitor"
RESOURCE_OF_THE_EXAMPLE = "4a1a7c1e-8f0c-4a3b-9a63-6f2d1f6c5b7e"


def program(name: str, package: str) -> str:
    """Give a program's path; the test is skipped where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: Debian's package {package}")
    return found


def passes(*line: str | Path) -> str:
    """Run a checker, which has to be content; gives what it said."""
    ended = subprocess.run(
        [str(word) for word in line],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said


def documents(path: Path) -> list[Any]:
    return list(YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")))


def pods() -> Iterator[tuple[str, Any]]:
    """Give the specs of all pods in the manifests, each with its name."""
    for path in MANIFESTS:
        for document in documents(path):
            if document["kind"] == "Deployment":
                yield f"{path.name} {document['metadata']['name']}", document["spec"]["template"]["spec"]


def containers() -> Iterator[tuple[str, Any]]:
    for name, pod in pods():
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            yield f"{name} {container['name']}", container


def ours() -> Iterator[tuple[str, Any]]:
    """Give the containers that run ha_monitor."""
    return ((name, container) for name, container in containers() if container["name"] == "ha-monitor")


def unit() -> dict[str, list[str]]:
    """Give the settings of the unit, in order."""
    settings: dict[str, list[str]] = {}
    text = UNIT.read_text(encoding="utf-8").replace("\\\n", " ")
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", text, re.MULTILINE):
        settings.setdefault(name, []).append(value)
    return settings


def accepted(arguments: Sequence[str]) -> None:
    """Hold a command line to the real command: all of it is right but the port, which somebody has."""
    assert arguments[0] == "run"
    options = {option for parameter in run.params for option in parameter.opts}
    assert {word.partition("=")[0] for word in arguments if word.startswith("--")} <= options
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = command(*arguments, "--listen", listen)
    assert ended.returncode == 2
    assert f"Error: --listen {listen}: Address already in use" in ended.stderr.decode()


# -- systemd


def test_the_unit_is_accepted_by_systemd(tmp_path: Path) -> None:
    analyze = program("systemd-analyze", "systemd")
    executable = tmp_path / "ha-monitor"
    executable.write_text("#!/bin/sh\n")
    executable.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace(EXECUTABLE, str(executable)))
    assert passes(analyze, "verify", "--man=no", copy).strip() == ""
    passes(analyze, "security", "--offline=true", "--threshold=15", copy)  # of 100


def test_the_unit_s_command_and_config_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "ha-monitor").mkdir()  # what RuntimeDirectory= makes
    (line,) = unit()["ExecStart"]
    line = line.replace("%t", str(tmp_path)).replace("%d", str(tmp_path))
    words = shlex.split(line.replace("/etc/ha-monitor/config.yaml", str(EXAMPLES / "systemd" / "config.yaml")))
    assert words[0] == EXECUTABLE
    accepted(words[1:])


def test_what_the_unit_says_about_itself_is_where_it_is_installed() -> None:
    (documentation,) = unit()["Documentation"]
    path = Path(documentation.removeprefix("file://"))
    assert (ROOT / path.name).is_file()
    assert f"# install -m 644 ../../{path.name} {path.parent}/\n" in (UNIT.parent / "README.md").read_text()


def test_the_unit_hands_over_every_credential_that_it_names() -> None:
    settings = unit()
    handed = {value.partition(":")[0] for value in settings["LoadCredential"]}
    assert handed == set(re.findall(r"%d/(\S+)", settings["ExecStart"][0]))
    assert settings["Type"] == ["notify"]


# -- Kubernetes


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_manifests_are_what_kubernetes_takes(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_manifests_commands_are_accepted(tmp_path: Path) -> None:
    (config,) = (d for path in MANIFESTS for d in documents(path) if d["kind"] == "ConfigMap")
    (tmp_path / "config.yaml").write_text(config["data"]["config.yaml"])
    commands = [container["args"] for _, container in ours()]
    assert len(commands) == 2
    for arguments in commands:
        line = " ".join(arguments).replace("/etc/ha-monitor/config/", f"{tmp_path}/")
        accepted(line.replace("/run/ha-monitor/", f"{tmp_path}/").split())


def deployed(kind: str) -> Any:
    """Give the one document of a kind of the stand-alone deployment."""
    (found,) = (d for d in documents(EXAMPLES / "kubernetes" / "deployment.yaml") if d["kind"] == kind)
    return found


def test_the_deployment_is_a_group_of_which_two_are_there_at_any_time() -> None:
    deployment, budget = deployed("Deployment")["spec"], deployed("PodDisruptionBudget")["spec"]
    config = YAML(typ="safe", pure=True).load(deployed("ConfigMap")["data"]["config.yaml"])
    settings = Settings(group=config["group"], shards=config["shards"], lease_ttl=config["lease-ttl"])
    assert deployment["replicas"] == 3
    assert settings.shards % deployment["replicas"] == 0  # each has as much
    assert settings.shards >= 2 * deployment["replicas"]
    labels = deployment["template"]["metadata"]["labels"]
    assert budget["selector"] == deployment["selector"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()
    assert 2 <= budget["minAvailable"] < deployment["replicas"]  # and a node can be drained
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert deployment["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > STOP + FAREWELL
    assert deployed("Service")["spec"]["selector"] == deployment["selector"]["matchLabels"]
    (missing,) = (
        rule["expr"]
        for group in documents(PROMETHEUS / "alerts.yaml")[0]["groups"]
        for rule in group["rules"]
        if rule["alert"] == "HaMonitorMembersMissing"
    )
    assert missing.endswith(f" < {deployment['replicas']}")


def test_no_container_has_a_right_that_it_does_not_need() -> None:
    for name, pod in pods():
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["runAsUser"] > 0, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
    for name, container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"requests", "limits"} <= set(container["resources"]), name


def test_a_lost_etcd_restarts_nobody_and_the_sidecar_does_not_decide_for_the_pod() -> None:
    for name, container in ours():
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", name
        if container.get("restartPolicy") == "Always":
            assert "readinessProbe" not in container, name
            assert container["startupProbe"]["httpGet"]["path"] == "/healthz", name
        else:
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz", name


def test_the_application_may_only_read_the_status() -> None:
    (pod,) = (pod for _, pod in pods() if "initContainers" in pod)
    (sidecar,), (application,) = pod["initContainers"], pod["containers"]
    (folder,) = sidecar["volumeMounts"]
    assert application["volumeMounts"] == [{**folder, "readOnly": True}]
    (volume,) = pod["volumes"]
    assert (volume["name"], volume["emptyDir"]["medium"]) == (folder["name"], "Memory")


def test_the_image_is_built_of_what_it_copies_and_runs_as_nobody(tmp_path: Path) -> None:
    text = (EXAMPLES / "kubernetes" / "Dockerfile").read_text().replace("\\\n", " ")
    last = text.rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (.*)$", last, re.MULTILINE)
    assert all(int(number) > 0 for number in user.split(":"))
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", last, re.MULTILINE)[0]) == ["ha-monitor"]
    assert json.loads(re.findall(r"^CMD (.*)$", last, re.MULTILINE)[0]) == ["run"]
    source = tmp_path / "source"
    for line in re.findall(r"^COPY ([^-].*)$", text, re.MULTILINE):
        *names, target = line.split()
        for name in names:
            put = source / target / (name if target == "./" else "")
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            put.parent.mkdir(parents=True, exist_ok=True)
            copy(ROOT / name, put)
    installed = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation"]
    passes(*pip, "--disable-pip-version-check", "--target", installed, source)
    assert (installed / "ha_monitor" / "web" / "page" / "index.html").is_file()


# -- what it asks of the service


def test_every_probe_metric_and_query_is_answered(etcd: Etcd, service: StartService) -> None:
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    running = service("--group", "main", "--hook", "true")
    probes = {
        probe["httpGet"]["path"]
        for _, container in containers()
        for kind, probe in container.items()
        if kind.endswith("Probe")
    }
    assert len(probes) == 3
    paths = [path.replace(RESOURCE_OF_THE_EXAMPLE, pair.id) for path in probes]
    assert {path: running.get(path)[0] for path in paths} == dict.fromkeys(paths, 200)
    etcd.put(pair.primary_state, site.DOWN)
    etcd.wait_record(pair.record, site.record("DOWN"))
    (probe,) = (path for path in paths if pair.id in path)
    assert running.get(probe)[0] == 503

    families = list(text_string_to_metric_families(running.get("/metrics?resources=1")[1].decode()))
    there = {sample.name for family in families for sample in family.samples}
    used = {name for expression in expressions() for name in re.findall(r"\bha_monitor_[a-z_]+", expression)}
    shown = {family.name for family in families}
    empty = {family.name for family in families if not family.samples}
    assert empty == {"ha_monitor_etcd_alarm"}  # a series for each that is raised
    assert used - there - empty == set()
    drawn = " ".join(expression for _, expression in panels())
    assert {name for name in shown if name not in drawn} == {"ha_monitor_resource_status"}  # it may not be scraped


# -- Prometheus and Grafana


def dashboard() -> Any:
    return json.loads((EXAMPLES / "grafana" / "dashboard.json").read_text())


def panels() -> Iterator[tuple[str, str]]:
    """Give the expressions of the dashboard, each with its panel's title."""
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def expressions() -> Iterator[str]:
    """Give every expression that there is in the alerts and on the dashboard."""
    for group in documents(PROMETHEUS / "alerts.yaml")[0]["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    yield from (expression for _, expression in panels())


def test_the_alerts_are_right_and_do_what_their_tests_say() -> None:
    promtool = program("promtool", "prometheus")
    passes(promtool, "check", "rules", PROMETHEUS / "alerts.yaml")
    passes(promtool, "check", "config", PROMETHEUS / "scrape.yaml")
    passes(promtool, "test", "rules", PROMETHEUS / "alerts_test.yaml")


def test_the_alerts_tests_play_every_alert() -> None:
    (alerts,), (tests,) = documents(PROMETHEUS / "alerts.yaml"), documents(PROMETHEUS / "alerts_test.yaml")
    named = {rule["alert"] for group in alerts["groups"] for rule in group["rules"]}
    fired = {t["alertname"] for test in tests["tests"] for t in test["alert_rule_test"] if t.get("exp_alerts")}
    assert fired == named


def test_the_scraping_of_pods_is_right(tmp_path: Path) -> None:
    promtool = program("promtool", "prometheus")
    shutil.copy(PROMETHEUS / "alerts.yaml", tmp_path)
    copy = tmp_path / "prometheus.yml"
    text = (PROMETHEUS / "scrape_kubernetes.yaml").read_text()
    (port,) = (container["ports"][0]["name"] for name, container in ours() if name.startswith("deployment"))
    assert f"regex: ha-monitor;true;{port}\n" in text
    # Debian's promtool is built without this way to find targets; what is done with them is checked.
    copy.write_text(text.replace("kubernetes_sd_configs:\n      - {role: pod}", "static_configs: []"))
    assert "kubernetes_sd" not in copy.read_text()
    passes(promtool, "check", "config", copy)


def test_the_dashboard_is_one_that_grafana_takes(tmp_path: Path) -> None:
    board = dashboard()
    assert board["schemaVersion"] >= 39
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}"
            asked = set(re.findall(r"\$(\w+)", target["expr"]))
            assert asked <= variables.keys() | {"__rate_interval"}, panel["title"]


def test_the_dashboard_s_expressions_are_right(tmp_path: Path) -> None:
    promtool = program("promtool", "prometheus")
    rules = [{"record": f"panel_{n}", "expr": e.replace("$__rate_interval", "5m")} for n, (_, e) in enumerate(panels())]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    passes(promtool, "check", "rules", file)


# -- the confinement that units and manifests promise


def confined(what: str, probe: str) -> list[str]:
    """Give the command that confines, once a probe has shown that it does here; the test is skipped where it can't."""
    before = [sys.executable, str(Path(confine.__file__)), what]
    ended = subprocess.run(
        [*before, sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=False
    )
    if ended.returncode == confine.CANT:
        pytest.skip(f"this machine does not let us: {ended.stderr.strip()}")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "confined\n", "")
    return before


@contextlib.contextmanager
def working(etcd: Etcd, *arguments: str, before: Sequence[str]) -> Iterator[Service]:
    """See a service do all that it does: evaluate, publish, answer; and end in good order after the block."""
    pair = site.HaInterface()
    etcd.txn(site.ha_template() | pair.keys())
    running = Service(etcd.url, *arguments, before=before)
    try:
        running.wait_ready()
        etcd.wait_record(pair.record, site.record())
        etcd.put(pair.primary_state, site.DOWN)
        etcd.wait_record(pair.record, site.record("DOWN"))
        for path in ("/", "/metrics", f"/probe/ha_interface/{pair.id}?active=secondary"):
            assert running.get(path)[0] == 200
        yield running
        running.stop()
    finally:
        running.kill()


def test_it_makes_no_code_at_run_time(etcd: Etcd) -> None:
    assert unit()["MemoryDenyWriteExecute"] == ["yes"]
    probe = """
import mmap
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except OSError:
    print("confined")
"""
    with working(etcd, "--hook", "true", before=confined("no-new-code", probe)) as running:
        while b'kind="command",result="ok"} 1.0' not in running.get("/metrics")[1]:
            assert running.running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user and protect file systems")
def test_it_runs_as_nobody_and_writes_nothing_but_its_status_file(etcd: Etcd) -> None:
    with tempfile.TemporaryDirectory(prefix="ha-monitor-test-status-") as folder:
        os.chown(folder, confine.USER, confine.USER)
        probe = f"""
import errno, os
import ha_monitor.cli.run
assert os.getuid() == {confine.USER}
open({folder!r} + "/probe", "w").close()
try:
    open("/tmp/probe", "w")
except OSError as error:
    assert error.errno == errno.EROFS
    print("confined")
"""
        before = confined(f"read-only:{folder}", probe)
        status = Path(folder, "status.json")
        with working(etcd, "--status-file", str(status), "--hook", "true", before=before) as running:
            while b'kind="command",result="ok"} 1.0' not in running.get("/metrics")[1]:
                assert running.running
            while '"primary":"DOWN"' not in status.read_text():
                assert running.running  # the file is up to half a second behind
        (resource,) = json.loads(status.read_text())["resources"]["ha_interface"].values()
        assert resource["entries"] == {"primary": "DOWN", "secondary": "UP"}
