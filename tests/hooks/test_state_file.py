"""``--hook-state``: a start tells what changed since the last run, and nothing that did not."""

from __future__ import annotations

import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import site
from tests.support.hooks import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support.etcd import Etcd
    from tests.support.hooks import Recorder

DEFINITE = {"primary": ["UP"], "secondary": ["UP"]}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder / "hooks.json"


def remembered(state: Path, id_: str = "pair") -> Any:
    """Give what is remembered of a resource; ``None`` where nothing is."""
    if not state.exists():
        return None
    document = json.loads(state.read_text())
    assert document["version"] == 1
    (lines,) = document["told"].values()
    found = {(type_, id_): entries for type_, id_, entries in lines}
    return found.get(("ha_interface", id_))


def told(recorder: Recorder) -> list[tuple[str, str, str | None, str | None]]:
    changes = [item["change"] for item in recorder.said("end")]
    return [(change["id"], change["entry"], change["old"], change["new"]) for change in changes]


def test_a_start_tells_what_changed_since_and_nothing_else(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, state: Path
) -> None:
    still, gone, new = (site.HaInterface(name) for name in ("still", "gone", "new"))
    etcd.txn(still.keys() | gone.keys())
    options = ("--hook", recorder.command(), "--hook-state", str(state))
    running = service(*options)
    wait_until(lambda: remembered(state, "still") == DEFINITE)
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1)
    wait_until(lambda: remembered(state) == {"primary": ["DOWN"], "secondary": ["UP"]})
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    running.stop()
    assert list(state.parent.iterdir()) == [state]
    etcd.put(pair.primary_state, site.UP)
    etcd.put(pair.secondary_state, site.DOWN)
    etcd.put(pair.secondary_state, site.UP)
    etcd.delete(gone.config)
    etcd.txn(new.keys(primary=site.DOWN))
    running = service(*options)
    recorder.wait(6)
    assert sorted(map(str, told(recorder)[1:])) == sorted(
        map(
            str,
            [
                ("pair", "primary", "DOWN", "UP"),
                ("gone", "primary", "UP", None),
                ("gone", "secondary", "UP", None),
                ("new", "primary", None, "DOWN"),
                ("new", "secondary", None, "UP"),
            ],
        )
    )
    wait_until(lambda: remembered(state, "gone") is None and remembered(state, "new") is not None)
    running.stop()
    service(*options).stop()
    assert len(told(recorder)) == 6, "nothing had changed"


def test_a_change_that_could_not_be_told_before_the_end_is_told_at_the_next_start(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, state: Path
) -> None:
    options = ("--hook", recorder.command(), "--hook-state", str(state))
    running = service(*options)
    recorder.make("broken")
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1, "break")
    running.stop()
    assert remembered(state) == {"primary": ["UP", "DOWN"], "secondary": ["UP"]}
    etcd.put(pair.primary_state, site.UP)  # as far as anybody knows, the command did its work before it failed
    recorder.unmake("broken")
    service(*options)
    recorder.wait(1)
    assert told(recorder) == [("pair", "primary", "DOWN", "UP")]


def test_what_was_being_told_when_the_process_was_killed_is_told_again(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, state: Path
) -> None:
    options = ("--hook", recorder.command(), "--hook-state", str(state))
    running = service(*options)
    wait_until(lambda: remembered(state) == DEFINITE)
    recorder.make("closed")
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1, "begin")
    wait_until(lambda: remembered(state) == {"primary": ["UP", "DOWN"], "secondary": ["UP"]})
    running.kill()
    recorder.unmake("closed")
    recorder.wait(1)
    service(*options)
    recorder.wait(2)
    assert told(recorder) == [("pair", "primary", "UP", "DOWN")] * 2


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version":2,"told":{}}', '{"version":1,"told":{"command":[["a","b",{"c":["UPP"]}]]}}']
)
def test_a_damaged_file_is_a_warning_and_a_first_start(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, state: Path, content: str
) -> None:
    state.write_text(content)
    running = service("--hook", recorder.command(), "--hook-state", str(state))
    wait_until(lambda: "it is damaged" in running.log)
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1)
    assert told(recorder) == [("pair", "primary", "UP", "DOWN")]
    wait_until(lambda: state.read_text() != content and remembered(state) is not None)


def test_a_file_that_can_not_be_written_is_one_warning_and_heals(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, state: Path
) -> None:
    in_the_way = state.with_name(f".{state.name}.next")
    in_the_way.mkdir()
    running = service("--hook", recorder.command(), "--hook-state", str(state))
    wait_until(lambda: "hook state" in running.log)
    etcd.put(pair.primary_state, site.DOWN)
    recorder.wait(1)
    in_the_way.rmdir()
    wait_until(lambda: state.is_file() and remembered(state) == {"primary": ["DOWN"], "secondary": ["UP"]})
    running.stop()
    assert running.last_log.count("hook state") == 2, "that it can't be written, and that it can again"


def test_a_storm_is_not_a_storm_of_writes(
    pair: site.HaInterface, etcd: Etcd, service: StartService, recorder: Recorder, state: Path
) -> None:
    service("--hook", "true", "--hook-state", str(state))
    wait_until(lambda: remembered(state) == DEFINITE)
    began, inodes = os.times().elapsed, set[int]()
    for _ in range(60):
        etcd.put(pair.primary_state, site.DOWN)
        etcd.put(pair.primary_state, site.UP)
        inodes.add(state.stat().st_mtime_ns)
    took = os.times().elapsed - began
    assert len(inodes) <= took + 2, "once a second, and what was there"


def test_an_id_that_is_no_text_is_remembered(
    etcd: Etcd, service: StartService, recorder: Recorder, state: Path
) -> None:
    pair = site.HaInterface("odd \x00 é")
    etcd.txn(site.ha_template() | pair.keys())
    options = ("--hook", recorder.command(), "--hook-state", str(state))
    running = service(*options)
    wait_until(lambda: remembered(state, pair.id) == DEFINITE)
    running.stop()
    etcd.put(pair.primary_state, site.DOWN)
    service(*options)
    recorder.wait(1)
    assert told(recorder) == [(pair.id, "primary", "UP", "DOWN")]
