"""The tests that a template may use: all there are.

A test is ``function(fuel, value, *arguments)``. ``defined`` and ``undefined`` are not here: they are about names, and
:mod:`ha_monitor.lang.calls` knows those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ha_monitor.lang.arithmetic import compare
from ha_monitor.lang.filters import match

if TYPE_CHECKING:
    from ha_monitor.lang.fuel import Fuel


def _test(function: Callable[..., object]) -> Callable[..., bool]:
    """Make a test of a predicate that takes no time."""

    def run(fuel: Fuel, *arguments: object) -> bool:
        fuel.spend(1)
        return bool(function(*arguments))

    return run


def _remainder(value: Any, by: Any) -> Any:
    """Return ``value % by`` of numbers; of a text that would be a format, and as long as that says."""
    if not isinstance(value, (int, float)):
        raise TypeError
    return value % by


def _comparison(name: str) -> Callable[[Fuel, object, object], bool]:
    return lambda fuel, left, right: compare(fuel, name, left, right)


TESTS: dict[str, Callable[..., bool]] = {
    "boolean": _test(lambda value: isinstance(value, bool)),
    "divisibleby": _test(lambda value, by: _remainder(value, by) == 0),
    "even": _test(lambda value: _remainder(value, 2) == 0),
    "false": _test(lambda value: value is False),
    "float": _test(lambda value: isinstance(value, float)),
    "in": _comparison("in"),
    "integer": _test(lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "iterable": _test(lambda value: isinstance(value, (str, list, tuple, range, Mapping))),
    "mapping": _test(lambda value: isinstance(value, Mapping)),
    "match": match,
    "none": _test(lambda value: value is None),
    "number": _test(lambda value: isinstance(value, (int, float))),
    "odd": _test(lambda value: _remainder(value, 2) == 1),
    "sequence": _test(lambda value: isinstance(value, (str, list, tuple, range, Mapping))),
    "string": _test(lambda value: isinstance(value, str)),
    "true": _test(lambda value: value is True),
}
"""Every test by name."""

for _names, _operator in (
    (("==", "eq", "equalto"), "eq"),
    (("!=", "ne"), "ne"),
    ((">", "gt", "greaterthan"), "gt"),
    ((">=", "ge"), "gteq"),
    (("<", "lt", "lessthan"), "lt"),
    (("<=", "le"), "lteq"),
):
    TESTS.update(dict.fromkeys(_names, _comparison(_operator)))
