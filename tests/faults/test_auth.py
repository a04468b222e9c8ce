"""Access control: tokens that expire, passwords that change, permissions that come and go."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from ha_monitor import HaMonitor, Settings
from ha_monitor.watch.feed import Feed
from tests.faults.fleet import RECORDS
from tests.faults.guarded import USER, Guarded
from tests.support import site
from tests.support.etcd import Etcd, free_port
from tests.support.service import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ha_monitor.watch.state_machine import Opening, Watching
    from tests.conftest import StartService
    from tests.faults.conftest import Watched

TOKEN_LIVES = 4  # seconds without use


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    """An etcd whose access control is not enabled yet."""
    password_file = tmp_path / "password"
    password_file.write_text("monitor-pw\n")
    etcd = Etcd("--auth-token-ttl", str(TOKEN_LIVES))
    try:
        yield Guarded(etcd.start(), password_file)
    finally:
        etcd.close()


def test_a_user_with_a_password_watches_and_publishes(guarded: Guarded, watch: Callable[..., Watched]) -> None:
    guarded.enable()
    watched = watch(guarded.etcd, *guarded.options)
    watched.flip(1)
    watched.right()


def test_a_token_that_has_expired_is_renewed(guarded: Guarded, watch: Callable[..., Watched]) -> None:
    """The probe keeps a token alive; a process that was stopped for longer than a token lives finds it expired."""
    guarded.enable()
    watched = watch(guarded.etcd, *guarded.options)
    watched.service.freeze()
    try:
        time.sleep(TOKEN_LIVES + 2)
        watched.flip(6)
    finally:
        watched.service.thaw()
    watched.ready()
    watched.right()


def test_a_token_that_is_lost_is_renewed(guarded: Guarded, watch: Callable[..., Watched]) -> None:
    guarded.enable()
    watched = watch(guarded.etcd, *guarded.options)
    guarded.etcd.kill()  # tokens live in the server's memory
    guarded.etcd.start()
    watched.ready()
    watched.flip(2)
    watched.right()


def test_a_changed_password_is_read_from_its_file_once_it_stands_there(
    guarded: Guarded, watch: Callable[..., Watched]
) -> None:
    guarded.enable()
    watched = watch(guarded.etcd, *guarded.options)
    guarded.change_password("another-pw")
    words = watched.unready()
    assert "authentication failed" in words
    assert "monitor-pw" not in words
    guarded.password_file.write_text("another-pw")
    watched.ready()
    watched.flip(3)
    watched.right()


def test_access_taken_away_is_told_and_access_given_back_is_used(
    guarded: Guarded, watch: Callable[..., Watched]
) -> None:
    guarded.enable()
    watched = watch(guarded.etcd, *guarded.options)
    guarded.revoke()
    assert "permission denied" in watched.unready()
    watched.flip(4)
    guarded.grant()
    watched.ready()
    watched.right()
    assert guarded.etcd.record(f"{RECORDS}ha4")["primary"] == "DOWN"


GROUP = ("--group", "edge", "--shards", "2", "--lease-ttl", "2")


def test_a_member_of_a_group_keeps_its_lease_with_a_token_that_is_renewed(
    guarded: Guarded, watch: Callable[..., Watched]
) -> None:
    guarded.enable()
    watched = watch(guarded.etcd, *GROUP, *guarded.options)
    watched.right()
    before = watched.service.json("/api/v1/group")
    assert before["owned"] == [0, 1]
    guarded.etcd.kill()  # tokens live in the server's memory, leases on its disk
    guarded.etcd.start()
    watched.ready()
    watched.flip(2)
    watched.right()
    after = watched.service.json("/api/v1/group")
    assert (after["id"], after["takeovers"], after["owned"]) == (before["id"], 2, [0, 1])


def test_a_user_without_a_right_on_the_group_s_keys_is_told_so_and_joins_once_it_has_it(
    guarded: Guarded, watch: Callable[..., Watched], service: StartService
) -> None:
    guarded.enable()
    watched = watch(guarded.etcd, *GROUP, *guarded.options)
    watched.service.stop()
    guarded.grant_all_but(b"/ha_monitor/")
    watched.service = service(*GROUP, *guarded.options, etcd=guarded.etcd, ready=False)
    watched.service.wait_alive()
    words = watched.unready(saying="permission denied")
    assert words.startswith("it is no member of group edge: ")
    watched.flip(5)
    guarded.grant()
    watched.ready()
    watched.right()


@pytest.mark.parametrize("dead", [0, 2])
def test_wrong_credentials_at_the_start_end_with_exit_code_3_in_words(guarded: Guarded, dead: int) -> None:
    guarded.enable()
    guarded.password_file.write_text("wrong-pw")
    urls = ",".join([guarded.etcd.url, *(f"http://127.0.0.1:{free_port()}" for _ in range(dead))])
    ended = command("run", "--etcd", urls, "--listen", "", *guarded.options)
    assert ended.returncode == 3
    assert b"authentication failed" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert b"wrong-pw" not in ended.stderr
    ended = command("run", "--etcd", guarded.etcd.url, "--listen", "", "--log-format", "json", *guarded.options)
    assert ended.returncode == 3
    *_, last = map(json.loads, ended.stderr.splitlines())
    assert (last["level"], last["message"].partition(": ")[0]) == ("ERROR", "etcd refused")


@pytest.mark.anyio
async def test_a_token_that_is_taken_away_before_the_first_watch_is_no_end(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, anyio_backend: object
) -> None:
    """To write a password, the same one again, ends all tokens: etcd says of those, too, that permission is denied."""
    guarded.etcd.txn(site.ha_template() | site.HaInterface().keys())
    guarded.enable()
    ended: list[str] = []

    async def watch(feed: Feed, state: Opening | Watching) -> None:
        if "physical" in feed.prefix and not ended:
            ended.append(feed.prefix)
            await anyio.to_thread.run_sync(guarded.change_password, "monitor-pw")
        await first(feed, state)

    first = Feed._watch
    monkeypatch.setattr(Feed, "_watch", watch)
    settings = Settings(etcd=[guarded.etcd.url], etcd_user=USER, etcd_password_file=guarded.password_file)
    async with HaMonitor(settings) as monitor:
        with anyio.fail_after(20):
            await monitor.synced()
        assert ended
        assert monitor.readiness().ready


def test_no_credentials_where_they_are_wanted_end_with_exit_code_3(guarded: Guarded) -> None:
    guarded.enable()
    ended = command("run", "--etcd", guarded.etcd.url, "--listen", "")
    assert ended.returncode == 3
    assert b"user name is empty" in ended.stderr
