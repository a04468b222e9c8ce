"""Expressions of a template, compiled from Jinja2's syntax tree into closures.

There is no code generated and no attribute of any Python object reached: a name is a parameter or what the template
set, ``a.b`` is the key ``b`` of an object, and calls are those of the tables in :mod:`ha_monitor.lang.filters`.
Every kind of node that is not in the table at the end is refused when the template is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from ha_monitor.errors import Problem
from ha_monitor.lang.arithmetic import binary, compare, kind, unary
from ha_monitor.lang.calls import compile_call, compile_filter, compile_test
from ha_monitor.lang.frame import Expression, Frame, Undefined
from ha_monitor.lang.fuel import MAX_BITS
from ha_monitor.lang.ids import quote

MAX_DEPTH = 64
"""Expressions within expressions; chosen: ten times what real ones need."""


def name_of(node: nodes.Node) -> str:
    """Return what a template's author calls a kind of node: ``import``, ``call block``, …"""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(node).__name__)
    return words.strip()


def compile_expression(node: nodes.Node, depth: int = 0) -> Expression:
    """Compile an expression.

    Raises:
        Problem: it has something in it that templates may not use.
    """
    if depth > MAX_DEPTH:
        raise Problem(f"expressions are nested more than {MAX_DEPTH} deep")
    compiler = _COMPILERS.get(type(node))
    if compiler is None:
        raise Problem(f"a template can't use this here: {name_of(node)}")
    return compiler(node, depth + 1)


def _name(node: nodes.Name, depth: int) -> Expression:
    name = node.name

    def load(frame: Frame) -> object:
        for scope in reversed(frame.scopes):
            if name in scope:
                return scope[name]
        raise Undefined(f"parameter {name!r} is undefined")

    return load


def _const(node: nodes.Const, depth: int) -> Expression:
    value = node.value
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise Problem("a number is too large")
    return lambda frame: value


def _binary(node: nodes.BinExpr, depth: int) -> Expression:
    left, right, symbol = compile_expression(node.left, depth), compile_expression(node.right, depth), node.operator
    return lambda frame: binary(frame.fuel, symbol, left(frame), right(frame))


def _unary(node: nodes.UnaryExpr, depth: int) -> Expression:
    operand, symbol = compile_expression(node.node, depth), node.operator
    return lambda frame: unary(symbol, operand(frame))


def _and(node: nodes.And, depth: int) -> Expression:
    left, right = compile_expression(node.left, depth), compile_expression(node.right, depth)
    return lambda frame: left(frame) and right(frame)


def _or(node: nodes.Or, depth: int) -> Expression:
    left, right = compile_expression(node.left, depth), compile_expression(node.right, depth)
    return lambda frame: left(frame) or right(frame)


def _not(node: nodes.Not, depth: int) -> Expression:
    operand = compile_expression(node.node, depth)
    return lambda frame: not operand(frame)


def _condition(node: nodes.CondExpr, depth: int) -> Expression:
    test, then = compile_expression(node.test, depth), compile_expression(node.expr1, depth)
    otherwise = compile_expression(node.expr2, depth) if node.expr2 is not None else None

    def choose(frame: Frame) -> object:
        if test(frame):
            return then(frame)
        if otherwise is None:
            raise Undefined("the condition is false and there is no else")
        return otherwise(frame)

    return choose


def _compare(node: nodes.Compare, depth: int) -> Expression:
    first = compile_expression(node.expr, depth)
    rest = [(operand.op, compile_expression(operand.expr, depth)) for operand in node.ops]

    def chain(frame: Frame) -> bool:
        left = first(frame)
        for name, expression in rest:
            right = expression(frame)
            if not compare(frame.fuel, name, left, right):
                return False
            left = right
        return True

    return chain


def _concat(node: nodes.Concat, depth: int) -> Expression:
    parts = [compile_expression(part, depth) for part in node.nodes]

    def concat(frame: Frame) -> str:
        fuel, texts, size = frame.fuel, [], 0
        for part in parts:
            texts.append(fuel.text(part(frame)))
            size += len(texts[-1])
            fuel.room(size)
        return fuel.made("".join(texts))

    return concat


def _sequence(node: nodes.List | nodes.Tuple, depth: int) -> Expression:
    items = [compile_expression(item, depth) for item in node.items]

    def build(frame: Frame) -> list[object]:
        frame.fuel.items(len(items))
        return [item(frame) for item in items]

    return build


def _object(node: nodes.Dict, depth: int) -> Expression:
    pairs = [(compile_expression(pair.key, depth), compile_expression(pair.value, depth)) for pair in node.items]

    def build(frame: Frame) -> dict[str, object]:
        frame.fuel.items(len(pairs))
        return {_key(key(frame)): value(frame) for key, value in pairs}

    return build


def _key(key: object) -> str:
    """Let a key of an object pass."""
    if not isinstance(key, str):
        raise Problem(f"the key of an object is {kind(key)}, not a text")
    return key


def _attribute(node: nodes.Getattr, depth: int) -> Expression:
    whole, name = compile_expression(node.node, depth), node.attr
    return lambda frame: _look_up(whole(frame), name)


def _item(node: nodes.Getitem, depth: int) -> Expression:
    whole = compile_expression(node.node, depth)
    if isinstance(node.arg, nodes.Slice):
        return _slice(whole, node.arg, depth)
    key = compile_expression(node.arg, depth)
    return lambda frame: _look_up(whole(frame), key(frame))


def _look_up(whole: Any, key: Any) -> object:
    """Return the value at a key of an object or at a place in a list or text."""
    if isinstance(whole, Mapping) and isinstance(key, str):
        if key in whole:
            return whole[key]
    elif isinstance(whole, (list, tuple, str, range)) and isinstance(key, int) and -len(whole) <= key < len(whole):
        return whole[key]
    raise Undefined(f"{kind(whole)} has no {quote(key)}")


def _slice(whole: Expression, node: nodes.Slice, depth: int) -> Expression:
    bounds = [None if part is None else compile_expression(part, depth) for part in (node.start, node.stop, node.step)]

    def cut(frame: Frame) -> object:
        value, places = whole(frame), [None if bound is None else bound(frame) for bound in bounds]
        if not isinstance(value, (str, list, tuple)):
            raise Problem(f"{kind(value)} can't be cut")
        if any(place is not None and not isinstance(place, int) for place in places) or places[2] == 0:
            raise Problem("the places to cut at are whole numbers")
        part = value[slice(*places)]
        frame.fuel.made(part) if isinstance(part, str) else frame.fuel.items(len(part))
        return part

    return cut


def _named(
    compiler: Callable[[Any, Callable[[nodes.Node], Expression]], Expression],
) -> Callable[[Any, int], Expression]:
    """Give a compiler of :mod:`ha_monitor.lang.calls` what compiles the expressions within."""
    return lambda node, depth: compiler(node, lambda inner: compile_expression(inner, depth))


_COMPILERS: dict[type[nodes.Node], Callable[[Any, int], Expression]] = {
    nodes.Name: _name,
    nodes.Const: _const,
    nodes.Add: _binary,
    nodes.Sub: _binary,
    nodes.Mul: _binary,
    nodes.Div: _binary,
    nodes.FloorDiv: _binary,
    nodes.Mod: _binary,
    nodes.Pow: _binary,
    nodes.Neg: _unary,
    nodes.Pos: _unary,
    nodes.And: _and,
    nodes.Or: _or,
    nodes.Not: _not,
    nodes.CondExpr: _condition,
    nodes.Compare: _compare,
    nodes.Concat: _concat,
    nodes.List: _sequence,
    nodes.Tuple: _sequence,
    nodes.Dict: _object,
    nodes.Getattr: _attribute,
    nodes.Getitem: _item,
    nodes.Filter: _named(compile_filter),
    nodes.Test: _named(compile_test),
    nodes.Call: _named(compile_call),
}
