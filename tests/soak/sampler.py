"""Asks the services all the while, and holds each answer against etcd's history: none may be older than it says.

An answer claims to include all up to its ``revision``, and all that was there at ``proven_at``. So what it says of a
config and of a state has to be what stood there at one revision from then on until it was given.
"""

from __future__ import annotations

import bisect
import contextlib
import http
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc

from ha_monitor.text import parsed
from tests.soak.changes import CONFIGS, GATEWAY_CONFIGS, GATEWAYS, PAIRS
from tests.support.background import Background
from tests.support.etcd import Etcd
from tests.support.history import Judge
from tests.support.oracle import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from random import Random

    from tests.support.etcd import Items
    from tests.support.service import Service

EVERY = 0.1
"""Seconds between two samples: ten a second."""

STALE_AFTER = 12.0
"""The setting's default; older answers are not ready."""

SLACK = 1.0
"""Seconds by which a process that is not scheduled may say so later."""

UNNOTICED = 10.0
"""Seconds in which a store that was replaced by another one may go unnoticed."""

ANSWER = 2.0
"""Seconds that an answer may take; one that takes longer is no sample: its service was frozen, say."""


class Timeline(Judge):
    """What each key was at each revision, and when a revision was known to be there."""

    def __init__(self, items: Items, clock: Callable[[], float] = time.time) -> None:
        """Begin with what stood there.

        :param clock: gives the time, in seconds since the epoch.
        """
        self._clock = clock
        self._values: dict[str, list[tuple[int, bytes | None]]] = {key: [(0, value)] for key, value in items.items()}
        self._revisions: list[int] = [0]
        self._seen: list[float] = [0.0]
        super().__init__(items)

    def take(self, revision: int, events: Iterable[Any]) -> None:
        """Take the events of one revision."""
        events = list(events)
        for event in events:
            value = None if event.type else bytes(event.kv.value)
            self._values.setdefault(event.kv.key.decode(), [(0, None)]).append((revision, value))
        super().take(revision, events)
        self._revisions.append(revision)
        self._seen.append(self._clock())

    def known_at(self, when: float) -> int:
        """Give a revision that was there at a time, in seconds since the epoch."""
        return self._revisions[bisect.bisect_left(self._seen, when) - 1] if when > 0 else 0

    def stood(self, key: str, since: int, until: int) -> set[bytes | None]:
        """Give what a key was at any revision from one to another."""
        values = self._values.get(key, [(0, None)])
        first = max(bisect.bisect_right(values, since, key=lambda each: each[0]) - 1, 0)
        return {value for revision, value in values[first:] if revision <= until}


class Sample(NamedTuple):
    """What was asked and answered: ``ready``: ``/readyz`` said so before and afterwards."""

    before: float
    ready: bool
    config: str
    answer: dict[str, Any]
    probe: dict[str, Any]
    until: int
    """etcd's revision afterwards."""


class Sampler:
    """Asks in a thread. The figures are counts of samples."""

    def __init__(self, etcd: Etcd, services: Callable[[], Sequence[Service]], random: Random) -> None:
        """Begin."""
        self.samples = 0
        self.unready = 0
        self._etcd = Etcd(port=etcd.port)
        self._services = services
        self._random = random
        self._taken: list[Sample] = []
        self._from = 0.0
        self._thread = Background(self._sample, EVERY)
        self._thread.begin()

    def end(self) -> None:
        """Ask no more."""
        self._thread.end()
        self._etcd.close()

    def another_history(self) -> None:
        """Drop what was asked so far, and ask again once every service has to know that the store is another one."""
        self._from = time.time() + UNNOTICED
        self._taken = []

    def _sample(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, grpc.RpcError, ValueError):
            self._ask(self._random.choice(self._services()))

    def _ask(self, service: Service) -> None:
        type_, id_, config = self._any()
        before = time.time()
        ready = service.get("/readyz", ANSWER)[0]
        status, body = service.get(f"/api/v1/resources/{type_}/{id_}", ANSWER)
        probe = json.loads(service.get(f"/probe/{type_}/{id_}", ANSWER)[1])
        ready_after = service.get("/readyz", ANSWER)[0]
        until = self._etcd.revision()
        if status == http.HTTPStatus.OK and "ok" in probe and before >= self._from:
            is_ready = ready == ready_after == http.HTTPStatus.OK
            self._taken.append(Sample(before, is_ready, config, json.loads(body), probe, until))

    def _any(self) -> tuple[str, str, str]:
        if self._random.random() < 0.8:
            number = self._random.randrange(PAIRS)
            return "ha_interface", f"ha{number}", f"{CONFIGS}ha{number}"
        number = self._random.randrange(GATEWAYS)
        return "vpn_gateway", f"vpn{number}", f"{GATEWAY_CONFIGS}vpn{number}"

    def wrong(self, timeline: Timeline) -> list[str]:
        """Hold what was answered since the last time against history, which is known up to now."""
        taken, self._taken = self._taken, []
        taken = [sample for sample in taken if sample.before >= self._from]
        self.samples += len(taken)
        self.unready += sum(not sample.ready for sample in taken)
        return [f"{words}: {sample}" for sample in taken for words in untrue(sample, timeline)]


def untrue(sample: Sample, timeline: Timeline) -> Iterable[str]:
    """Say what of an answer was not so at any revision that it may be of."""
    answer, until = sample.answer, sample.until
    proven_at = 0.0 if answer["proven_at"] is None else parsed(answer["proven_at"]).timestamp()
    since = max(answer["revision"], timeline.known_at(proven_at))
    if sample.ready and proven_at < sample.before - STALE_AFTER - SLACK:
        yield f"ready, and not confirmed for {sample.before - proven_at:.1f} s"
    if answer["problem"] is not None:
        return  # the last version that could be used goes on, whenever that was
    configs = [json.loads(value) for value in timeline.stood(sample.config, since, until) if value is not None]
    if answer["version"] not in {config["version"] for config in configs}:
        yield f"no config of version {answer['version']} from revision {since} to {until}"
    for entry in answer["entries"].values():
        statuses = {status_of(value) for value in timeline.stood(entry["key"], since, until)}
        status = "FAIL" if entry["status"] == "UNKNOWN" else entry["status"]  # which it is before its timeout
        if status not in statuses:
            yield f"{entry['key']} was {statuses} and not {status} from revision {since} to {until}"
    if sample.ready and sample.probe["ok"] and not sample.probe["stale"]:
        since = min(since, timeline.known_at(sample.before - STALE_AFTER - SLACK))
        keys = [entry["key"] for entry in answer["entries"].values()]
        if not any("UP" in {status_of(value) for value in timeline.stood(key, since, until)} for key in keys):
            yield f"the probe said {sample.probe}, and nothing was UP from revision {since} to {until}"
