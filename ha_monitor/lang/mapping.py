"""From a decoded parameter mapping, long or short form, to the tree that is evaluated for each resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import is_id, quote
from ha_monitor.lang.operators import (
    Choice,
    Concatenate,
    Constant,
    Equal,
    Field,
    ForEach,
    Literal,
    Nested,
    Output,
    Regexp,
)
from ha_monitor.lang.path import Path, Step
from ha_monitor.lang.pattern import compile_pattern
from ha_monitor.lang.shortform import compile_shortform

if TYPE_CHECKING:
    from ha_monitor.lang.node import Node

MAX_DEPTH = 32
"""Mappings within mappings; chosen: eight times what real ones need."""

_Spec = Mapping[object, object]


def compile_mapping(spec: object, depth: int = 0) -> Node:
    """Compile one mapping: an object in long form, or a text in short form. ``depth`` is how deep it stands.

    Raises:
        Problem: it is none; the words quote the offending text.
    """
    if depth > MAX_DEPTH:
        raise Problem(f"mappings are nested more than {MAX_DEPTH} deep")
    if isinstance(spec, str):
        return compile_shortform(spec)
    if not isinstance(spec, Mapping):
        raise Problem(f"{quote(spec)} is no mapping: an object, or a text in short form")
    for name, (compiler, allowed) in _OPERATORS.items():
        if name in spec:
            for key in spec:
                if key != name and key not in allowed:
                    raise Problem(f"{quote(key)} does not belong in a mapping of {name}: {quote(spec)}")
            return compiler(spec, depth + 1)
    raise Problem(f"{quote(spec)} has no known operator: {', '.join(_OPERATORS)}")


def _field(spec: _Spec, depth: int) -> Node:
    return Field(_text(spec, "field"), _path(spec, depth))


def _nested(spec: _Spec, depth: int) -> Node:
    keys = spec["nested"]
    if not isinstance(keys, (list, tuple)) or not keys:
        raise Problem(f"nested is {quote(keys)}, not a list of names")
    names: list[str | int] = []
    for key in keys:
        if isinstance(key, bool) or not isinstance(key, (str, int)):
            raise Problem(f"nested has {quote(key)}, neither a name nor a place in a list")
        names.append(key)
    return Nested(tuple(names), _path(spec, depth))


def _output(spec: _Spec, depth: int) -> Node:
    return Output(_text(spec, "output_key"), _path(spec, depth), _ignore_missing(spec))


def _constant(spec: _Spec, depth: int) -> Node:
    return Constant(spec["constant"])


def _concatenate(spec: _Spec, depth: int) -> Node:
    return Concatenate(_parts(spec, "concatenate", None, depth))


def _equal(spec: _Spec, depth: int) -> Node:
    return Equal(_parts(spec, "equal", 2, depth))


def _regexp(spec: _Spec, depth: int) -> Node:
    parts = _parts(spec, "regexp", 2, depth)
    pattern = parts[1]
    # a constant may stand for a site's value, which only the scope knows
    fixed = compile_pattern(pattern.value) if isinstance(pattern, Literal) else None
    return Regexp(parts, fixed)


def _choice(spec: _Spec, depth: int) -> Node:
    if "then_mapping" not in spec:
        raise Problem(f"if_mapping has no then_mapping: {quote(spec)}")
    condition = compile_mapping(spec["if_mapping"], depth)
    then = compile_mapping(spec["then_mapping"], depth)
    otherwise = compile_mapping(spec["else_mapping"], depth) if "else_mapping" in spec else Constant(None)
    return Choice((condition, then, otherwise))


def _for_each(spec: _Spec, depth: int) -> Node:
    if "for_mapping" not in spec:
        raise Problem(f"for_field has no for_mapping: {quote(spec)}")
    return ForEach((compile_mapping(spec["for_field"], depth), compile_mapping(spec["for_mapping"], depth)))


def _parts(spec: _Spec, name: str, count: int | None, depth: int) -> tuple[Node, ...]:
    """Compile a list of mappings in which a bare text stands for itself."""
    parts = spec[name]
    if not isinstance(parts, (list, tuple)) or not parts:
        raise Problem(f"{name} is {quote(parts)}, not a list of mappings")
    if count is not None and len(parts) != count:
        raise Problem(f"{name} has {len(parts)} parts, not {count}: {quote(parts)}")
    return tuple(Literal(part) if isinstance(part, str) else compile_mapping(part, depth) for part in parts)


def _path(spec: _Spec, depth: int) -> Path | None:
    """Compile the path of a mapping; ``None`` where it has none."""
    ignore_missing = _ignore_missing(spec)
    steps = spec.get("path")
    if steps is None:
        return None
    if not isinstance(steps, (list, tuple)):
        raise Problem(f"path is {quote(steps)}, not a list of foreign keys")
    compiled = tuple(_step(step, depth) for step in steps)
    return Path(compiled, ignore_missing) if compiled else None


def _step(step: object, depth: int) -> Step:
    """Compile one step: a field's name, ``{"id": field, "type": type}``, or a mapping that gives a field's name."""
    if isinstance(step, str) and step:
        return Step(step, None)
    if not isinstance(step, Mapping):
        raise Problem(f"the path has {quote(step)}, not the name of a field")
    if "id" not in step:
        return Step(compile_mapping(step, depth), None)
    field, type_ = step["id"], step.get("type")
    if set(step) - {"id", "type"} or not (type_ is None or (isinstance(type_, str) and is_id(type_))):
        raise Problem(f'the path has {quote(step)}, not {{"id": field, "type": type}}')
    return Step(field if isinstance(field, str) and field else compile_mapping(field, depth), type_)


def _ignore_missing(spec: _Spec) -> bool:
    value = spec.get("ignore_missing", False)
    if not isinstance(value, bool):
        raise Problem(f"ignore_missing is {quote(value)}, neither true nor false")
    return value


def _text(spec: _Spec, name: str) -> str:
    value = spec[name]
    if not isinstance(value, str) or not value:
        raise Problem(f"{name} is {quote(value)}, not a name")
    return value


_PATH = frozenset({"path", "ignore_missing"})

_OPERATORS: dict[str, tuple[Callable[[_Spec, int], Node], frozenset[str]]] = {
    "field": (_field, _PATH),
    "nested": (_nested, _PATH),
    "output_key": (_output, _PATH),
    "constant": (_constant, frozenset()),
    "concatenate": (_concatenate, frozenset()),
    "equal": (_equal, frozenset()),
    "regexp": (_regexp, frozenset()),
    "if_mapping": (_choice, frozenset({"then_mapping", "else_mapping"})),
    "for_field": (_for_each, frozenset({"for_mapping"})),
}
