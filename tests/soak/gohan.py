"""gohan and its workers beside the other changes: resources of its own, and what it takes up of them all the while."""

from __future__ import annotations

import contextlib
import json
import threading
from typing import TYPE_CHECKING

import grpc
from aetcd import rpc

from tests.support import site
from tests.support.background import Background
from tests.support.gohan import PATH, Gohan, Keys, report, unsettled
from tests.support.history import LOOK, PAUSE

if TYPE_CHECKING:
    from random import Random

    from tests.support.etcd import Etcd

RESOURCES = 10
_DELETE = rpc.Event.EventType.DELETE


class SoakGohan:
    """Makes configs, lets workers report, and follows states and records in a thread."""

    def __init__(self, etcd: Etcd, random: Random) -> None:
        """Begin with no resource."""
        self._etcd = etcd
        self._random = random
        self._keys = Keys.of("esi")
        self._gohan = Gohan(self._keys)
        self._reported: dict[str, int] = {}
        self._lock = threading.Lock()
        self._thread = Background(self._follow, PAUSE)
        self._thread.begin()

    def end(self) -> None:
        """Follow no more: the store is about to become another one, say."""
        self._thread.end()

    # -- what it does

    def act(self) -> None:
        """Do one thing: a request on its API, or a worker's report. Raises where etcd does not take it."""
        self._sync()
        number = self._random.randrange(RESOURCES)
        path = f"{PATH}gohan{number}"
        if self._random.random() < 0.5:
            self._report(path)
            return
        pair = site.HaInterface(f"gohan{number}", f"p{number}", f"s{self._random.randrange(RESOURCES)}")
        with self._lock:
            if path not in self._gohan.rows:
                self._gohan.create(path, pair.body)
            elif self._random.random() < 0.8:
                self._gohan.update(path, pair.body)
            else:
                self._gohan.delete(path)
                self._reported.pop(path, None)
        self._sync()

    def _report(self, path: str) -> None:
        config = self._etcd.record(self._keys.config + path)
        if config is not None and path in self._gohan.rows:
            late = self._random.random() < 0.2
            self._reported[path] = max(config["version"] - late, self._reported.get(path, 1))
            self._etcd.put(self._keys.state + path, report(self._reported[path]))

    def _sync(self) -> None:
        """Bring to etcd what is not there yet: at once, or the end of a record by gohan's hand would count as wrong."""
        steps = tuple(self._gohan.unsynced)
        puts = {key: value for key, value in steps if value is not None}
        self._etcd.txn(puts, [key for key, value in steps if value is None and key not in puts])
        for _ in steps:
            self._gohan.unsynced.popleft()

    def begin_anew(self) -> None:
        """Follow again, without a resource: etcd has another history than the one that its database goes by."""
        with self._lock:
            self._gohan = Gohan(self._keys)
        self._reported.clear()
        paths = [f"{PATH}gohan{number}" for number in range(RESOURCES)]
        self._etcd.txn({}, [prefix + path for path in paths for prefix in (self._keys.config, self._keys.state)])
        self._thread.begin()

    # -- what it follows

    def _follow(self) -> None:
        with contextlib.suppress(AssertionError, grpc.RpcError):  # compacted, killed or frozen: it lists again
            answer = self._etcd.range("/")
            with self._lock:
                self._gohan.begin([(kv.mod_revision, kv.key.decode(), bytes(kv.value)) for kv in answer.kvs])
            revision = answer.header.revision
            while not self._thread.is_ending:
                for at, events in self._etcd.follow(revision, LOOK):
                    self._take(events)
                    revision = at

    def _take(self, events: list[rpc.Event]) -> None:
        with self._lock:
            for event in events:
                self._gohan.take(event.kv.key.decode(), None if event.type == _DELETE else bytes(event.kv.value))

    # -- what is right

    def wrong(self) -> list[str]:
        """Say which records are older than the state that they follow, and where another status is shown."""
        if self._gohan.unsynced:
            self._sync()
        kvs = self._etcd.range("/").kvs
        items = {kv.key.decode(): bytes(kv.value) for kv in kvs}
        wrong = unsettled(items, {kv.key.decode(): int(kv.mod_revision) for kv in kvs}, self._keys)
        with self._lock:
            for path, row in self._gohan.rows.items():
                record, state = items.get(self._keys.monitoring + path), items.get(self._keys.state + path)
                if record is None or state is None or json.loads(state)["version"] != row.config_version:
                    continue
                told = json.loads(record)
                del told["version"]
                if row.monitoring != json.dumps(told, sort_keys=True):
                    wrong.append(f"{path}: gohan shows {row.monitoring}, and its record is {record!r}")
        return wrong
