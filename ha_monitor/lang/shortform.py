"""The short form of a parameter mapping: one text whose first letter is the operator.

=============================== ===========================================================
``Pname``                       the field ``name``
``Cvalue``                      the constant ``value``
``Aleft&right&…``               the parts, each a short form, concatenated
``Ftype+fk:type+fk:…:field``    a field by a path of foreign keys with their types
``Oa:b``                        nested: ``config[a][b]``
``Mtype:fk:key``                the stack output ``key`` of a related resource
``Vauto_filled``                left to the worker
=============================== ===========================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import quote
from ha_monitor.lang.operators import Concatenate, Constant, Field, LeftToWorker, Nested, Output
from ha_monitor.lang.path import Path, Step

if TYPE_CHECKING:
    from ha_monitor.lang.node import Node


def compile_shortform(text: str) -> Node:
    """Compile a short form.

    Raises:
        Problem: it is none; the words quote it.
    """
    compiler = _COMPILERS.get(text[:1])
    if compiler is None:
        raise Problem(f"{quote(text)} is no short form: it starts with one of {' '.join(_COMPILERS)}")
    return compiler(text[1:], text)


def _field(rest: str, text: str) -> Node:
    return Field(_name(rest, text))


def _constant(rest: str, text: str) -> Node:
    return Constant(rest)


def _concatenate(rest: str, text: str) -> Node:
    parts = rest.split("&")
    if any(part.startswith("A") for part in parts):
        raise Problem(f"{quote(text)} has an A within an A, whose parts can't be told apart")
    return Concatenate(tuple(compile_shortform(part) for part in parts))


def _nested(rest: str, text: str) -> Node:
    return Nested(tuple(_name(key, text) for key in rest.split(":")))


def _far_field(rest: str, text: str) -> Node:
    *steps, field = rest.split(":")
    if not steps:
        raise Problem(f"{quote(text)} has no step: Ftype+fk:…:field")
    return Field(_name(field, text), Path(tuple(_step(step, text) for step in steps), ignore_missing=False))


def _step(step: str, text: str) -> Step:
    type_, plus, field = step.partition("+")
    if not plus:
        raise Problem(f"{quote(text)} has the step {quote(step)}, not type+fk")
    return Step(_name(field, text), _name(type_, text))


def _output(rest: str, text: str) -> Node:
    parts = [_name(part, text) for part in rest.split(":")]
    if len(parts) != 3:
        raise Problem(f"{quote(text)} has {len(parts)} parts, not three: Mtype:fk:key")
    type_, field, key = parts
    return Output(key, Path((Step(field, type_),), ignore_missing=False), ignore_missing=False)


def _left_to_worker(rest: str, text: str) -> Node:
    if rest != "auto_filled":
        raise Problem(f"{quote(text)} is no short form: V is followed by auto_filled")
    return LeftToWorker()


def _name(part: str, text: str) -> str:
    """Return a part that must not be empty."""
    if not part:
        raise Problem(f"a part of {quote(text)} is empty")
    return part


_COMPILERS = {
    "P": _field,
    "C": _constant,
    "A": _concatenate,
    "F": _far_field,
    "O": _nested,
    "M": _output,
    "V": _left_to_worker,
}
