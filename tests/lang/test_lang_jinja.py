"""Filters, tests and methods against Jinja2's own: the same value, or a problem, and never another value."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined

from ha_monitor.errors import Problem
from ha_monitor.lang import JinjaTemplate, compile_text
from ha_monitor.lang.filters import FILTERS, OBJECT_METHODS, TEXT_METHODS
from ha_monitor.lang.predicates import TESTS

# that nothing prints as nothing is ours; for the same reason there is none in the values
JINJA = Environment(undefined=StrictUndefined, autoescape=False, finalize=lambda value: "" if value is None else value)

# in these Jinja2 gives an iterator, and we a list
LISTS = {"list", "reverse", "unique", "items", "keys", "values"}
OURS = {"match", "split"}  # Ansible's, not Jinja2's

CASES = ["", "(true)", "(case_sensitive=true)"]
NUMBERS = ["", "(7)", "('z')", "(default=1.5)"]
CALLS = {
    "replace": ["('a', 'B')", "('', '-')", "('a', '', 1)", "('a', 'bb', -1)", "('a', 'b', 0)", "('1', 'a', count=2)"],
    "join": ["", "('-')", "(d=', ')"],
    "int": [*NUMBERS, "(0, 16)", "(0, 0)", "(base=2)", "(0, 99)"],
    "float": NUMBERS,
    "round": ["", "(1)", "(-1)", "(none)", "(2, 'floor')", "(-1, 'ceil')", "(method='floor')", "(0, 'x')"],
    "sort": ["", "(true)", "(reverse=true)", "(false, true)", "(case_sensitive=true)"],
    "unique": CASES,
    "min": CASES,
    "max": CASES,
    "trim": ["", "('aA ')", "(none)"],
    "divisibleby": ["(3)", "(0)", "(true)", "(0.5)"],
    "in": ["('aBc')", "([1, 'a', true])", "({'a': 1})", "(range(3))"],
    "split": ["()", "('a')", "(none, 1)", "(' ', maxsplit=1)", "(sep='1')"],
    "startswith": ["('a')"],
    "endswith": ["('1')"],
    "get": ["('a')", "('z', 5)"],
}
COMPARED = ("eq", "equalto", "ne", "gt", "greaterthan", "ge", "lt", "lessthan", "le")
CALLS |= {name: ["(1)", "('a')", "(x)", "(true)", "([1])"] for name in COMPARED}

EXPRESSIONS = [
    *(f"x | {name}{call}" for name in (*FILTERS, "default", "d") for call in CALLS.get(name, [""]) if name not in OURS),
    *(f"x is {name}" for name in TESTS if name.isalpha() and name not in {*CALLS, *OURS} - {"float"}),
    *(f"x is {name}{call}" for name in ("divisibleby", "in", *COMPARED) for call in CALLS[name]),
    *(f"x.{name}{call}" for name in TEXT_METHODS for call in CALLS.get(name, ["()"])),
    *(f"x.{name}{call}" for name in OBJECT_METHODS for call in CALLS.get(name, ["()"])),
]  # fmt: skip

TEXTS = st.one_of(
    st.text(alphabet="abAB1 é'-.([_/", max_size=8),
    st.text(max_size=4),
    st.sampled_from(["42.9", "1e3", " 7 ", "0x1f", "1_000", "inf", "-nan", "1e400", "9" * 30, "0" * 50 + "7", "٣"]),
    st.sampled_from(["0b1", "9" * 500, "1" + " " * 500, "tokyo's o'neil x-ray", "ǆ(ß", "%5d", "%s"]),
)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(-300, 300), st.integers(), st.floats())
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=4),
    st.lists(TEXTS, max_size=4),
    st.lists(st.integers(-3, 3), max_size=4),
    st.lists(st.lists(st.integers(0, 1), max_size=2), max_size=3),
    st.dictionaries(st.sampled_from("abAB"), SCALARS, max_size=3),
)


@functools.cache
def compiled(expression: str) -> tuple[JinjaTemplate, str]:
    name = expression.split("(")[0].replace(".", " ").split()[-1]
    text = f"{{{{ ({expression}) | list }}}}" if name in LISTS else f"{{{{ {expression} }}}}"
    return compile_text("t", text), text


def both(expression: str, value: object) -> tuple[str | None, str | None]:
    """Return what we render and what Jinja2 renders; ``None`` where that fails."""
    ours, text = compiled(expression)
    try:
        mine = ours.render({"x": value})
    except Problem:
        return None, None
    try:
        return mine, JINJA.from_string(text).render(x=value)
    except Exception:
        return mine, None


@settings(max_examples=1_500)
@given(expression=st.sampled_from(EXPRESSIONS), value=VALUES)
def test_no_value_is_another_one_than_with_jinja2(expression: str, value: object) -> None:
    mine, theirs = both(expression, value)
    assert mine == theirs or mine is None or theirs is None


@pytest.mark.parametrize(
    ("expression", "value", "result"),
    [
        ("x | int", "42.9", "42"),
        ("x | int", "1e3", "1000"),
        ("x | int(0, 16)", "0x1f", "31"),
        ("x | int(7)", "9e999", "7"),
        ("x | float(7)", [], "7"),
        ("x | round", 42, "42"),
        ("x | round(-1)", 45, "40"),
        ("x | round(1, 'ceil')", 2.11, "2.2"),
        ("x | unique", ["b", "A", "a", "B"], "['b', 'A']"),
        ("x | unique(true)", ["A", "a", "A"], "['A', 'a']"),
        ("x | max", ["a", "B"], "B"),
        ("x | min", ["a", "B"], "a"),
        ("x | min(case_sensitive=true)", ["a", "B"], "B"),
        ("x | sort(case_sensitive=true)", ["a", "B"], "['B', 'a']"),
        ("x | title", "tokyo's a.b-c (d", "Tokyo's A.b-C (D"),
        ("x | replace('a', 'b', -1)", "aaa", "bbb"),
        ("x | replace('a', 'b', 2)", "aaa", "bba"),
    ],
)
def test_values_of_jinja2(expression: str, value: object, result: str) -> None:
    assert both(expression, value) == (result, result)


@pytest.mark.parametrize("expression", ["x is even", "x is odd", "x is divisibleby(7)"])
def test_no_test_formats_a_text(expression: str) -> None:
    """What is a remainder of numbers is a format of a text, as large as that says."""
    with pytest.raises(Problem, match="does not work on a text"):
        compile_text("t", f"{{{{ {expression} }}}}").render({"x": "%3000000000d"})


def test_keys_of_an_object_are_texts() -> None:
    with pytest.raises(Problem, match="the key of an object is a number, not a text"):
        compile_text("t", "{{ {1: 2} }}").render({})
