"""Rendered YAML: what becomes of scalars, and what a document may not have."""

from __future__ import annotations

import math
import time

import pytest

from ha_monitor.errors import Problem
from ha_monitor.lang.document import parse_document
from tests.lang.language_site import TEXT


def text_props(type_: str) -> frozenset[str]:
    return TEXT if type_ == "etcd_reader" else frozenset()


def value(text: str) -> object:
    return parse_document(f"e:\n  type: t\n  p: {text}\n", text_props).entries["e"]["p"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("830", 830),
        ("-5", -5),
        ("+5", 5),
        ("0", 0),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", "010"),
        ("00123", "00123"),
        ("1_000", "1_000"),
        ("12345678901234567890", "12345678901234567890"),
        ("1.5", 1.5),
        ("1e5", 1e5),
        ("1.e2", 100.0),
        (".5", 0.5),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("190:20:30", "190:20:30"),
        ("true", True),
        ("False", False),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("2019-04-05", "2019-04-05"),
        ("null", None),
        ("~", None),
        ("", None),
        ("'830'", "830"),
        ('"true"', "true"),
        ("''", ""),
        ("!!str 830", "830"),
        ("! 830", "830"),
        ("!!int '5'", 5),
        ("[1, 'a', [true]]", [1, "a", [True]]),
        ("{a: 1, 2: b}", {"a": 1, "2": "b"}),
        ("|\n    a\n    b", "a\nb\n"),
        ("a # comment", "a"),
        ("a#b", "a#b"),
        ("=", "="),
        ("<<", "<<"),
    ],
)
def test_scalar_means_what_yaml_1_2_says(text: str, expected: object) -> None:
    """Plain scalars follow the core schema, whatever the parser; quoted ones are text; risky integers stay text."""
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_not_a_number_is_a_float() -> None:
    """``.nan`` is read as the schema says."""
    assert math.isnan(value(".nan"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["00123", "1e5", "no", "2019-04-05", "true", "0x1f", "1.50", "123", ".inf", "a b", "=", "0o7"]
)
def test_property_declared_as_text_keeps_its_text(text: str) -> None:
    """An id that looks like something else reaches the key unchanged."""
    document = parse_document(f"e:\n  type: etcd_reader\n  etcd_id: {text}\n", text_props)
    assert document.entries["e"]["etcd_id"] == text


@pytest.mark.parametrize("text", ["", "~", "null"])
def test_null_of_a_property_declared_as_text_stays_null(text: str) -> None:
    """Only YAML's null and an empty scalar are null there; in quotes it is text."""
    document = parse_document(f"e:\n  type: etcd_reader\n  etcd_id: {text}\n  etcd_type: 'null'\n", text_props)
    assert document.entries["e"]["etcd_id"] is None
    assert document.entries["e"]["etcd_type"] == "null"


def test_entries_are_the_objects_and_the_rest_is_kept() -> None:
    """Entries keep their order; other top-level keys are extras, of one that stands there twice the last."""
    text = "b:\n  type: x\na:\n  type: y\nm:\n - 1\nm:\n - 2\ns: text\no:\n  k: 1\n"
    document = parse_document(text, text_props)
    assert list(document.entries) == ["b", "a"]
    assert document.extras == {"m": [2], "s": "text", "o": {"k": 1}}


def test_alias_gives_the_value_of_its_anchor() -> None:
    """Aliases work where they stay small."""
    document = parse_document("a: &x [1, 2]\ne:\n  type: t\n  p: *x\n", text_props)
    assert document.entries["e"]["p"] == [1, 2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "renders to a list"),
        ("just text", "renders to the text 'just text'"),
        ("5", "renders to the text '5'"),
        ("a: b: c", "line 1: mapping values are not allowed here.*'a: b: c'"),
        ("a: b\n\tc: d", "no YAML, line 2"),
        ("a: 'x", "no YAML"),
        ("a: *x", "the alias 'x'"),
        ("a: &x [*x]", "the alias 'x'"),
        ("a: 1\n---\nb: 2\n", "second document"),
        ("a: !!python/object/apply:os.system [x]", "the tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("a: !foo b", "the tag '!foo'"),
        ("[a]: b", "a list or an object as a key"),
        ("a: &a {type: x}\ne:\n  <<: *a\n", "entry 'e' has no type"),
        ("e:\n  type: [a]\n", "type that is no text"),
        ("e:\n  type: 5\n", "type that is no text"),
        ("e:\n  type:\n", "type that is no text"),
        ("e:\n  type: x\ne:\n  type: y\n", "two entries have the name 'e'"),
        ("version:\n  type: x\n", "no entry can have the name 'version'"),
        ("a: \x07", "no YAML"),
        ("%YAML 3.0\n---\na: 1\n", "no YAML"),
    ],
)
def test_document_that_is_none_is_refused_in_words(text: str, words: str) -> None:
    """What is no document of entries is a problem that says where and why."""
    with pytest.raises(Problem, match=words):
        parse_document(text, text_props)


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "[" * 60_000,
        "[a: b, " * 9_000,
        "{a: " * 15_000,
        "- " * 30_000,
        "? " * 30_000,
        "a: b\n" * 13_000,
        "a:\n" * 20_000,
        ": " * 30_000,
        "a: [" + "a, " * 20_000 + "]",
        "- &a b\n" * 9_000,
        "---\n" * 16_000,
        "%a\n" * 20_000,
        "".join(f"{' ' * i}k:\n" for i in range(60)),
    ],
    ids=range(14),
)
def test_hostile_document_is_refused_at_once(text: str) -> None:
    """Deep, wide and self-multiplying documents are refused before they take the parser long."""
    start = time.process_time()
    with pytest.raises(Problem):
        parse_document(text, text_props)
    assert time.process_time() - start < 0.9
