"""Filters, tests and calls in template expressions: by name, from the tables of ``filters`` and ``predicates``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from jinja2 import nodes

from ha_monitor.errors import Problem
from ha_monitor.lang.arithmetic import kind
from ha_monitor.lang.filters import FILTERS, method
from ha_monitor.lang.frame import Expression, Frame, Undefined
from ha_monitor.lang.fuel import MAX_ITEMS
from ha_monitor.lang.predicates import TESTS

Compile = Callable[[nodes.Node], Expression]

Arguments = Callable[[Frame], tuple[list[object], dict[str, object]]]


def _arguments(node: Any, sub: Compile) -> Arguments:
    """Compile the arguments of a filter, test or call; ``*list`` and ``**object`` are refused."""
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise Problem("a template can't use * and ** in arguments")
    positional = [sub(argument) for argument in node.args]
    named = {pair.key: sub(pair.value) for pair in node.kwargs}
    return lambda frame: ([each(frame) for each in positional], {key: each(frame) for key, each in named.items()})


def _apply(function: Callable[..., object], name: str, frame: Frame, value: object, arguments: Arguments) -> object:
    """Call a filter, test or method."""
    positional, named = arguments(frame)
    frame.fuel.spend(1)
    try:
        return function(frame.fuel, value, *positional, **named)
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise Problem(f"{name} does not work on {kind(value)} with these arguments") from error


def compile_filter(node: nodes.Filter, sub: Compile) -> Expression:
    """Compile a filter; ``sub`` compiles the expressions in it."""
    if node.node is None:
        raise Problem("a template can't use this here: filter block")
    if node.name in ("default", "d"):
        return _default(node, sub)
    function, name = FILTERS.get(node.name), node.name
    if function is None:
        raise Problem(f"there is no filter {name!r} here; there are default, {', '.join(FILTERS)}")
    value, arguments = sub(node.node), _arguments(node, sub)
    return lambda frame: _apply(function, name, frame, value(frame), arguments)


def _default(node: nodes.Filter, sub: Compile) -> Expression:
    """Compile ``x | default(value, boolean)``; the value is the empty text where none is given."""
    value, arguments = sub(cast("nodes.Node", node.node)), _arguments(node, sub)
    rescued = isinstance(node.node, (nodes.Name, nodes.Getattr, nodes.Getitem, nodes.CondExpr))

    def choose(default_value: object = "", boolean: bool = False) -> tuple[object, bool]:
        return default_value, boolean

    def default(frame: Frame) -> object:
        positional, named = arguments(frame)
        try:
            otherwise, also_false = choose(*positional, **named)  # type: ignore[arg-type]  # a TypeError is caught
        except TypeError as error:
            raise Problem("default takes a value, and whether it also stands for false ones") from error
        try:
            found = value(frame)
        except Undefined:
            if not rescued:
                raise
            return otherwise
        return otherwise if also_false and not found else found

    return default


def compile_test(node: nodes.Test, sub: Compile) -> Expression:
    """Compile a test, ``x is name``; ``sub`` compiles the expressions in it."""
    value, arguments, name = sub(node.node), _arguments(node, sub), node.name
    if name in ("defined", "undefined"):
        return lambda frame: _is_defined(value, frame) == (name == "defined")
    function = TESTS.get(name)
    if function is None:
        raise Problem(f"there is no test {name!r} here; there are defined, undefined, {', '.join(TESTS)}")
    return lambda frame: _apply(function, name, frame, value(frame), arguments)


def _is_defined(value: Expression, frame: Frame) -> bool:
    try:
        value(frame)
    except Undefined:
        return False
    return True


def compile_call(node: nodes.Call, sub: Compile) -> Expression:
    """Compile ``range(…)``, or a method of a text or an object; nothing else can be called."""
    arguments, callee = _arguments(node, sub), node.node
    if isinstance(callee, nodes.Name) and callee.name == "range":
        return lambda frame: _range(frame, arguments)
    if not isinstance(callee, nodes.Getattr):
        called = f" {callee.name!r}" if isinstance(callee, nodes.Name) else ""
        raise Problem(f"a template can't use this here: call of{called or ' a value'}")
    whole, name = sub(callee.node), callee.attr

    def call(frame: Frame) -> object:
        value = whole(frame)
        return _apply(method(value, name), name, frame, value, arguments)

    return call


def _range(frame: Frame, arguments: Arguments) -> object:
    positional, named = arguments(frame)
    if named or not 1 <= len(positional) <= 3 or not all(isinstance(bound, int) for bound in positional):
        raise Problem("range takes one to three whole numbers")
    try:
        numbers = range(*cast("list[int]", positional))
        count = len(numbers)
    except (ValueError, OverflowError) as error:
        raise Problem("the range has no length that can be counted") from error
    if count > MAX_ITEMS:
        raise Problem(f"a range is longer than {MAX_ITEMS}")
    return numbers
