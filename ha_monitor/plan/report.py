"""What a plan consists of: the differences between two evaluations. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.publish.settled import Outcome
    from ha_monitor.watch.snapshot import Snapshot


class Difference(Struct, frozen=True):
    """A resource that would be another one; ``None`` for a side: it is not there. The records: what stands there."""

    type: str
    id: str
    name: str
    before: Outcome | None
    after: Outcome | None
    record_before: bytes | None
    record_after: bytes | None


class Plan(Struct, frozen=True):
    """What would be otherwise.

    ``problems``: of templates, each before and after. ``no_effect`` are keys that nobody watches, ``no_change`` those
    that are so already, ``restless`` the records that would go on changing each other.
    """

    differences: Sequence[Difference]
    problems: Mapping[str, tuple[str | None, str | None]]
    resources: int
    state_timeout: float
    no_effect: Sequence[str]
    no_change: Sequence[str]
    restless: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether nothing would be otherwise."""
        return not (self.differences or self.problems)


def compared(
    before: Mapping[tuple[str, str], Outcome],
    after: Mapping[tuple[str, str], Outcome],
    keys_before: Snapshot,
    keys_after: Snapshot,
) -> Sequence[Difference]:
    """Give the resources that differ in status, active side, problem, an entry's status, or the record that stands."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        either = old or new
        assert either is not None  # noqa: S101 - it is in one of them
        records = keys_before.value(either.record_key), keys_after.value(either.record_key)
        if records[0] != records[1] or _seen(old) != _seen(new):
            shown = (new or either).name
            found.append(Difference(*name, shown, old, new, *records))
    return found


def _seen(outcome: Outcome | None) -> object:
    """Give what others see of a resource, its record left out."""
    if outcome is None:
        return None
    entries = [(name, entry.status) for name, entry in outcome.entries.items()]
    return outcome.status, outcome.active, outcome.problem, entries
