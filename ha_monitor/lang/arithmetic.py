"""The operators of template expressions, on the few types that a template knows, each bounded in its result."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from ha_monitor.errors import Problem
from ha_monitor.lang.fuel import MAX_BITS, Fuel

_PLAIN: dict[str, Callable[[Any, Any], Any]] = {
    "-": operator.sub,
    "/": operator.truediv,
    "//": operator.floordiv,
}

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gteq": operator.ge,
    "lt": operator.lt,
    "lteq": operator.le,
}


def binary(fuel: Fuel, symbol: str, left: Any, right: Any) -> object:
    """Return ``left symbol right``.

    Raises:
        Problem: the operator does not work on these, or the result is too large.
    """
    fuel.spend(1)
    if symbol == "+" and isinstance(left, str) and isinstance(right, str):
        fuel.room(len(left) + len(right))
        return fuel.made(left + right)
    if symbol == "+" and isinstance(left, list) and isinstance(right, list):
        fuel.items(len(left) + len(right))
        return left + right
    if symbol == "*" and isinstance(left, (str, list)) and isinstance(right, int):
        return _repeat(fuel, left, right)
    if not (_is_number(left) and _is_number(right)):
        raise Problem(f"{symbol} does not work on {kind(left)} and {kind(right)}")
    return _number(_arithmetic(symbol, left, right))


def _arithmetic(symbol: str, left: Any, right: Any) -> object:
    """Return the operator's value on two numbers."""
    _number(left), _number(right)
    try:
        if symbol == "+":
            return left + right
        if symbol == "*":
            return left * right
        if symbol == "%":
            return left % right
        if symbol == "**":
            return _power(left, right)
        return _PLAIN[symbol](left, right)
    except ZeroDivisionError as error:
        raise Problem("a number is divided by zero") from error
    except OverflowError as error:
        raise Problem("a number grows too large") from error


def _power(base: Any, exponent: Any) -> object:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and exponent * base.bit_length() > 2 * MAX_BITS:
        raise Problem("a number grows too large")
    result = base**exponent
    if isinstance(result, complex):
        raise Problem("a root of a negative number is no number here")
    return result


def _repeat(fuel: Fuel, left: str | list[object], count: int) -> object:
    """Return a text or list repeated."""
    length = len(left) * max(count, 0)
    if isinstance(left, str):
        fuel.room(length)
        return fuel.made(left * count)
    fuel.items(length)
    return left * count


def unary(symbol: str, value: Any) -> object:
    """Return ``-value`` or ``+value``."""
    if not _is_number(value):
        raise Problem(f"{symbol} does not work on {kind(value)}")
    return _number(-value if symbol == "-" else +value)


def compare(fuel: Fuel, name: str, left: Any, right: Any) -> bool:
    """Return a comparison by its name in Jinja2's syntax tree: ``eq``, ``lt``, ``in``, ``notin``, …

    Raises:
        Problem: the two have no order, or the right one holds nothing.
    """
    fuel.weigh(left)
    fuel.weigh(right)
    if name in ("in", "notin"):
        return _holds(left, right) == (name == "in")
    try:
        return bool(_COMPARISONS[name](left, right))
    except TypeError as error:
        raise Problem(f"{kind(left)} can't be compared with {kind(right)}") from error


def _holds(left: Any, right: Any) -> bool:
    """Return ``left in right``."""
    if isinstance(right, str) and isinstance(left, str):
        return left in right
    if isinstance(right, (list, tuple, range)):
        return left in right
    if isinstance(right, Mapping):
        return isinstance(left, str) and left in right
    raise Problem(f"{kind(right)} can't be asked for {kind(left)}")


def kind(value: object) -> str:
    """Return what a value is, in words."""
    for type_, name in _KINDS:
        if isinstance(value, type_):
            return name
    return "nothing" if value is None else "such a value"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


def _number(value: object) -> object:
    """Let a number pass that is not too large."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise Problem("a number grows too large")
    return value


_KINDS: tuple[tuple[Any, str], ...] = (
    (bool, "a boolean"),
    ((int, float), "a number"),
    (str, "a text"),
    ((list, tuple, range), "a list"),
    (Mapping, "an object"),
)
