"""Secrets: which parameters hold them, and that nothing shown has them in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_monitor.errors import Problem
from ha_monitor.lang import compile_template
from tests.lang.language_site import CATALOG, KINDS, Site
from tests.lang.test_lang_template import ODD, SHAPES

ODD_TEXT = st.one_of(st.sampled_from([odd for odd in ODD if len(odd) < 100]), st.text(max_size=5))

TEXT = """\
session:
  type: bgp_session
  login: {{ login }}
  password: {{ password }}
  note: "{{ key }}-{{ login }}"
"""
BODY = {"login": "me", "server_password": "s3cr3t: #1", "nested": {"api_key": ["k1-long", "k2-long"]}}
MAPPINGS = {
    "login": {"field": "login"},
    "password": {"concatenate": [{"field": "server_password"}, "x"]},
    "key": {"nested": ["nested", "api_key"]},
}


def test_a_parameter_that_comes_from_a_password_like_field_is_shown_to_nobody() -> None:
    template = compile_template(
        "t_monitoring", {"template_file": TEXT, "parameter_mappings": MAPPINGS}, KINDS, CATALOG, {}
    )
    assert template.secrets == {"password", "key"}
    rendering = template.render("t", "1", BODY, Site())
    assert rendering.parameters["password"] == "s3cr3t: #1x", "whoever evaluates has it"
    shown = template.shown(rendering)
    assert shown.parameters == {"login": "me", "password": "redacted", "key": ["redacted", "redacted"]}
    assert shown.document is not None
    assert "login: me\n  password: redacted\n" in shown.document
    for secret in ("s3cr3t", "k1-long"):
        assert secret not in f"{shown} {rendering.problem}"


@pytest.mark.parametrize(
    "mapping",
    ["Pserver_password", {"constant": "DB_PASSWORD"}, {"if_mapping": {"constant": True}, "then_mapping": "Ppasswd"},
     {"output_key": "admin_Token"}, {"field": "x", "path": ["password_holder_id"]}],
)  # fmt: skip
def test_every_operator_tells_where_its_value_comes_from(mapping: object) -> None:
    body = {"template_file": "a: {{ p }}", "parameter_mappings": {"p": mapping}}
    secret = not (isinstance(mapping, dict) and "path" in mapping)  # what leads there is an id
    assert (compile_template("t_monitoring", body, KINDS, CATALOG, {}).secrets == {"p"}) is secret


def test_which_names_are_secret_is_a_setting() -> None:
    body = {"template_file": "a: {{ pin }}", "parameter_mappings": {"pin": "Ppin"}}
    assert compile_template("t", body, KINDS, CATALOG, {}, ("PIN",)).secrets == {"pin"}
    assert compile_template("t", body, KINDS, CATALOG, {}).secrets == set()


SECRET = "Hunter2Swordfish"
FIELD = {"password": {"field": "password"}}
READER = "e:\n  type: etcd_reader\n  etcd_type: t\n"


def told(text: str, mappings: object, body: dict[str, object]) -> str:
    """Return the problem of a resource, and that what is shown of it does not tell its secret."""
    made = compile_template("t_monitoring", {"template_file": text, "parameter_mappings": mappings}, KINDS, CATALOG, {})
    rendering = made.render("t", "1", body, Site())
    assert rendering.problem is not None
    assert SECRET not in f"{made.shown(rendering)}"
    return rendering.problem


@pytest.mark.parametrize(
    "line",
    [
        "etcd_id: {{ password }}",
        "x: '{{ password }}'",
        'x: "{{ password }}"',
        "x: !{{ password }} y",
        "{{ password }}: x",
        "x: {{ password | upper }}",
        "x: {{ {'k': 1}[password] }}",
        "x: {{ 'a' | match(password) }}",
        "timeout: {{ password }}",
        "x: {% for a, b in [password] %}{% endfor %}",
        "x: {% if password %}{{ 1 / 0 }}{% else %}{{ nowhere }}{% endif %}",
    ],
)
@pytest.mark.parametrize(
    "password",
    [
        f"it's\\q{SECRET}/\": - [",
        f"{SECRET * 8}/: - ('\"",
        f"{SECRET}!x/ y '\": [a(",
        f"a: {SECRET}'\"/(",
        f"%{SECRET}\"'/: (",
    ],
    ids=range(5),
)
def test_no_problem_of_a_document_has_a_secret_in_it(line: str, password: str) -> None:
    problem = told(f"{READER}  {line}\n", FIELD, {"password": password})
    assert SECRET.lower()[:8] not in problem.lower()


@pytest.mark.parametrize(
    ("mapping", "password"),
    [
        ({"concatenate": ["x-", {"field": "password"}]}, {"value": SECRET}),
        ({"for_field": {"field": "password"}, "for_mapping": {"field": "x"}}, SECRET),
        ({"for_field": {"field": "password"}, "for_mapping": {"field": "x"}}, [SECRET]),
        ({"regexp": ["x", {"field": "password"}]}, f"{SECRET}("),
        ({"regexp": ["x", {"field": "password"}]}, [SECRET]),
        ({"regexp": ["x", {"field": "password"}]}, SECRET * 40),
    ],
)
@pytest.mark.parametrize("name", ["password", "other"])
def test_no_problem_of_a_mapping_has_a_secret_in_it(name: str, mapping: object, password: object) -> None:
    problem = told(f"{READER}  etcd_id: {{{{ {name} }}}}\n", {name: mapping}, {"password": password})
    assert problem.startswith(f"parameter '{name}': ")
    assert SECRET[:8] not in problem


@pytest.mark.parametrize("mapping", [SECRET, {"constant": SECRET, "field": 1}, {"value": SECRET}, [SECRET]])
def test_no_problem_of_a_template_has_what_it_says_of_a_secret(mapping: object) -> None:
    with pytest.raises(Problem, match="parameter 'password': ") as caught:
        compile_template("t", {"template_file": "", "parameter_mappings": {"password": mapping}}, KINDS, CATALOG, {})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("timeout: {{ other }}", "entry 'e': its timeout is 'a/b', not a number of seconds from 0 on"),
        ("etcd_id: {{ empty }}", "entry 'e' (etcd_reader): its etcd_id is empty, because 'empty' is null"),
        ("x: {{ nowhere }}", "template t_monitoring, line 5: parameter 'nowhere' is undefined: 'x: {{ nowhere }}'"),
        ("x: {{ key }}", "parameter 'key' has a line break or control character in it"),
    ],
)
def test_a_problem_that_is_none_of_a_secret_is_told_in_full(line: str, words: str) -> None:
    mappings: dict[str, object] = {name: {"field": name} for name in ("password", "other", "empty")}
    mappings["key"] = "Pprivate_key"
    body: dict[str, object] = {"password": SECRET, "other": "a/b", "private_key": f"---\n{SECRET}\n---"}
    text = f"e:\n  type: etcd_reader\n  etcd_type: {{{{ password }}}}\n  etcd_id: i\n  {line}\n"
    assert told(text, mappings, body) == words


@settings(max_examples=150)
@given(shape=st.sampled_from(SHAPES), before=ODD_TEXT, after=ODD_TEXT, listed=st.booleans())
def test_whatever_a_secret_is_nobody_is_shown_it(shape: str, before: str, after: str, listed: bool) -> None:
    password: object = before + SECRET + after
    mappings = {"a": {"field": "password"}, "b": {"field": "b"}}
    made = compile_template("t", {"template_file": shape, "parameter_mappings": mappings}, KINDS, CATALOG, {})
    rendering = made.render("t", "1", {"password": [password] if listed else password, "b": "x"}, Site())
    assert SECRET not in f"{rendering.problem} {made.shown(rendering)}"
