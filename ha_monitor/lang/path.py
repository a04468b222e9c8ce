"""Following foreign keys: the ``path`` of a mapping, step by step from config to config."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import check_id, cut, id_text, quote
from ha_monitor.lang.node import Hint, Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ha_monitor.lang.catalog import Catalog
    from ha_monitor.lang.scope import Scope

HOW_TO_TELL = 'tell it by a schema file (--schema-file), or in the path as {"id": "<field>", "type": "<type>"}'
"""What a problem about an unknown relation ends with."""


@dataclass(frozen=True, slots=True)
class Step:
    """One foreign key: the field that holds the id, and the type it points to (``None``: by its relation).

    ``field`` is a field's name, or a mapping whose value is one.
    """

    field: str | Node
    type: str | None

    def name(self, scope: Scope) -> str:
        """Return the name of the field that holds the id."""
        if isinstance(self.field, str):
            return self.field
        name = self.field.evaluate(scope)
        if not isinstance(name, str) or not name:
            raise Problem(f"a step of the path gives {quote(name)}, not the name of a field of {scope.type}")
        return name

    def target(self, type_: str, field: str, catalog: Catalog) -> str:
        """Return the type that ``field`` of ``type_`` points to."""
        target = self.type or catalog.relation(type_, field)
        if target is None:
            raise Problem(f"nobody knows what {type_}.{cut(field)} points to: {HOW_TO_TELL}")
        return target


@dataclass(frozen=True, slots=True)
class Path:
    """The steps of a mapping's path, and whether a missing target gives ``None`` rather than a problem."""

    steps: tuple[Step, ...]
    ignore_missing: bool

    def end(self, scope: Scope) -> Scope | None:
        """Return the place that the path leads to; ``None`` where a target is missing and that is to be ignored.

        Raises:
            Problem: a foreign key is null, no id or of an unknown relation, or its target is not there.
        """
        place = scope
        for step in self.steps:
            key = self._key(step, place)
            if key is None:
                return None
            body = place.config(*key)
            if body is None:
                if self.ignore_missing:
                    return None
                raise Problem(f"{key[0]} {quote(key[1])} is not there")
            place = place.at(*key, body)
        return place

    def last_key(self, scope: Scope) -> tuple[str, str] | None:
        """Return type and id that the path leads to, without reading the last config; ``None`` as of :meth:`end`."""
        place = Path(self.steps[:-1], self.ignore_missing).end(scope)
        return None if place is None else self._key(self.steps[-1], place)

    def _key(self, step: Step, place: Scope) -> tuple[str, str] | None:
        """Return type and id that one step points to."""
        field = step.name(place)
        target = step.target(place.type, field, place.catalog)
        value = place.body.get(field)
        if value is None or value == "":
            if self.ignore_missing:
                return None
            nothing = "null" if value is None else "empty"
            raise Problem(f"{cut(field)} of {place.type} {quote(place.id)} is {nothing}")
        try:
            text = id_text(value)
            check_id(text)
        except Problem as problem:
            raise Problem(f"{cut(field)} of {place.type} {quote(place.id)}: {problem}") from problem
        return target, text

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield the configs that the path reads, up to the first step that only values decide."""
        for step in self.steps:
            if not isinstance(step.field, str):
                yield from step.field.hints(type_, catalog)
            target = step.type
            if target is None and isinstance(step.field, str):
                target = catalog.relation(type_, step.field)
            if target is None:
                return
            yield Hint("config", target)
            type_ = target

    def end_type(self, type_: str, catalog: Catalog) -> str | None:
        """Return the type that the path ends at as far as its text alone tells."""
        here: str | None = type_
        for step in self.steps:
            if step.type is not None:
                here = step.type
            elif here is not None and isinstance(step.field, str):
                here = catalog.relation(here, step.field)
            else:
                here = None
        return here
