"""Evaluates a site before and after a change of its keys, each to where nothing changes any more by itself.

Records that are published are states of others: a vpn_gateway reads its ha_interface's. So each evaluation is done
again, on the records that it would publish, for as long as anybody reads one that has become another.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from ha_monitor.monitor import HaMonitor
from ha_monitor.plan.report import Plan, compared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.publish.settled import Outcome, Settled
    from ha_monitor.settings import Settings
    from ha_monitor.watch.snapshot import Snapshot

ROUNDS = 32
"""Evaluations after which records that still change are taken for a circle. Chosen: eight times the longest chain of
types that read each other's records."""


class _Site(NamedTuple):
    """What a site comes to.

    ``published`` are the keys of the records that are ours, by type and id; ``problems`` the words of templates that
    can't be used; ``restless`` the keys of records that go on changing each other.
    """

    outcomes: Mapping[tuple[str, str], Outcome]
    keys: Snapshot
    problems: Mapping[str, str]
    prefixes: frozenset[str]
    restless: frozenset[bytes]

    @property
    def published(self) -> Mapping[tuple[str, str], bytes]:
        return {name: outcome.record_key for name, outcome in self.outcomes.items() if outcome.published}


async def plan(settings: Settings, keys: Snapshot, changes: Mapping[str, bytes | None]) -> Plan:
    """Tell what would be otherwise if keys were put (``None``: deleted)."""
    by_key = {key.encode("utf-8", "surrogateescape"): value for key, value in changes.items()}
    keyspace = settings.keyspace
    before = await _settle(settings, keys, {})
    changed = before.keys.after(by_key)
    # A record that the change writes is another hand's: where none is due any longer, it stays.
    ours = {name: key for name, key in before.published.items() if changed.value(key) == before.keys.value(key)}
    after = await _settle(settings, changed, ours)
    return Plan(
        differences=compared(before.outcomes, after.outcomes, before.keys, after.keys),
        problems={
            name: (before.problems.get(name), after.problems.get(name))
            for name in sorted({*before.problems, *after.problems})
            if before.problems.get(name) != after.problems.get(name)
        },
        resources=len(before.outcomes.keys() | after.outcomes.keys()),
        state_timeout=settings.state_timeout,
        no_effect=[
            key
            for key in changes
            if not (keyspace.is_among(key, before.prefixes | after.prefixes) or keyspace.is_maintenance(key))
        ],
        no_change=[key for key, value in zip(changes, by_key.items(), strict=True) if keys.value(value[0]) == value[1]],
        restless=sorted(key.decode("utf-8", "surrogateescape") for key in before.restless | after.restless),
    )


async def _settle(settings: Settings, keys: Snapshot, ours: Mapping[tuple[str, str], bytes]) -> _Site:
    """Evaluate until nobody reads a record any more that has become another.

    :param ours: the records that were published before, which go where none is due any longer and nobody froze them.
    """
    restless: frozenset[bytes] = frozenset()
    for _ in range(ROUNDS):
        settled, prefixes, problems = await _evaluate(settings, keys)
        gc.collect()  # a monitor that has ended hangs together in circles: of 100,000 resources, 400 MB each round
        outcomes, records = dict(settled.outcomes), dict(settled.records)
        for name, key in ours.items():
            outcome = outcomes.get(name)
            if name not in settled.frozen and (outcome is None or not outcome.published):
                records[key] = None
                if outcome is not None:
                    outcomes[name] = replace(outcome, record=None)
        changed = {key: value for key, value in records.items() if keys.value(key) != value}
        keys = keys.after(changed) if changed else keys
        restless = settled.reads.intersection(changed)
        if not restless:
            break
    return _Site(outcomes, keys, problems, prefixes, restless)


async def _evaluate(settings: Settings, keys: Snapshot) -> tuple[Settled, frozenset[str], Mapping[str, str]]:
    """Evaluate once: what all comes to, the prefixes that are watched, and the problems of templates."""
    async with HaMonitor(settings, keys=keys) as monitor:
        await monitor.synced()
        problems = {where: words for where, words in monitor.problems() if where.startswith("template ")}
        return monitor.settled(), monitor.prefixes, problems
