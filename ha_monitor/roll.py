"""The roll: all resources in one order, each at a glance, for faces that show many of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ha_monitor.clock import Clock
    from ha_monitor.evaluate.fleet import Fleet
    from ha_monitor.evaluate.unit import Unit
    from ha_monitor.sight import Sight

Order: TypeAlias = Literal["health", "name"]

STILL_GOOD = 0.25
"""Seconds for which an answer is given again though resources have changed: at 50,000, each takes 20 ms to find."""

LONGEST = 5.0
"""Seconds after which it is found anew though none has: a conflict is over when nothing has happened for a while."""

_KEPT = 32  # answers; each is of another question
_RANKS = {code: rank for rank, code in enumerate("XPSD?U")}


class _Question(NamedTuple):
    type: str | None
    status: str | None
    q: str
    order: Order
    codes: str


class _Answer(NamedTuple):
    generation: int
    at: float
    found: Sequence[tuple[str, str]]


class Roll:
    """Finds resources; what is found are pairs of type and id."""

    def __init__(
        self,
        fleet: Fleet,
        sight: Sight,
        clock: Clock,
        generation: Callable[[], int],
        trouble: Callable[[Unit], bool],
    ) -> None:
        """Prepare.

        :param sight: tells what is said of a type that has been stale for too long.
        :param generation: gives another number whenever a resource is another one.
        :param trouble: tells whether a resource's record can't be written, or another writer changes it.
        """
        self._fleet = fleet
        self._sight = sight
        self._clock = clock
        self._generation = generation
        self._trouble = trouble
        self._members = -1
        self._sorted: list[Unit] = []
        self._answers: dict[_Question, _Answer] = {}

    def _units(self) -> list[Unit]:
        if self._members != self._fleet.members:
            self._members = self._fleet.members
            units = (unit for family in self._fleet.families.values() for unit in family.units.values())
            self._sorted = sorted(units, key=lambda unit: (unit.family.type, unit.name, unit.resource_id))
        return self._sorted

    def find(
        self,
        type_: str | None = None,
        status: str | None = None,
        q: str = "",
        order: Order = "name",
        codes: str = "",
    ) -> Sequence[tuple[str, str]]:
        """Give the resources that match, at most :data:`LONGEST` old, and :data:`STILL_GOOD` where something changed.

        :param status: a resource's status, or ``PROBLEM``.
        :param q: text that is in the name, the id, the type or the problem.
        :param codes: letters of :meth:`codes`; empty: all.
        :param order: ``name``: by type, name and id; ``health``: down first, then problems, failovers, the rest.
        """
        question = _Question(type_, status, q.lower(), order, codes)
        generation, now = self._generation(), self._clock.monotonic()
        answer = self._answers.get(question)
        if answer is not None and now - answer.at < (LONGEST if answer.generation == generation else STILL_GOOD):
            return answer.found
        instead = self._instead()
        found = [unit for unit in self._units() if self._matches(unit, question, instead)]
        if order == "health":
            # stable: within a rank by type, name and id
            found.sort(key=lambda unit: _RANKS[self._glance(unit, instead)])
        pairs = [(unit.family.type, unit.resource_id) for unit in found]
        if len(self._answers) >= _KEPT:
            self._answers.clear()
        self._answers[question] = _Answer(generation, now, pairs)
        return pairs

    def codes(self) -> Sequence[tuple[str, str]]:
        """Give each type with one letter for each of its resources, in the order of ``name``.

        U up, S failover (degraded, and not the first entry is active), D degraded, X down, ? unknown, P problem.
        """
        by_type: dict[str, list[str]] = {}
        instead = self._instead()
        for unit in self._units():
            by_type.setdefault(unit.family.type, []).append(self._glance(unit, instead))
        return [(type_, "".join(codes)) for type_, codes in by_type.items()]

    def summary(self) -> dict[str, dict[str, int]]:
        """Count the resources of each type by status, every status named."""
        counts: dict[str, dict[str, int]] = {}
        instead = self._instead()
        for type_, family in sorted(self._fleet.families.items()):
            of_type = dict.fromkeys((status.value for status in Status if status is not Status.FAIL), 0)
            if type_ in instead:
                of_type[instead[type_].value] = len(family.units)
            else:
                for unit in family.units.values():
                    of_type[unit.status.value] += 1
            counts[type_] = of_type
        return counts

    def problems(self) -> dict[str, int]:
        """Count the resources with a problem, by type."""
        return {
            type_: sum(self._has_problem(unit) for unit in family.units.values())
            for type_, family in sorted(self._fleet.families.items())
        }

    def _instead(self) -> dict[str, Status]:
        """Give what is said of all resources of a type in the place of their last verdicts, where it is."""
        seen = {type_: self._sight.of(family).instead for type_, family in self._fleet.families.items()}
        return {type_: status for type_, status in seen.items() if status is not None}

    def _has_problem(self, unit: Unit) -> bool:
        return unit.problem is not None or self._trouble(unit)

    def _matches(self, unit: Unit, question: _Question, instead: Mapping[str, Status]) -> bool:
        if question.type is not None and unit.family.type != question.type:
            return False
        if question.status == "PROBLEM":
            if not self._has_problem(unit):
                return False
        elif question.status is not None and instead.get(unit.family.type, unit.status).value != question.status:
            return False
        if question.codes and self._glance(unit, instead) not in question.codes:
            return False
        q = question.q
        return (
            not q
            or q in unit.resource_id.lower()
            or q in unit.name.lower()
            or q in unit.family.type
            or (unit.problem is not None and q in unit.problem.lower())
        )

    def _glance(self, unit: Unit, instead: Mapping[str, Status]) -> str:
        if self._has_problem(unit):
            return "P"
        if unit.family.type in instead:
            return "X" if instead[unit.family.type] is Status.DOWN else "?"
        if unit.status is Status.UP:
            return "U"
        if unit.status is Status.DEGRADED:
            return "D" if unit.active == unit.entries[0].name else "S"
        return "X" if unit.status is Status.DOWN else "?"
