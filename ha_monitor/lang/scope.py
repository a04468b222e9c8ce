"""What a parameter mapping is evaluated in: one resource, what it may look up, and a note of all that it read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import check_id, is_id
from ha_monitor.lang.pattern import compile_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.lang.catalog import Catalog
    from ha_monitor.lang.pattern import Pattern

MAX_STEPS = 10_000
"""Look-ups, list elements and joined texts of one resource; chosen: 100 times what real ones need."""

MAX_TYPES = 64
"""Types that one resource reads of, or one template names: each is a prefix that is watched from then on. Chosen: ten
times what real ones need."""

_PATTERN_STEPS = 10  # steps that compiling one character of a pattern takes; measured on the slowest


class Ref(NamedTuple):
    """A key in the abstract: the config or the stack outputs of one resource."""

    kind: Literal["config", "outputs"]
    type: str
    id: str


class Lookup(Protocol):
    """Where mappings find other resources.

    Either method may raise an exception of its own class, other than :class:`Problem`, to say that it does not
    know *yet*; it passes through the language untouched.
    """

    def config(self, type_: str, id_: str) -> Mapping[str, object] | None:
        """Return the body of the resource's config; ``None`` where there is no such resource."""

    def outputs(self, type_: str, id_: str) -> Mapping[str, object] | None:
        """Return the resource's stack outputs as ``{output_key: output_value}``; ``None`` where there is no stack."""


class Scope:
    """One resource under evaluation, and at the same time the place in it that a mapping looks at.

    ``type``, ``id`` and ``body`` are of the place; :meth:`at` moves it to another. ``reads`` holds, in order, every
    config and stack output that was read *or looked for and not found*, the own config left out; ``refers`` the
    configs that a field's id points to by its relation, without being read. All places of an evaluation share both.
    """

    __slots__ = (
        "_begin",
        "_patterns",
        "_steps",
        "_types",
        "body",
        "catalog",
        "constants",
        "id",
        "lookup",
        "reads",
        "refers",
        "type",
    )

    def __init__(
        self,
        type_: str,
        id_: str,
        body: Mapping[str, object],
        lookup: Lookup,
        catalog: Catalog,
        constants: Mapping[str, object],
    ) -> None:
        self.type = type_
        self.id = id_
        self.body = body
        self.lookup = lookup
        self.catalog = catalog
        self.constants = constants
        self.reads: dict[Ref, None] = {}
        self.refers: dict[Ref, None] = {}
        self._begin: Scope | None = None  # not itself: each evaluation would be a cycle that the collector has to find
        self._steps = MAX_STEPS
        self._types: set[str] | None = None
        self._patterns: dict[str, Pattern] | None = None

    def at(self, type_: str, id_: str, body: Mapping[str, object]) -> Scope:
        """Return the same evaluation at another place: a related resource, or an element of a list."""
        other = Scope(type_, id_, body, self.lookup, self.catalog, self.constants)
        other.reads, other.refers, other._begin = self.reads, self.refers, self._root
        return other

    @property
    def _root(self) -> Scope:
        """Where the evaluation began."""
        return self if self._begin is None else self._begin

    def step(self, count: int = 1) -> None:
        """Count steps of the evaluation.

        Raises:
            Problem: the evaluation took more than 10,000 steps.
        """
        root = self._root
        root._steps -= count
        if root._steps < 0:
            raise Problem(f"the mappings take more than {MAX_STEPS} steps")

    def pattern(self, text: str) -> Pattern:
        """Return a compiled pattern; it costs steps the first time.

        Raises:
            Problem: it is none, or no steps are left.
        """
        patterns = self._root._patterns
        if patterns is None:
            patterns = self._root._patterns = {}
        if text not in patterns:
            self.step(len(text) * _PATTERN_STEPS)
            try:
                patterns[text] = compile_pattern(text)
            except Problem as problem:  # whose words quote a value
                raise Problem("the pattern of regexp is wrong") from problem
        return patterns[text]

    def config(self, type_: str, id_: str) -> Mapping[str, object] | None:
        """Return the config of a resource and note that it was read; the own one is at hand and not noted.

        Raises:
            Problem: the type can't be one, or there are more than 64.
        """
        self.step()
        root = self._root
        if type_ == root.type and id_ == root.id:
            return root.body
        root._read_of(type_)
        self.reads[Ref("config", type_, id_)] = None
        return self.lookup.config(type_, id_)

    def outputs(self, type_: str, id_: str) -> Mapping[str, object] | None:
        """Return the stack outputs of a resource and note that they were read; raises as :meth:`config`."""
        self.step()
        self._root._read_of(type_)
        self.reads[Ref("outputs", type_, id_)] = None
        return self.lookup.outputs(type_, id_)

    def _read_of(self, type_: str) -> None:
        """Count a type; raises ``Problem`` where there are too many, or it can be no part of a key."""
        types = self._types
        if types is None:
            types = self._types = set()
        if type_ not in types:
            check_id(type_)
            if len(types) == MAX_TYPES:
                raise Problem(f"the mappings read of more than {MAX_TYPES} types")
            types.add(type_)

    def refer(self, field: str, value: str) -> None:
        """Note that ``field`` of this place points to a resource, if its relation is known and ``value`` is an id."""
        target = self.catalog.relation(self.type, field)
        if target is not None and is_id(value):
            self.refers[Ref("config", target, value)] = None
