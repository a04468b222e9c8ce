"""The tree that a parameter mapping is compiled into: one frozen class an operator, with its evaluation.

Compiling is :mod:`ha_monitor.lang.mapping`'s. Every ``evaluate`` raises :class:`Problem` in words, and lets the
look-up's own exceptions pass. The words quote no value, which may be a secret; ids on a path are none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ha_monitor.errors import Problem
from ha_monitor.lang.arithmetic import kind
from ha_monitor.lang.ids import quote
from ha_monitor.lang.node import Hint, Node
from ha_monitor.lang.pattern import Pattern, matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ha_monitor.lang.catalog import Catalog
    from ha_monitor.lang.path import Path
    from ha_monitor.lang.scope import Scope

MAX_TEXT = 65_536
"""Characters that joined or matched text may have; chosen: the bound of a whole document."""


MAX_BITS = 1_024
"""Size of an integer that is joined as text; chosen."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the config that the path leads to, ``None`` where it has none; its relation is noted."""

    field: str
    path: Path | None = None

    def evaluate(self, scope: Scope) -> object:
        """Return the field's value."""
        if self.path is not None:
            end = self.path.end(scope)
            if end is None:
                return None
            scope = end
        value = scope.body.get(self.field)
        if isinstance(value, str):
            scope.refer(self.field, value)
        return value

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield what the path reads."""
        if self.path is not None:
            yield from self.path.hints(type_, catalog)

    def names(self) -> Iterator[str]:
        """Yield its name."""
        yield self.field


@dataclass(frozen=True, slots=True)
class Nested:
    """``config[a][b]…``, ``None`` where one of them has nothing; a number in ``keys`` is a place in a list."""

    keys: tuple[str | int, ...]
    path: Path | None = None

    def evaluate(self, scope: Scope) -> object:
        """Return the nested value."""
        end = scope if self.path is None else self.path.end(scope)
        value: object = None if end is None else end.body
        for key in self.keys:
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, (list, tuple)) and isinstance(key, int) and 0 <= key < len(value):
                value = value[key]
            else:
                return None
        return value

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield what the path reads."""
        if self.path is not None:
            yield from self.path.hints(type_, catalog)

    def names(self) -> Iterator[str]:
        """Yield the names on its way."""
        yield from (key for key in self.keys if isinstance(key, str))


@dataclass(frozen=True, slots=True)
class Output:
    """The stack output ``key`` of the resource that the path leads to, or of the own one."""

    key: str
    path: Path | None
    ignore_missing: bool

    def evaluate(self, scope: Scope) -> object:
        """Return the output's value."""
        place = (scope.type, scope.id) if self.path is None else self.path.last_key(scope)
        if place is None:
            return None
        outputs = scope.outputs(*place)
        if outputs is not None and self.key in outputs:
            return outputs[self.key]
        if self.ignore_missing:
            return None
        what = "no stack outputs" if outputs is None else f"no stack output {quote(self.key)}"
        raise Problem(f"{place[0]} {quote(place[1])} has {what}")

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield the stack outputs, and the configs on the way to them."""
        target: str | None = type_
        if self.path is not None:
            yield from self.path.hints(type_, catalog)
            target = self.path.end_type(type_, catalog)
        if target is not None:
            yield Hint("outputs", target)

    def names(self) -> Iterator[str]:
        """Yield its key."""
        yield self.key


@dataclass(frozen=True, slots=True)
class Literal:
    """A bare text where it stands for itself."""

    value: str

    def evaluate(self, scope: Scope) -> object:
        """Return the text."""
        return self.value

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield nothing."""
        yield from ()

    def names(self) -> Iterator[str]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Constant:
    """The site's value for a constant, else the constant itself."""

    value: object

    def evaluate(self, scope: Scope) -> object:
        """Return the value."""
        if isinstance(self.value, str):
            return scope.constants.get(self.value, self.value)
        return self.value

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield nothing."""
        yield from ()

    def names(self) -> Iterator[str]:
        """Yield the constant, where it may stand for a site's value."""
        if isinstance(self.value, str):
            yield self.value


@dataclass(frozen=True, slots=True)
class LeftToWorker:
    """``Vauto_filled``: a value that the worker of the entry fills in; ``None`` here."""

    def evaluate(self, scope: Scope) -> object:
        """Return ``None``."""
        return None

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield nothing."""
        yield from ()

    def names(self) -> Iterator[str]:
        """Yield nothing."""
        yield from ()


@dataclass(frozen=True, slots=True)
class _Compound:
    """An operator on other mappings."""

    parts: tuple[Node, ...]

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield what the parts read."""
        for part in self.parts:
            yield from part.hints(type_, catalog)

    def names(self) -> Iterator[str]:
        """Yield what the parts' values come from."""
        for part in self.parts:
            yield from part.names()


@dataclass(frozen=True, slots=True)
class Concatenate(_Compound):
    """The values joined as text: nothing for ``None``, numbers and booleans as Jinja2 prints them."""

    def evaluate(self, scope: Scope) -> object:
        """Return the joined text."""
        scope.step(len(self.parts))
        text = "".join(as_text(part.evaluate(scope)) for part in self.parts)
        _check_text(scope, text)
        return text


@dataclass(frozen=True, slots=True)
class Equal(_Compound):
    """Whether two values are the same JSON value."""

    def evaluate(self, scope: Scope) -> object:
        """Return the answer; a boolean never equals a number."""
        scope.step()
        left, right = (part.evaluate(scope) for part in self.parts)
        try:
            return left == right and isinstance(left, bool) == isinstance(right, bool)
        except RecursionError as error:
            raise Problem("the values to compare are nested too deep") from error


@dataclass(frozen=True, slots=True)
class Regexp(_Compound):
    """Whether the text of the first part starts with the pattern; ``fixed`` is the pattern where it is bare text."""

    fixed: Pattern | None

    def evaluate(self, scope: Scope) -> object:
        """Return the answer; ``None`` matches nothing."""
        scope.step()
        value, pattern = (part.evaluate(scope) for part in self.parts)
        if value is None:
            return False
        text = as_text(value)
        _check_text(scope, text)
        scope.step(len(text) // 64)
        if self.fixed is not None:
            return matches(self.fixed, text)
        if not isinstance(pattern, str):
            raise Problem(f"the pattern of regexp is {kind(pattern)}, not a text")
        return matches(scope.pattern(pattern), text)


@dataclass(frozen=True, slots=True)
class Choice(_Compound):
    """if, then, else: the parts in this order."""

    def evaluate(self, scope: Scope) -> object:
        """Return the value of the part that the condition chooses."""
        scope.step()
        condition, then, otherwise = self.parts
        return then.evaluate(scope) if condition.evaluate(scope) else otherwise.evaluate(scope)


@dataclass(frozen=True, slots=True)
class ForEach(_Compound):
    """The second part on each element of the first part's list; an absent list is an empty one."""

    def evaluate(self, scope: Scope) -> object:
        """Return the list of values."""
        elements, mapping = self.parts[0].evaluate(scope), self.parts[1]
        if elements is None:
            return []
        if not isinstance(elements, (list, tuple)):
            raise Problem(f"for_field gives {kind(elements)}, not a list")
        values = []
        for place, element in enumerate(elements, 1):
            scope.step()
            if not isinstance(element, Mapping):
                raise Problem(f"element {place} of for_field is {kind(element)}, not an object")
            values.append(mapping.evaluate(scope.at(scope.type, scope.id, element)))
        return values


def as_text(value: object) -> str:
    """Return a value as joined text shows it.

    Raises:
        Problem: it is a list, an object or an integer of more than 1024 bits.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float) or (isinstance(value, int) and value.bit_length() <= MAX_BITS):
        return str(value)
    raise Problem(f"{kind(value)} is no text to join")


def _check_text(scope: Scope, text: str) -> None:
    """Refuse a text that is too long, and count steps for a long one: a list of them must not eat the memory."""
    if len(text) > MAX_TEXT:
        raise Problem(f"a joined or matched text is longer than {MAX_TEXT} characters")
    scope.step(len(text) // 256)
