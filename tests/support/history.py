"""What etcd's own history tells of the published records: was each of them right at the very revision of its write?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aetcd import rpc

from tests.support.oracle import CONFIG, MONITORING, PLURALS, record_at_once
from tests.support.site import template_key

if TYPE_CHECKING:
    from tests.support.etcd import Etcd

_PREFIX = f"{MONITORING}/{PLURALS['ha_interface']}/"
_CONFIGS = f"{CONFIG}/{PLURALS['ha_interface']}/"


class Lineage:
    """All writes of records since a revision, held against what stood in etcd at each of them."""

    def __init__(self, etcd: Etcd, since: int) -> None:
        """Replay: what stood at ``since``, and every change after it."""
        self.writes = 0
        self.wrong: list[str] = []
        """Writes of what was not so at their revision."""
        self.twice: list[str] = []
        """Writes of what stood there already."""
        items = etcd.items("", since)
        for revision, events in etcd.replay(since):
            before = dict(items)
            for event in events:
                key = event.kv.key.decode()
                if event.type == rpc.Event.EventType.DELETE:
                    items.pop(key, None)
                else:
                    items[key] = bytes(event.kv.value)
            for event in events:
                key = event.kv.key.decode()
                if key.startswith(_PREFIX):
                    self._judge(revision, key, before, items)

    def _judge(self, revision: int, key: str, before: dict[str, bytes], items: dict[str, bytes]) -> None:
        self.writes += 1
        written = items.get(key)
        if template_key("ha_interface_monitoring") not in items:
            return
        due = record_at_once(items, "ha_interface", f"{_CONFIGS}{key.removeprefix(_PREFIX)}")
        if (None if written is None else json.loads(written)) != due:
            self.wrong.append(f"revision {revision}: {key} became {written!r} where {due} was right")
        if written == before.get(key):
            self.twice.append(f"revision {revision}: {key} was {written!r} already")
