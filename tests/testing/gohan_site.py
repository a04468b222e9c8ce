"""A site with gohan, its workers, an etcd in memory, and the monitors that publish for it; in virtual time."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import anyio
from aetcd import rpc

from ha_monitor import Settings
from ha_monitor.etcd.connection import Access
from ha_monitor.testing import MemoryEtcd
from ha_monitor.wire.calls import END_OF_STREAM
from tests.support import site
from tests.support.gohan import PATH, Gohan, Keys, body, report, unsettled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from ha_monitor import HaMonitor
    from ha_monitor.settings import SiteLayout

BACKOFF = 5.0
"""Seconds after which gohan watches again, once its watch has ended."""

STATE_TIMEOUT = 5.0
TEMPLATE = site.template_key("ha_interface_monitoring")
_DELETE = rpc.Event.EventType.DELETE


class Member:
    """A monitor in a task of its own: it begins and ends whenever."""

    def __init__(self, etcd: MemoryEtcd, settings: Settings, tasks: TaskGroup) -> None:
        self.monitor: HaMonitor = etcd.monitor(settings)
        self._end = anyio.Event()
        self._ended = anyio.Event()
        tasks.start_soon(self._run)

    async def _run(self) -> None:
        async with self.monitor:
            await self._end.wait()
        self._ended.set()

    async def end(self) -> None:
        """End it in good order."""
        self._end.set()
        await self._ended.wait()


class Writes:
    """Every write of a record, held against what stood in etcd just before it."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._items: dict[str, rpc.KeyValue] = {}
        self._seen = 1
        self.all = 0
        """How many there were, deletions too."""
        self.again = 0
        """Those of them that put a record again, unchanged."""
        self.too_many: list[str] = []
        """Those that nothing was due for."""

    def take(self, etcd: MemoryEtcd) -> None:
        """Take what was written since the last time; before that is compacted."""
        store = etcd._server.node.store
        for revision, events in store.since(self._seen + 1, store.revision):
            for event in events:
                key = event.kv.key.decode()
                is_record = key.startswith(self._keys.monitoring + PATH)
                self.all += is_record
                if event.type == _DELETE:
                    self._items.pop(key, None)
                    continue
                if is_record:
                    self._judge(revision, key, bytes(event.kv.value))
                self._items[key] = event.kv
            self._seen = revision

    def _judge(self, revision: int, key: str, value: bytes) -> None:
        before = self._items.get(key)
        if before is None or before.value != value:
            return
        self.again += 1
        items = {name: bytes(item.value) for name, item in self._items.items()}
        if not any(words.startswith(f"{key} at") for words in unsettled(items, self.revisions, self._keys)):
            self.too_many.append(f"revision {revision}: {key} was {value!r} already, and follows its state")

    def forget(self) -> None:
        """Begin anew: the store is another one."""
        self._items, self._seen = {}, 1

    @property
    def revisions(self) -> dict[str, int]:
        """The mod_revision of each key."""
        return {name: item.mod_revision for name, item in self._items.items()}

    @property
    def values(self) -> dict[str, bytes]:
        """The value of each key."""
        return {name: bytes(item.value) for name, item in self._items.items()}


class GohanSite:
    """All of it: three HA interfaces at the most, each on two of six physical interfaces."""

    def __init__(self, layout: SiteLayout, tasks: TaskGroup, **settings: Any) -> None:
        self.etcd = MemoryEtcd()
        self.keys = Keys.of(layout)
        self.gohan = Gohan(self.keys)
        self.writes = Writes(self.keys)
        self.members: list[Member] = []
        self._settings = Settings(layout=layout, state_timeout=STATE_TIMEOUT, **settings)
        self.resync = self._settings.resync
        self._tasks = tasks
        self._reported: dict[str, int] = {}
        """What the worker of each resource has reported last, by path."""
        self._changes = 0
        self._watching = anyio.CancelScope()
        tasks.start_soon(self._watch_on_and_on)

    def begin(self) -> Member:
        """Start a monitor."""
        member = Member(self.etcd, self._settings, self._tasks)
        self.members.append(member)
        return member

    # -- gohan

    def request(self, kind: str, number: int) -> None:
        """Ask gohan's API for something; what makes no sense is refused."""
        path = f"{PATH}ha{number}"
        self._changes += 1
        if kind == "create" and path not in self.gohan.rows:
            self.gohan.create(path, body(number, self._changes))
        elif kind == "update" and path in self.gohan.rows:
            self.gohan.update(path, body(number, self._changes))
        elif kind == "delete" and path in self.gohan.rows:
            self.gohan.delete(path)

    def sync(self) -> None:
        """Have gohan's sync bring to etcd what it has not yet."""
        for key, value in self.gohan.synced():
            if value is not None:
                self.etcd.put(key, value)
                continue
            self._reported.pop(key.removeprefix(self.keys.config), None)
            if self.etcd.get(key) is not None:
                self.etcd.delete(key)

    def report(self, number: int, lag: int = 0, error: str = "") -> None:
        """Have a worker report the version that it has built, ``lag`` versions behind what stands in etcd."""
        path = f"{PATH}ha{number}"
        config = self.etcd.record(self.keys.config + path)
        if config is not None:
            version = max(config["version"] - lag, self._reported.get(path, 1))
            self._reported[path] = version
            self.etcd.put(self.keys.state + path, report(version, error))

    def flip(self, side: str, value: object | None) -> None:
        """Write the state of a physical interface; ``None``: delete it."""
        key = f"{self.keys.monitoring}/v2.0/er_physical_interfaces/{side}"
        if value is not None:
            self.etcd.put(key, value)
        elif self.etcd.get(key) is not None:
            self.etcd.delete(key)

    def restart_gohan(self) -> None:
        """End gohan's watch; it begins anew after its pause."""
        self._watching.cancel()

    async def _watch_on_and_on(self) -> None:
        while True:
            with anyio.CancelScope() as self._watching:
                with contextlib.suppress(rpc.AioRpcError):
                    await self._watch()
            await anyio.sleep(BACKOFF)

    async def _watch(self) -> None:
        """List, then watch, as ``getCurrentValue`` and ``watch`` of gohan's sync do."""
        stubs = self.etcd.connect("", Access())
        reply = await stubs.kv.Range(rpc.RangeRequest(key=b"/", range_end=b"0"), timeout=5.0)
        self.gohan.begin([(item.mod_revision, item.key.decode(), bytes(item.value)) for item in reply.kvs])
        call = stubs.watch.Watch()
        try:
            create = rpc.WatchCreateRequest(key=b"/", range_end=b"0", start_revision=reply.header.revision + 1)
            await call.write(rpc.WatchRequest(create_request=create))
            while (answer := await call.read()) is not END_OF_STREAM and not answer.canceled:
                for event in answer.events:
                    deleted = event.type == _DELETE
                    self.gohan.take(event.kv.key.decode(), None if deleted else bytes(event.kv.value))
        finally:
            call.cancel()

    # -- what is right

    def wrong(self) -> list[str]:
        """Say what is not as it has to be: the records, the rule that they follow, and what gohan shows."""
        self.writes.take(self.etcd)
        items = self.writes.values
        wrong = [*unsettled(items, self.writes.revisions, self.keys), *self.writes.too_many]
        for number in range(3):
            path = f"{PATH}ha{number}"
            value, due = items.get(self.keys.monitoring + path), self._due(path)
            if (None if value is None else json.loads(value)) != due:
                wrong.append(f"{path}: its record is {value!r}, not {due}")
                continue
            row, state = self.gohan.rows.get(path), self.etcd.record(self.keys.state + path)
            if due is None or row is None or state is None or state["version"] != row.config_version:
                continue
            status = due["monitoring"] if self.keys.is_upstream else json.dumps(_bare(due), sort_keys=True)
            if row.monitoring != status:
                wrong.append(f"{path}: gohan shows {row.monitoring!r}, not {status!r}")
        return wrong

    def _due(self, path: str) -> dict[str, Any] | None:
        """Give the record that is due for a resource, worked out anew; ``None`` where none is."""
        config = self.etcd.record(self.keys.config + path)
        if config is None or self.etcd.get(TEMPLATE) is None:
            return None
        sides = json.loads(config["body"])
        told = [self._side(sides[field]) for field in ("primary_interface_id", "secondary_interface_id")]
        if not self.keys.is_upstream:
            return {"primary": told[0], "secondary": told[1], "version": config["version"]}
        verdict = "UP" if told == ["UP", "UP"] else "DEGRADED" if "UP" in told else "DOWN"
        return {"monitoring": verdict, "version": config["version"]}

    def _side(self, id_: str) -> str:
        state = self.etcd.record(f"{self.keys.monitoring}/v2.0/er_physical_interfaces/{id_}")
        return "FAIL" if state is None else "UP" if state["interface"] == "UP" else "DOWN"


def _bare(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "version"}


Step = tuple[str, Any, float]
"""What happens, with what, and the seconds of pause after it."""


async def do(site_: GohanSite, step: Step) -> None:
    """Do one step of a history, and wait."""
    kind, what, pause = step
    if kind == "request":
        action, number, synced = what
        site_.request(action, number)
        if synced:
            site_.sync()
    elif kind == "report":
        site_.report(*what)
    elif kind == "flip":
        site_.flip(*what)
    elif kind == "template":
        if what is not None:
            site_.etcd.txn(what)
        elif site_.etcd.get(TEMPLATE) is not None:
            site_.etcd.delete(TEMPLATE)
    elif kind == "restart":
        await _restart(site_, what)
    else:
        _fault(site_, what)
    await anyio.sleep(pause)


async def _restart(site_: GohanSite, at_once: bool) -> None:
    """End a monitor, the longest there, and start another: before it has ended, or after."""
    first = site_.members.pop(0)
    if at_once:
        site_.begin()
        await first.end()
    else:
        await first.end()
        site_.begin()


def _fault(site_: GohanSite, what: str) -> None:
    if what == "gohan":
        site_.restart_gohan()
    elif what == "compact":
        site_.writes.take(site_.etcd)
        site_.etcd.put("/elsewhere", "")
        site_.etcd.compact()
    else:
        getattr(site_.etcd, what)()


async def settle(site_: GohanSite, within: float) -> Sequence[str]:
    """Wait until all is right, or time is over; give what is wrong then."""
    with anyio.move_on_after(within):
        while site_.wrong():  # noqa: ASYNC110
            await anyio.sleep(1.0)
    return site_.wrong()
