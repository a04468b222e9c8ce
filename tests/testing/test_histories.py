"""Whatever happened to the keys and to etcd, in the end what is published is what a fresh evaluation gives."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor import Settings
from ha_monitor.testing import Backup, MemoryEtcd, run
from ha_monitor.testing.versions import NEWEST, OLDEST
from tests.property.test_history import keys_to_delete, puts
from tests.support import site
from tests.support.oracle import differences
from tests.testing.fleet import ready, until

if TYPE_CHECKING:
    from collections.abc import Sequence

RIGHT_WITHIN = 300.0
"""Seconds of virtual time: who changes our records again and again is met with pauses of up to a minute."""

NOTICED_WITHIN = 10.0
"""Seconds in which a store that went back is noticed."""

WRITTEN_SINCE = 200
"""Revisions that a store goes back by at the least: one that has overtaken what it was before it is noticed looks like
it (``test_a_store_that_went_back_and_has_overtaken_what_it_was_before_we_hear_of_it_again``)."""

versions = st.sampled_from([OLDEST, NEWEST])
pauses = st.sampled_from([0.0, 0.0, 0.0003, 0.02, 1.0, 3.0, 12.0, 70.0])
changes = st.tuples(st.lists(puts, max_size=3), st.lists(keys_to_delete, max_size=2))
faults = st.sampled_from(
    ["cancel_watches", "drop_connections", "compact", "expire_tokens", "backup", "rewind", "expire_leases"]
)
states = st.sampled_from(
    [("freeze", "thaw"), ("go_down", "come_up"), ("lose_quorum", "regain_quorum"), ("fill_up", "disarm")]
)
steps = st.one_of(
    st.tuples(st.just("change"), changes, pauses),
    st.tuples(st.just("change"), changes, pauses),
    st.tuples(st.just("change"), changes, pauses),
    st.tuples(st.just("fault"), faults, pauses),
    st.tuples(st.just("state"), states, pauses),
)


class Operated:
    """An etcd with its keys and its bad luck."""

    def __init__(self, version: str) -> None:
        self.etcd = MemoryEtcd(version=version)
        self.etcd.set_user("monitor", "pw", read=["/"], write=["/monitoring/", "/ha_monitor/"])
        self.etcd.txn(site.ha_template() | site.gateway_template())
        self._backup: Backup = self.etcd.backup()
        self._healing: list[str] = []

    async def do(self, kind: str, what: Any, pause: float) -> None:
        """Do one step, and wait."""
        if kind == "change":
            self._change(*what)
        elif kind == "state":
            self._state(*what)
        elif what == "backup":
            self._backup = self.etcd.backup()
        elif what == "rewind":
            self.heal()
            for _ in range(WRITTEN_SINCE):
                self.etcd.put("/elsewhere", "")
            await anyio.sleep(NOTICED_WITHIN)
            self.etcd.rewind(self._backup)
            pause = max(pause, NOTICED_WITHIN)
        elif what == "compact":
            self.etcd.put("/elsewhere", "")  # so that there is a revision that is not compacted yet
            self.etcd.compact()
        else:
            getattr(self.etcd, what)()
        await anyio.sleep(pause)

    def _change(self, written: Sequence[dict[str, Any]], deleted: Sequence[str]) -> None:
        merged: dict[str, Any] = {}
        for one in written:
            merged.update(one)
        self.etcd.txn(merged, [key for key in dict.fromkeys(deleted) if key not in merged])

    def _state(self, begin: str, end: str) -> None:
        if end in self._healing:
            self._healing.remove(end)
            getattr(self.etcd, end)()
        else:
            self._healing.append(end)
            getattr(self.etcd, begin)()

    def heal(self) -> None:
        """Let nothing be wrong any more."""
        while self._healing:
            getattr(self.etcd, self._healing.pop())()


async def play(version: str, history: Sequence[tuple[str, Any, float]], monitors: int, folder: Path) -> None:
    operated = Operated(version)
    (folder / "password").write_text("pw")
    config = Settings(
        state_timeout=5.0,
        etcd_user="monitor",
        etcd_password_file=folder / "password",
        group="edge" if monitors > 1 else None,
        shards=3 if monitors > 1 else 1,
    )
    async with contextlib.AsyncExitStack() as stack:
        running = [await stack.enter_async_context(operated.etcd.monitor(config)) for _ in range(monitors)]
        for monitor in running:
            await ready(monitor)
        for step in history:
            await operated.do(*step)
        operated.heal()
        for monitor in running:
            await ready(monitor)
        etcd = operated.etcd
        await until(lambda: not differences(etcd.items()), RIGHT_WITHIN, lambda: differences(etcd.items()))
        await anyio.sleep(RIGHT_WITHIN)
        assert differences(etcd.items()) == [], "it stays so"
        for monitor in running:
            assert monitor.readiness().ready


@settings(max_examples=8)
@given(versions, st.lists(steps, min_size=1, max_size=15))
def test_a_random_history_with_faults_ends_in_what_a_fresh_evaluation_gives(
    version: str, history: list[tuple[str, Any, float]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(play, version, history, 1, Path(folder))


@settings(max_examples=5)
@given(versions, st.lists(steps, min_size=1, max_size=10))
def test_so_it_does_where_two_share_the_work(version: str, history: list[tuple[str, Any, float]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(play, version, history, 2, Path(folder))


moves = st.builds(
    lambda number, port: {
        f"/config/v2.0/ha_interfaces/ha@{number}": site.envelope(
            {"id": f"ha@{number}", "primary_interface_id": "shared@", "secondary_interface_id": port}
        )
    },
    st.integers(0, 2),
    st.sampled_from(["p@0", "p@1", "p@2"]),
)
on_and_on = st.one_of(
    *[
        st.tuples(
            st.just("change"),
            st.tuples(st.lists(st.one_of(puts, moves), max_size=3), st.lists(keys_to_delete, max_size=2)),
            pauses,
        )
    ]
    * 3,
    st.tuples(st.just("fault"), st.sampled_from(["cancel_watches", "drop_connections", "compact"]), pauses),
    st.tuples(st.just("state"), states, pauses),
)


async def play_and_compare_revisions(version: str, history: Sequence[tuple[str, Any, float]], folder: Path) -> None:
    operated = Operated(version)
    (folder / "password").write_text("pw")
    config = Settings(
        state_timeout=5.0, etcd_user="monitor", etcd_password_file=folder / "password", on_blind="unknown"
    )
    async with operated.etcd.monitor(config) as monitor, monitor.changes() as changes:
        await ready(monitor)
        for step in history:
            await operated.do(*step)
        operated.heal()
        await ready(monitor)
        await anyio.sleep(10.0)  # what has no state fails meanwhile
        taken = changes.take()
    newest: dict[tuple[str, str, str], int] = {}
    assert isinstance(taken, list)
    for change in taken:
        entry = change.type, change.id, change.entry
        assert change.revision >= newest.get(entry, 0), change
        newest[entry] = change.revision


@settings(max_examples=8)
@given(versions, st.lists(on_and_on, min_size=1, max_size=15))
def test_the_revision_of_what_is_told_of_an_entry_never_goes_back(
    version: str, history: list[tuple[str, Any, float]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(play_and_compare_revisions, version, history, Path(folder))
