"""From a resource to its entries: rules after rendering, and the two ways that must agree."""

from __future__ import annotations

import dataclasses
import gc
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ha_monitor.errors import Problem
from ha_monitor.lang import Ref, Rendering, Template, compile_template
from ha_monitor.lang.skeleton import Skeleton
from tests.lang.language_site import CATALOG, HA_MAPPINGS, HA_TEMPLATE, KINDS, READER, Site, template

if TYPE_CHECKING:
    from collections.abc import Mapping


def render(made: Template, body: Mapping[str, object], site: Site | None = None) -> Rendering:
    return made.render("ha_interface", "own", body, site or Site())


def reader(text: str, mappings: object = None) -> Template:
    return template("e:\n  type: etcd_reader\n  etcd_type: t\n" + text, mappings)


def plain(made: Template) -> Template:
    """Return the template with its skeleton's short cut shut, its check of the structure kept."""
    other = template(made._jinja.text, {name: {"field": name} for name, _ in made._mappings}, made.id)
    skeleton = other._skeleton
    if skeleton is not None:
        other._skeleton = NeverBuilds(
            **{field.name: getattr(skeleton, field.name) for field in dataclasses.fields(skeleton)}
        )
    return other


class NeverBuilds(Skeleton):
    def build(self, parameters: Mapping[str, object]) -> None:
        return None


def test_ha_interface_renders_to_its_two_readers() -> None:
    """The name case: one entry a physical interface, in template order, and what its fields refer to."""
    made = template(HA_TEMPLATE, HA_MAPPINGS)
    rendering = render(made, {"primary_interface_id": "p", "secondary_interface_id": "00123"})
    assert rendering.problem is None
    assert [(entry.name, entry.type, entry.served) for entry in rendering.entries] == [
        ("primary", "etcd_reader", True),
        ("secondary", "etcd_reader", True),
    ]
    assert rendering.entries[1].props == {
        "type": "etcd_reader",
        "etcd_type": "er_physical_interface",
        "etcd_id": "00123",
    }
    assert rendering.parameters == {"primary_interface_id": "p", "secondary_interface_id": "00123"}
    assert rendering.refers == (
        Ref("config", "er_physical_interface", "p"),
        Ref("config", "er_physical_interface", "00123"),
    )
    assert (made.shown(rendering).document or "").count("etcd_id: ") == 2
    assert made.handler == "monitoring_worker"
    assert made.read_types == {"er_physical_interface"}


@pytest.mark.parametrize("value", ["p1", "it's: YAML", "{", None], ids=["skeleton", "YAML", "no YAML", "problem"])
def test_a_rendering_leaves_nothing_to_the_collector(value: str | None) -> None:
    """It rests while 100,000 are made."""
    made = reader("  etcd_id: {{ p }}\n", {"p": {"field": "p"}})
    render(made, {"p": value})
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            render(made, {"p": value})
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_static_hints_name_what_the_mappings_read() -> None:
    """Types on constant paths and own outputs are known before any resource is there."""
    mappings = {
        "ip": {"field": "ip", "path": ["ha_router_id", "primary_router_id"]},
        "own": {"output_key": "id"},
        "far": {"concatenate": [{"output_key": "x", "path": ["ha_router_id"]}]},
        "dynamic": {"field": "x", "path": [{"field": "which"}]},
    }
    made = reader("  etcd_id: {{ ip }}", mappings)
    assert made.config_types == {"ha_router", "edge_router"}
    assert made.outputs_types == {"ha_router"}
    assert made.own_outputs


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "renders no entry"),
        ("a: 1", "renders no entry"),
        ("e:\n  type: martian\n", "entry 'e' has the unknown type 'martian'"),
        ("e:\n  type: etcd_reader\n  etcd_type: t\n", "entry 'e' .*its etcd_id is missing$"),
        ("e:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ a }}\n", "its etcd_id is empty, because 'a' is null$"),
        ("e:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ a }}{{ b }}\n", "because 'a' and 'b' are null$"),
        ("e:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ a | upper }}\n", "because 'a' is null$"),
        ("e:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: ''\n", "its etcd_id is empty$"),
        ("e:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ slash }}\n", "its etcd_id: the id 'a/b' has a /"),
        ("e:\n  type: etcd_reader\n  etcd_type: ..\n  etcd_id: a\n", "its etcd_type: the id '..'"),
        ("e:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ long }}\n", "longer than 1024 bytes"),
        ("e:\n  type: router\n  timeout: x\n", "its timeout is 'x'"),
        ("e:\n  type: router\n  timeout: -1\n", "its timeout is -1"),
        ("e:\n  type: router\n  timeout: .inf\n", "its timeout"),
        ("e:\n  type: router\n  timeout: true\n", "its timeout is true"),
        ("e:\n  type: router\n  x: {{ nowhere }}\n", "line 3: parameter 'nowhere' is undefined"),
        ("e:\n  type: router\n  x: {{ breaks }}\n", "parameter 'breaks' has a line break"),
        ("e:\n  type: router\n  x: {{ colon }}\n", "no YAML|structure"),
        ("e:\n  type: router\n  x: {{ flow }}\n", "changes the structure of the document at 'x'"),
        ("e:\n  type: router\n  x: {{ anchor }}\n", "anchor or alias"),
    ],
)
def test_rendering_that_breaks_a_rule_is_a_problem(text: str, words: str) -> None:
    """Each rule's problem names entry, property and parameter; none is raised."""
    body = {
        "a": None,
        "b": None,
        "slash": "a/b",
        "long": "x" * 2000,
        "breaks": "x\n  y: z",
        "colon": "a: b",
        "flow": "[a, b]",
        "anchor": "&a b",
    }
    problem = render(template(text, {name: {"field": name} for name in body}), body).problem
    assert problem is not None
    with pytest.raises(Problem, match=words):
        raise Problem(problem)


def test_entry_of_another_worker_is_shown_and_no_problem() -> None:
    """A type of another worker is rendered, not served, and its empty properties are its worker's business."""
    rendering = render(template("e:\n  type: router\n  ip:\n"), {})
    assert rendering.problem is None
    assert not rendering.entries[0].served


@pytest.mark.parametrize(("text", "seconds"), [("120", 120), ("'120'", 120.0), ("0.5", 0.5), ("0", 0)])
def test_timeout_is_a_number_of_seconds(text: str, seconds: float) -> None:
    """A timeout is a number, in quotes as well; an absent or null one is none."""
    rendering = render(reader(f"  etcd_id: a\n  timeout: {text}\n"), {})
    assert rendering.entries[0].props["timeout"] == seconds
    assert render(reader("  etcd_id: a\n  timeout:\n"), {}).problem is None


def test_defaults_stand_where_the_document_gives_nothing() -> None:
    """A kind's default fills an absent or null property."""
    kinds = {"etcd_reader": dataclasses.replace(READER, defaults={"etcd_type": "t", "x": 1})}
    body = {"template_file": "e:\n  type: etcd_reader\n  etcd_id: a\n  x:\n"}
    made = compile_template("t", body, kinds, CATALOG, {})
    assert render(made, {}).entries[0].props == {"type": "etcd_reader", "etcd_id": "a", "x": 1, "etcd_type": "t"}


def test_all_reads_are_known_though_a_mapping_has_a_problem() -> None:
    """What was looked for before and after a problem is noted, so that the resource heals when it comes."""
    mappings = {
        "a": {"field": "x", "path": [{"id": "fk", "type": "t"}]},
        "b": {"field": "x", "path": [{"id": "fk", "type": "u"}]},
    }
    rendering = render(reader("  etcd_id: {{ a }}", mappings), {"fk": "1"})
    assert rendering.problem == "parameter 'a': t '1' is not there (and 1 more problem)"
    assert rendering.reads == (Ref("config", "t", "1"), Ref("config", "u", "1"))
    site = Site({("t", "1"): {"x": "found"}, ("u", "1"): {}})
    assert render(reader("  etcd_id: {{ a }}", mappings), {"fk": "1"}, site).entries[0].props["etcd_id"] == "found"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "template t has no template_file"),
        ({"template_file": 5}, "template t: its text is 5"),
        ({"template_file": "{% if %}"}, "template t, line 1"),
        ({"template_file": "", "parameter_mappings": []}, "parameter_mappings is"),
        ({"template_file": "", "parameter_mappings": {"p": "Xy"}}, "template t: parameter 'p': 'Xy' is no short form"),
    ],
)
def test_template_that_is_none_is_refused_when_compiled(body: dict[str, object], words: str) -> None:
    """A template with a wrong text or mapping is a problem that names it."""
    with pytest.raises(Problem, match=words):
        compile_template("t", body, KINDS, CATALOG, {})


SHAPES = [
    HA_TEMPLATE.replace("primary_interface_id", "a").replace("secondary_interface_id", "b"),
    "e:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ a }} # {x}\n  port: {{ b }}\n",
    "e:\n  type: router\n  x: {{ a }}-{{ b }}\n  y: 'q{{ a }}'\n  z: \"{{ b }}\"\n",
    "e:\n  type: router\n  x: {{ b }}\nl:\n- m: {{ a }}:{{ b }}\n- {{ a }}\n",
    "e:\n  type: router\n  x: pre {{ a }}\n  y: {{ a }} post\n  k:\n    n: {{ b }}\n",
    "e:\n  type: router\n  x: [{{ a }}, {{ b }}]\n",
    "e:\n  type: router\n  x: |\n    {{ a }}\n    {{ b }}\n",
    "e:\n  type: router\n  {{ a }}: {{ b }}\n",
    "e:\n  type: {{ a }}\n  # {{ b }}\n",
    "{{ a }}: {{ b }}\n",
    "e:\n  type: router\n  x: !!str {{ a }}\n  y: &n {{ b }}\n  z: *n\n",
    "e:\n  type: router\n  x: {{ a }}\n    {{ b }}\n",
    "e:\n  type: router\n  x: {{ a }}\n  x: {{ b }}\n",
    "e: {type: router, x:\n{{ a }}\n}\n",
    "e: {type: router, x:\n.{{ a }}{{ b }} }\n",
]
ODD = [
    "",
    "x",
    "00123",
    "1e5",
    "no",
    "2019-04-05",
    "true",
    "null",
    "~",
    "-",
    "- a",
    "--- a",
    "...",
    "# a",
    "a #b",
    "a: b",
    "a:",
    ":a",
    "'",
    '"',
    "'a'",
    '"a"',
    "it's",
    "[a",
    "[a]",
    "{a: b}",
    "{{ a }}",
    "{% if %}",
    "&a b",
    "*a",
    "!x",
    "!!str",
    "|",
    ">",
    "%a",
    "@a",
    "`a",
    "? a",
    ", a",
    "a\nb",
    "a\tb",
    " a",
    "a ",
    "a  b",
    "\x00",
    "\ue0000\ue001",
    "\u2028",
    "é",
    "x" * 10_000,
    "x " * 5_000,
    "0x1f",
    "0o7",
    ".inf",
    "=",
    "<<",
    "2001:db8::1",
    "a:b",
    "ae0.1025",
    "xe-0/0/3",
]
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.text(alphabet="ab01 :#-'\"[]{},&*!|>%@`~.\\/=?e\n\t", max_size=8),
    st.lists(st.text(max_size=3), max_size=2),
    st.sampled_from([{}, {"k": "v"}, {"k": None}]),
)
COMPILED = [template(text, {"a": {"field": "a"}, "b": {"field": "b"}}) for text in SHAPES]
PLAIN = [plain(made) for made in COMPILED]


@settings(max_examples=300)
@given(shape=st.sampled_from(range(len(SHAPES))), a=VALUES, b=VALUES)
@example(shape=len(SHAPES) - 2, a="...", b="x")
@example(shape=len(SHAPES) - 2, a="... x", b="x")
@example(shape=len(SHAPES) - 2, a="---", b="x")
@example(shape=len(SHAPES) - 1, a="..", b=None)
def test_both_ways_give_the_same(shape: int, a: object, b: object) -> None:
    """Whatever the values, the skeleton's way and the plain way give the same entries and extras, or both a problem."""
    body = {"a": a, "b": b}
    fast, slow = render(COMPILED[shape], body), render(PLAIN[shape], body)
    assert (fast.problem is None) == (slow.problem is None), (fast.problem, slow.problem)
    if fast.problem is None:
        assert repr(fast) == repr(slow)


@pytest.mark.parametrize("shape", range(4))
def test_ordinary_values_take_no_yaml(shape: int) -> None:
    """Ids, names, addresses and numbers are safe: no document is parsed for them."""
    skeleton = COMPILED[shape]._skeleton
    assert skeleton is not None
    for value in ("16f6433d-7b1a-4b0e-a4e5-0a0000000000", "ae0.1025", "xe-0/0/3", "2001:db8::1", 830, True):
        assert skeleton.build({"a": value, "b": value}) is not None


@pytest.mark.parametrize("a", ODD)
def test_value_reaches_no_key_and_no_other_entry(a: str) -> None:
    """However odd a value, names of entries and properties are the template's, or there is a problem."""
    rendering = render(COMPILED[0], {"a": a, "b": "x"})
    if rendering.problem is None:
        assert [entry.name for entry in rendering.entries] == ["primary", "secondary"]
        assert [list(entry.props) for entry in rendering.entries] == [["type", "etcd_type", "etcd_id"]] * 2
        assert rendering.entries[1].props["etcd_id"] == "x"
