"""The filters, tests and methods that a template may use: all there are, each bounded in time and in its result.

A filter is ``function(fuel, value, *arguments)``. ``default`` and the tests ``defined`` and ``undefined`` are not
here: they are about names, and :mod:`ha_monitor.lang.expressions` knows those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ha_monitor.errors import Problem
from ha_monitor.lang.arithmetic import compare, kind
from ha_monitor.lang.fuel import Fuel
from ha_monitor.lang.pattern import matches

_MATCH_STEP = 16  # characters that the slowest patterns match in the time of about one step; measured


def elements(fuel: Fuel, value: object) -> list[Any]:
    """Return the elements that a loop or a list filter sees: of a list, the keys of an object, letters of a text."""
    if value is None or not isinstance(value, (str, list, tuple, range, Mapping)):
        raise Problem(f"{kind(value)} has no elements")
    fuel.items(len(value))
    return list(value)


def _replace(fuel: Fuel, value: object, old: object, new: object, count: int | None = None) -> str:
    text, search, put = fuel.text(value), fuel.text(old), fuel.text(new)
    found = text.count(search) if count is None else min(max(count, 0), text.count(search))
    fuel.room(len(text) + found * (len(put) - len(search)))
    return fuel.made(text.replace(search, put, found))


def _match(fuel: Fuel, value: object, pattern: object) -> bool:
    if not isinstance(pattern, str):
        raise Problem(f"match takes a pattern in quotes, not {kind(pattern)}")
    compiled, text = fuel.pattern(pattern), fuel.text(value)
    fuel.spend(len(text) // _MATCH_STEP)
    return value is not None and matches(compiled, text)


def _join(fuel: Fuel, value: object, between: object = "") -> str:
    parts, separator = elements(fuel, value), fuel.text(between)
    texts: list[str] = []
    size = 0
    for part in parts:
        texts.append(fuel.text(part))
        size += len(texts[-1]) + len(separator)
        fuel.room(size - len(separator))
    return fuel.made(separator.join(texts))


def _int(fuel: Fuel, value: object, default: int = 0) -> int:
    fuel.weigh(value)
    try:
        number = int(value) if isinstance(value, (int, float)) else int(str(value)[:40])
    except (ValueError, OverflowError):
        return default
    if number.bit_length() > 63:
        raise Problem("a number grows too large")
    return number


def _float(fuel: Fuel, value: object, default: float = 0.0) -> float:
    fuel.weigh(value)
    try:
        return float(value) if isinstance(value, (int, float)) else float(str(value)[:400])
    except (ValueError, OverflowError):
        return default


def _round(fuel: Fuel, value: object, precision: int = 0) -> float:
    fuel.spend(1)
    if not isinstance(value, (int, float)) or not isinstance(precision, int) or abs(precision) > 30:
        raise Problem(f"round works on a number and up to 30 places, not on {kind(value)}")
    return round(float(value), precision)


def _abs(fuel: Fuel, value: object) -> object:
    fuel.spend(1)
    if not isinstance(value, (int, float)):
        raise Problem(f"abs works on a number, not on {kind(value)}")
    return abs(value)


def _length(fuel: Fuel, value: object) -> int:
    if not isinstance(value, (str, list, tuple, range, Mapping)):
        raise Problem(f"{kind(value)} has no length")
    fuel.spend(1)
    return len(value)


def _sort(fuel: Fuel, value: object, reverse: bool = False) -> list[Any]:
    items = elements(fuel, value)
    fuel.weigh(items)
    fuel.spend(len(items) * len(items).bit_length() // 4)
    try:
        return sorted(items, key=lambda item: item.lower() if isinstance(item, str) else item, reverse=bool(reverse))
    except TypeError as error:
        raise Problem("sort works on elements of one kind") from error


def _unique(fuel: Fuel, value: object) -> list[Any]:
    seen: list[Any] = []
    for item in elements(fuel, value):
        if not compare(fuel, "in", item, seen):
            seen.append(item)
    return seen


def _first(fuel: Fuel, value: object) -> object:
    return _one(elements(fuel, value), 0)


def _last(fuel: Fuel, value: object) -> object:
    return _one(elements(fuel, value), -1)


def _one(items: list[Any], place: int) -> object:
    if not items:
        raise Problem("an empty list has no first and no last element")
    return items[place]


def _extreme(choose: Callable[[Iterable[Any]], object]) -> Callable[[Fuel, object], object]:
    def extreme(fuel: Fuel, value: object) -> object:
        items = elements(fuel, value)
        fuel.weigh(items)
        try:
            return choose(items)
        except (TypeError, ValueError) as error:
            raise Problem("min and max work on some elements of one kind") from error

    return extreme


def _reverse(fuel: Fuel, value: object) -> object:
    items = elements(fuel, value)[::-1]
    return "".join(items) if isinstance(value, str) else items


def _split(fuel: Fuel, value: object, separator: str | None = None, most: int = -1) -> list[str]:
    parts = fuel.text(value).split(separator, most)
    fuel.items(len(parts))
    return parts


def _of_text(function: Callable[..., object]) -> Callable[..., object]:
    """Make a filter of a method of ``str`` whose result is no longer than twice the text and its arguments."""

    def run(fuel: Fuel, value: object, *arguments: object) -> object:
        result = function(fuel.text(value), *arguments)
        return fuel.made(result) if isinstance(result, str) else result

    return run


def _test(function: Callable[..., object]) -> Callable[..., bool]:
    """Make a test of a predicate that takes no time."""

    def run(fuel: Fuel, *arguments: object) -> bool:
        fuel.spend(1)
        return bool(function(*arguments))

    return run


def _comparison(name: str) -> Callable[[Fuel, object, object], bool]:
    return lambda fuel, left, right: compare(fuel, name, left, right)


FILTERS: dict[str, Callable[..., object]] = {
    "abs": _abs,
    "capitalize": _of_text(str.capitalize),
    "count": _length,
    "first": _first,
    "float": _float,
    "int": _int,
    "join": _join,
    "last": _last,
    "length": _length,
    "list": elements,
    "lower": _of_text(str.lower),
    "match": _match,
    "max": _extreme(max),
    "min": _extreme(min),
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "sort": _sort,
    "split": _split,
    "string": Fuel.text,
    "title": _of_text(str.title),
    "trim": _of_text(str.strip),
    "unique": _unique,
    "upper": _of_text(str.upper),
}
"""Every filter by name, ``default`` apart."""

TESTS: dict[str, Callable[..., bool]] = {
    "boolean": _test(lambda value: isinstance(value, bool)),
    "divisibleby": _test(lambda value, by: value % by == 0),
    "even": _test(lambda value: value % 2 == 0),
    "false": _test(lambda value: value is False),
    "float": _test(lambda value: isinstance(value, float)),
    "in": _comparison("in"),
    "integer": _test(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "iterable": _test(lambda value: isinstance(value, (str, list, tuple, range, Mapping))),
    "mapping": _test(lambda value: isinstance(value, Mapping)),
    "match": _match,
    "none": _test(lambda value: value is None),
    "number": _test(lambda value: isinstance(value, (int, float))),
    "odd": _test(lambda value: value % 2 == 1),
    "sequence": _test(lambda value: isinstance(value, (str, list, tuple, range, Mapping))),
    "string": _test(lambda value: isinstance(value, str)),
    "true": _test(lambda value: value is True),
}
"""Every test by name, ``defined`` and ``undefined`` apart."""

for _names, _operator in (
    (("==", "eq", "equalto"), "eq"),
    (("!=", "ne"), "ne"),
    ((">", "gt", "greaterthan"), "gt"),
    ((">=", "ge"), "gteq"),
    (("<", "lt", "lessthan"), "lt"),
    (("<=", "le"), "lteq"),
):
    TESTS.update(dict.fromkeys(_names, _comparison(_operator)))

_TEXT_METHODS: dict[str, Callable[..., object]] = {
    "endswith": _of_text(str.endswith),
    "isdigit": _of_text(str.isdigit),
    "lower": _of_text(str.lower),
    "lstrip": _of_text(str.lstrip),
    "replace": _replace,
    "rstrip": _of_text(str.rstrip),
    "split": _split,
    "startswith": _of_text(str.startswith),
    "strip": _of_text(str.strip),
    "upper": _of_text(str.upper),
}

_OBJECT_METHODS: dict[str, Callable[..., object]] = {
    "get": lambda fuel, value, key, default=None: value.get(key, default),
    "items": lambda fuel, value: [(key, value[key]) for key in elements(fuel, value)],
    "keys": lambda fuel, value: elements(fuel, value),
    "values": lambda fuel, value: [value[key] for key in elements(fuel, value)],
}


def method(value: object, name: str) -> Callable[..., object]:
    """Return the method ``name`` of a text or an object, as a filter.

    Raises:
        Problem: there is none of that name here.
    """
    table = _TEXT_METHODS if isinstance(value, str) else _OBJECT_METHODS if isinstance(value, Mapping) else {}
    found = table.get(name)
    if found is None:
        raise Problem(f"{kind(value)} has no method {name!r} here")
    return found
