"""A stand-in of gohan (cloudwan/gohan at 7249b5d8): its database, its sync to etcd, and what it takes up from there.

It keeps the rules of ``server/state_watcher.go``, ``server/sync_writer.go`` and the sync's ``getCurrentValue``, and
watches ``/state_watch`` where ``iterate`` of gohan's head watches its own lock. No I/O: who has an etcd puts what it is
told to, and brings the events.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeGuard

from ha_monitor.settings import Settings
from tests.support import site

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ha_monitor.settings import SiteLayout

PATH = "/v2.0/ha_interfaces/"
Step = tuple[str, object | None]
"""A key that gohan's sync puts (``None``: deletes), each in a transaction of its own."""


@dataclass(frozen=True)
class Keys:
    """Where gohan has its keys, and the form of the records that it reads."""

    config: str
    state: str
    monitoring: str
    is_upstream: bool

    @classmethod
    def of(cls, layout: SiteLayout) -> Keys:
        """Give those of a layout."""
        settings = Settings(layout=layout)
        return cls(settings.config_prefix, settings.state_prefix, settings.publish_prefix, settings.publish == "gohan")


@dataclass
class Row:
    """A resource in gohan's database; ``monitoring`` is what its API shows as the status."""

    config_version: int = 1
    state_version: int = 0
    error: str = ""
    monitoring: str = ""


@dataclass
class Gohan:
    """Takes requests on its API, and events from etcd."""

    keys: Keys
    rows: dict[str, Row] = field(default_factory=dict)
    """By path."""
    unsynced: deque[Step] = field(default_factory=deque)
    """What its sync has still to bring to etcd, in order."""
    refuses: bool = False
    """Its database refuses the next transaction, and so it forgets that event."""

    # -- its API

    def create(self, path: str, body: dict[str, Any]) -> None:
        """Create a resource."""
        self.rows[path] = Row()
        self._sync(path, body)

    def update(self, path: str, body: dict[str, Any]) -> None:
        """Give a resource another config."""
        self.rows[path].config_version += 1
        self._sync(path, body)

    def delete(self, path: str) -> None:
        """Delete a resource, and what others have put in etcd for it."""
        del self.rows[path]
        for prefix in (self.keys.state, self.keys.monitoring, self.keys.config):
            self.unsynced.append((prefix + path, None))

    def _sync(self, path: str, body: dict[str, Any]) -> None:
        content = {"body": json.dumps(body), "version": self.rows[path].config_version}
        self.unsynced.append((self.keys.config + path, content))

    def synced(self) -> Iterator[Step]:
        """Give what the sync brings to etcd."""
        while self.unsynced:
            yield self.unsynced.popleft()

    # -- its watch

    def begin(self, standing: Iterable[tuple[int, str, bytes]]) -> None:
        """Begin to watch, and take up what stands there, in the order of the mod_revisions (revision, key, value)."""
        for _, key, value in sorted(standing):
            self.take(key, value)

    def take(self, key: str, value: bytes | None) -> None:
        """Take an event (``None``: a deletion, which brings no data)."""
        data = _data(value)
        if key.startswith(f"{self.keys.state}/"):
            self._state_update(key.removeprefix(self.keys.state), data)
        elif key.startswith(f"{self.keys.monitoring}/"):
            self._monitoring_update(key.removeprefix(self.keys.monitoring), data)

    def _state_update(self, path: str, data: dict[str, Any]) -> None:
        row = self.rows.get(path)
        if row is None or row.state_version == row.config_version:
            return
        version = data.get("version")
        if not _is_number(version) or int(version) < row.state_version or self._is_refused():
            return
        row.state_version = int(version)
        if isinstance(data.get("error"), str):
            row.error = data["error"]

    def _monitoring_update(self, path: str, data: dict[str, Any]) -> None:
        row = self.rows.get(path)
        if row is None or row.config_version != row.state_version:
            return
        version = data.pop("version", None)
        if not _is_number(version) or row.config_version != int(version):
            return
        status = data.get("monitoring") if self.keys.is_upstream else json.dumps(data, sort_keys=True)
        if isinstance(status, str) and not self._is_refused():
            row.monitoring = status

    def _is_refused(self) -> bool:
        refused, self.refuses = self.refuses, False
        return refused


def report(version: int, error: str = "") -> dict[str, Any]:
    """Give what a worker puts at a resource's state key."""
    return {"state": {"state_monitoring": json.dumps({"interface": "ACTIVE"})}, "version": version, "error": error}


def unsettled(items: dict[str, bytes], revisions: dict[str, int], keys: Keys) -> list[str]:
    """Say which records are older than the state that they have to follow: the rule, as it is to be seen in etcd.

    :param items: all keys with their values.
    :param revisions: the mod_revision of each.
    """
    return [
        f"{record} at {revisions[record]}, its state at {revisions[state]}"
        for record, state in _pairs(items, keys)
        if _version(items, state) == _version(items, keys.config + record.removeprefix(keys.monitoring))
        and revisions[record] < revisions[state]
    ]


def _pairs(items: dict[str, bytes], keys: Keys) -> Iterator[tuple[str, str]]:
    for record in items:
        if record.startswith(keys.monitoring + PATH):
            state = keys.state + record.removeprefix(keys.monitoring)
            if state in items:
                yield record, state


def _version(items: dict[str, bytes], key: str) -> int | None:
    version = _data(items.get(key)).get("version")
    return int(version) if _is_number(version) else None


def _data(value: bytes | None) -> dict[str, Any]:
    try:
        data = json.loads(value or b"null")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def body(number: int, changed: int) -> dict[str, Any]:
    """Give the config of an HA interface; ``changed`` tells one of its versions from another."""
    pair = site.HaInterface(f"ha{number}", f"p{number}", f"s{(number + changed) % 3}")
    return {**pair.body, "name": f"n{changed}"}
