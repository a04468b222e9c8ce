"""``--status-file``: whole at any moment, written on change alone, and never silently stale."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import site
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd

PATIENCE = 30.0  # seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "status.json"


@pytest.fixture
def pair(etcd: Etcd) -> site.HaInterface:
    pair = site.HaInterface("pair")
    etcd.txn(site.ha_template() | pair.keys())
    return pair


def wait_for(path: Path, holds: Callable[[Any], bool]) -> Any:
    """Read until it is so; whatever is read on the way has to be whole."""
    give_up = time.monotonic() + PATIENCE
    said: Any = None
    while time.monotonic() < give_up:
        if path.is_file():
            said = json.loads(path.read_bytes())
            if holds(said):
                return said
        time.sleep(0.01)
    raise AssertionError(f"it says {said}")


def entries(said: Any) -> Any:
    return said["ready"] and said["resources"]["ha_interface"]["pair"]["entries"]


def test_it_follows_every_change_and_is_readable_for_all(
    pair: site.HaInterface, etcd: Etcd, service: StartService, path: Path
) -> None:
    old = os.umask(0o077)
    try:
        running = service("--status-file", str(path))
    finally:
        os.umask(old)
    wait_for(path, lambda said: entries(said) == {"primary": "UP", "secondary": "UP"})
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    etcd.put(pair.primary_state, site.DOWN)
    said = wait_for(path, lambda said: entries(said) == {"primary": "DOWN", "secondary": "UP"})
    resource = said["resources"]["ha_interface"]["pair"]
    assert (resource["status"], resource["active"], resource["version"]) == ("DEGRADED", "secondary", 1)
    assert resource["since"] == running.json("/api/v1/resources/ha_interface/pair")["since"]
    running.stop()
    said = json.loads(path.read_text())
    assert (said["ready"], said["reason"]) == (False, "ha_monitor has ended")
    assert said["resources"]["ha_interface"]["pair"]["active"] == "secondary"
    assert list(path.parent.iterdir()) == [path], "nothing else is left"


def test_who_reads_all_the_time_never_reads_half_of_it(
    pair: site.HaInterface, etcd: Etcd, service: StartService, path: Path
) -> None:
    service("--status-file", str(path))
    wait_for(path, lambda said: bool(said["ready"]))
    broken: list[bytes] = []
    versions: set[int] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            content = path.read_bytes()
            versions.add(path.stat().st_ino)
            try:
                json.loads(content)
            except ValueError:
                broken.append(content)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for value, status in ((site.DOWN, "DOWN"), (site.UP, "UP")) * 10:
            etcd.put(pair.primary_state, value)
            wait_for(path, lambda said, status=status: entries(said)["primary"] == status)  # type: ignore[misc]
    finally:
        done.set()
        reader.join()
    assert broken == []
    assert len(versions) > 1, "each is another file, put in the place of the one before"


def test_nothing_is_written_where_nothing_changes(
    pair: site.HaInterface, etcd: Etcd, service: StartService, path: Path
) -> None:
    other = site.HaInterface("other")
    etcd.txn(other.keys())
    running = service("--status-file", str(path))
    wait_for(path, lambda said: bool(said["ready"]))
    before = path.stat()
    for _ in range(3):
        revision = etcd.put(pair.primary_state, site.UP)
        give_up = time.monotonic() + PATIENCE
        while running.json("/api/v1/resources")["revision"] < revision:  # it has seen it
            assert time.monotonic() < give_up
            time.sleep(0.01)
    after = path.stat()
    assert after.st_ino == before.st_ino
    etcd.put(pair.primary_state, site.DOWN)
    wait_for(path, lambda said: entries(said)["primary"] == "DOWN")


def test_its_age_is_that_of_the_last_proof(
    pair: site.HaInterface, own_etcd: Etcd, service: StartService, path: Path
) -> None:
    own_etcd.txn(site.ha_template() | pair.keys())
    service("--status-file", str(path), etcd=own_etcd)
    first = wait_for(path, lambda said: bool(said["ready"]))
    assert 0 < first["revision"] <= own_etcd.revision()
    assert first["proven_at"] <= first["written_at"]
    dated = path.stat().st_mtime
    give_up = time.monotonic() + PATIENCE
    while path.stat().st_mtime <= dated:  # though nothing changes
        assert time.monotonic() < give_up
        time.sleep(0.01)
    own_etcd.kill()
    lost_at, give_up = time.time(), time.monotonic() + PATIENCE
    said = wait_for(path, lambda said: not said["ready"])
    assert said["resources"]["ha_interface"]["pair"]["stale"]
    while path.stat().st_mtime > lost_at:
        assert time.monotonic() < give_up
        time.sleep(0.01)


def test_an_outage_is_marked_and_so_is_what_an_earlier_run_left(
    own_etcd: Etcd, service: StartService, path: Path
) -> None:
    pair = site.HaInterface("pair")
    own_etcd.txn(site.ha_template() | pair.keys())
    path.write_text('{"ready": true, "reason": "", "written_at": null, "resources": {"ha_interface": {"left": {}}}}')
    own_etcd.stop()
    service("--status-file", str(path), etcd=own_etcd, ready=False)
    said = wait_for(path, lambda said: not said["ready"] and said["reason"] != "ha_monitor is starting")
    assert said["reason"].startswith("etcd can't be heard: ")
    assert "left" in said["resources"]["ha_interface"]
    own_etcd.start()
    said = wait_for(path, lambda said: bool(said["ready"]))
    assert list(said["resources"]["ha_interface"]) == ["pair"]
    own_etcd.kill()
    said = wait_for(path, lambda said: not said["ready"])
    assert said["reason"]
    assert said["resources"]["ha_interface"]["pair"]["status"] == "UP", "what was known last stays"
    own_etcd.start()
    wait_for(path, lambda said: bool(said["ready"]))


def test_a_clean_stop_removes_it_where_that_is_wanted(
    pair: site.HaInterface, service: StartService, path: Path
) -> None:
    running = service("--status-file", str(path), "--status-file-on-stop", "remove")
    wait_for(path, lambda said: bool(said["ready"]))
    running.stop()
    assert list(path.parent.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_at_once(path: Path) -> None:
    ended = command("run", "--status-file", str(path.parent / "nowhere" / "status.json"))
    assert ended.returncode == 2
    assert b"there is no folder" in ended.stderr


@pytest.mark.parametrize("option", ["--status-file", "--hook-state"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_what_is_no_file_is_told_at_once_behind_a_link_as_well(path: Path, option: str, kind: str) -> None:
    link = path.with_name("link")
    link.symlink_to("/dev/null" if kind == "device" else path)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    ended = command("run", "--hook", "true", option, str(link))
    assert ended.returncode == 2
    assert f"{option} {link}: it is there, and is no regular file" in ended.stderr.decode()
    assert link.is_symlink()


def test_a_link_is_followed_and_stays_one(pair: site.HaInterface, service: StartService, path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    running = service("--status-file", str(link))
    wait_for(path, lambda said: entries(said) == {"primary": "UP", "secondary": "UP"})
    running.stop()
    assert link.is_symlink()


def test_a_file_that_can_not_be_written_is_one_warning_and_heals(
    pair: site.HaInterface, service: StartService, path: Path
) -> None:
    in_the_way = path.with_name(f".{path.name}.next")
    in_the_way.mkdir()
    running = service("--status-file", str(path))
    give_up = time.monotonic() + PATIENCE
    while "status file" not in running.log:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    in_the_way.rmdir()
    wait_for(path, lambda said: bool(said["ready"]))
    running.stop()
    said = [line for line in running.last_log.splitlines() if "status file" in line]
    assert len(said) == 2, "that it can't be written, and that it can again"
    assert said[1].endswith("written again")


def test_one_that_can_not_be_replaced_does_not_look_fresh(
    pair: site.HaInterface, etcd: Etcd, service: StartService, path: Path
) -> None:
    running = service("--status-file", str(path))
    wait_for(path, lambda said: bool(said["ready"]))
    in_the_way = path.with_name(f".{path.name}.next")
    in_the_way.mkdir()
    etcd.put(pair.primary_state, site.DOWN)
    changed_at = time.time() + 0.5  # seconds for it to be heard of
    while time.time() < changed_at + 8.0:  # it is tried again meanwhile
        assert path.stat().st_mtime < changed_at, "what it says was no longer right"
        time.sleep(0.1)
    in_the_way.rmdir()
    wait_for(path, lambda said: entries(said) == {"primary": "DOWN", "secondary": "UP"})
    give_up = time.monotonic() + PATIENCE
    while path.stat().st_mtime < changed_at:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    running.stop()
    said = [line for line in running.last_log.splitlines() if "status file" in line]
    assert len(said) == 2, "that it can't be written, and that it can again"


def test_one_that_somebody_takes_away_is_written_again(
    pair: site.HaInterface, service: StartService, path: Path
) -> None:
    service("--status-file", str(path))
    wait_for(path, lambda said: bool(said["ready"]))
    path.unlink()
    wait_for(path, lambda said: entries(said) == {"primary": "UP", "secondary": "UP"})
