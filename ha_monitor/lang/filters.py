"""The filters and methods that a template may use: all there are, each bounded in time and in its result.

A filter is ``function(fuel, value, *arguments)``. It gives what Jinja2's of that name gives, with arguments of the same
names, or a problem. ``default`` is not here: it is about names, and :mod:`ha_monitor.lang.calls` knows it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from ha_monitor.errors import Problem
from ha_monitor.lang.arithmetic import compare, kind
from ha_monitor.lang.fuel import MAX_BITS, Fuel
from ha_monitor.lang.pattern import matches

_MATCH_STEP = 16  # characters that the slowest patterns match in the time of about one step; measured
_MAX_NUMBER = 400  # characters of a text that is read as a number; chosen: more than the longest float takes
_WORDS = re.compile(r"([-\s({\[<]+)")


def elements(fuel: Fuel, value: object) -> list[Any]:
    """Return the elements that a loop or a list filter sees: of a list, the keys of an object, letters of a text."""
    if value is None or not isinstance(value, (str, list, tuple, range, Mapping)):
        raise Problem(f"{kind(value)} has no elements")
    fuel.items(len(value))
    return list(value)


def _replace(fuel: Fuel, value: object, old: object, new: object, count: int | None = None) -> str:
    text, search, put = fuel.text(value), fuel.text(old), fuel.text(new)
    found = text.count(search)
    if count is not None and count >= 0:
        found = min(count, found)
    fuel.room(len(text) + found * (len(put) - len(search)))
    return fuel.made(text.replace(search, put, found))


def match(fuel: Fuel, value: object, pattern: object) -> bool:
    """Tell whether a text starts with a pattern, as a filter and as a test; nothing starts with none."""
    if not isinstance(pattern, str):
        raise Problem(f"match takes a pattern in quotes, not {kind(pattern)}")
    compiled, text = fuel.pattern(pattern), fuel.text(value)
    fuel.spend(len(text) // _MATCH_STEP)
    return value is not None and matches(compiled, text)


def _join(fuel: Fuel, value: object, d: object = "") -> str:
    parts, separator = elements(fuel, value), fuel.text(d)
    texts: list[str] = []
    size = 0
    for part in parts:
        texts.append(fuel.text(part))
        size += len(texts[-1]) + len(separator)
        fuel.room(size - len(separator))
    return fuel.made(separator.join(texts))


def _int(fuel: Fuel, value: Any, default: object = 0, base: int = 10) -> object:
    _check_number(fuel, value)
    try:
        number = int(value, base) if isinstance(value, str) else int(value)
    except (TypeError, ValueError):
        try:
            number = int(float(value))
        except (TypeError, ValueError, OverflowError):
            return default
    if number.bit_length() > MAX_BITS:
        raise Problem("a number grows too large")
    return number


def _float(fuel: Fuel, value: Any, default: object = 0.0) -> object:
    _check_number(fuel, value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return default


def _check_number(fuel: Fuel, value: object) -> None:
    """Refuse a text that takes long to be read as a number."""
    fuel.weigh(value)
    if isinstance(value, str) and len(value) > _MAX_NUMBER:
        raise Problem(f"a text of more than {_MAX_NUMBER} characters is read as a number")


def _round(fuel: Fuel, value: object, precision: int | None = 0, method: str = "common") -> object:
    fuel.spend(1)
    places = 0 if precision is None else precision
    if not isinstance(value, (int, float)) or not isinstance(places, int) or abs(places) > 30:
        raise Problem(f"round works on a number and up to 30 places, not on {kind(value)}")
    if method == "common":
        return round(value, precision)
    if method not in ("ceil", "floor"):
        raise Problem("round knows common, ceil and floor")
    whole: Callable[[float], int] = math.ceil if method == "ceil" else math.floor
    return whole(value * 10**places) / 10**places


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


def _same_case(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _sort(fuel: Fuel, value: object, reverse: bool = False, case_sensitive: bool = False) -> list[Any]:
    items = elements(fuel, value)
    fuel.weigh(items)
    fuel.spend(len(items) * len(items).bit_length() // 4)
    try:
        return sorted(items, key=None if case_sensitive else _same_case, reverse=bool(reverse))
    except TypeError as error:
        raise Problem("sort works on elements of one kind") from error


def _unique(fuel: Fuel, value: object, case_sensitive: bool = False) -> list[Any]:
    seen: list[Any] = []
    found = []
    for item in elements(fuel, value):
        key = item if case_sensitive else _same_case(item)
        if not compare(fuel, "in", key, seen):
            seen.append(key)
            found.append(item)
    return found


def _first(fuel: Fuel, value: object) -> object:
    return _one(elements(fuel, value), 0)


def _last(fuel: Fuel, value: object) -> object:
    return _one(elements(fuel, value), -1)


def _one(items: list[Any], place: int) -> object:
    if not items:
        raise Problem("an empty list has no first and no last element")
    return items[place]


def _extreme(choose: Callable[..., object]) -> Callable[..., object]:
    def extreme(fuel: Fuel, value: object, case_sensitive: bool = False) -> object:
        items = elements(fuel, value)
        fuel.weigh(items)
        try:
            return choose(items, key=None if case_sensitive else _same_case)
        except (TypeError, ValueError) as error:
            raise Problem("min and max work on some elements of one kind") from error

    return extreme


def _reverse(fuel: Fuel, value: object) -> object:
    items = elements(fuel, value)[::-1]
    return "".join(items) if isinstance(value, str) else items


def _split(fuel: Fuel, value: object, sep: str | None = None, maxsplit: int = -1) -> list[str]:
    parts = fuel.text(value).split(sep, maxsplit)
    fuel.items(len(parts))
    return parts


def _title(text: str) -> str:
    """Return a text whose words begin with a capital, with Jinja2's notion of a word."""
    return "".join(word[0].upper() + word[1:].lower() for word in _WORDS.split(text) if word)


def _of_text(function: Callable[..., object]) -> Callable[..., object]:
    """Make a filter of a method of ``str`` whose result is no longer than twice the text and its arguments."""

    def run(fuel: Fuel, value: object, *arguments: object) -> object:
        result = function(fuel.text(value), *arguments)
        return fuel.made(result) if isinstance(result, str) else result

    return run


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
    "match": match,
    "max": _extreme(max),
    "min": _extreme(min),
    "replace": _replace,
    "reverse": _reverse,
    "round": _round,
    "sort": _sort,
    "split": _split,
    "string": Fuel.text,
    "title": _of_text(_title),
    "trim": _of_text(str.strip),
    "unique": _unique,
    "upper": _of_text(str.upper),
}
"""Every filter by name, ``default`` apart."""

TEXT_METHODS: dict[str, Callable[..., object]] = {
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

OBJECT_METHODS: dict[str, Callable[..., object]] = {
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
    table = TEXT_METHODS if isinstance(value, str) else OBJECT_METHODS if isinstance(value, Mapping) else {}
    found = table.get(name)
    if found is None:
        raise Problem(f"{kind(value)} has no method {name!r} here")
    return found
