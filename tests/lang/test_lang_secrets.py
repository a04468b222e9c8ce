"""Secrets: which parameters hold them, and that nothing shown has them in it."""

from __future__ import annotations

import pytest

from ha_monitor.lang import compile_template
from tests.lang.language_site import CATALOG, KINDS, Site

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


@pytest.mark.parametrize("password", ["not/an id", "x" * 100 + "/", "it's\n/quoted"])
def test_a_problem_does_not_quote_a_secret(password: str) -> None:
    text = "a:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ password }}\n"
    body = {"template_file": text, "parameter_mappings": {"password": {"field": "password"}}}
    problem = compile_template("t", body, KINDS, CATALOG, {}).render("t", "1", {"password": password}, Site()).problem
    assert problem is not None
    assert password[:20] not in problem
    assert "redacted" in problem or "line break" in problem
