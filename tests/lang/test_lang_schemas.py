"""gohan's schemas: the keys of each type, from its file and from a response of its API, and reported errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ha_monitor.keys import Keyspace
from ha_monitor.lang import Catalog
from ha_monitor.lang.places import Place, key_template
from ha_monitor.lang.schemas import Source, read_schemas
from tests.support.forms import FORMS, NAMESPACES, Form, documents, recorded_forms

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("file", "api")


def keyspace(catalog: Catalog) -> Keyspace:
    return Keyspace(catalog, "/config", "/live", "/records", "/stacks", "/frozen")


def check(form: Form, catalog: Catalog) -> None:
    """Hold a type's place against the key that gohan uses."""
    keys, id_ = keyspace(catalog), f"{form.type}-1"
    if form.key is None:
        assert form.type in catalog.unserved_types or catalog.schemas[form.type].unwritten
        return
    assert form.type not in catalog.unserved_types
    assert catalog.place(form.type).id_of(form.path) == id_
    config, state, record = keys.configs(form.type), keys.states(form.type), keys.records(form.type)
    for known_by, key in ((config, form.key), (state, f"/live{form.path}"), (record, f"/records{form.path}")):
        assert keys.is_among(key, {known_by})
        assert key.startswith(keys.folder(known_by))
        assert not keys.is_among(f"{key}/x", {known_by})
    if form.type not in keys.paths:
        assert config + id_ == form.key
    assert form.key.startswith(keys.config_roots)
    assert form.key.startswith(keys.roots)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.type)
def test_each_form_of_schema_gives_the_keys_that_gohan_uses(form: Form, kind: str) -> None:
    if kind == "api" and form.api is None:
        return
    check(form, Catalog.from_schemas([documents(FORMS, NAMESPACES)[kind]]))


@pytest.mark.parametrize("kind", KINDS)
def test_each_recorded_form_gives_the_keys_that_gohan_used(recorded_site: Path, kind: str) -> None:
    forms, namespaces = recorded_forms(recorded_site)
    catalog = Catalog.from_schemas([documents(forms, namespaces)[kind]])
    assert catalog.problems == ()
    for form in forms:
        if kind == "file" or form.api is not None:
            check(form, catalog)
        if kind == "api" and form.api is not None:  # an answer about one type alone
            check(form, Catalog.from_schemas([{"schemas": [form.api]}]))


def test_no_form_is_a_problem_of_another() -> None:
    for document in documents(FORMS, NAMESPACES).values():
        assert Catalog.from_schemas([document]).problems == ()


def test_an_older_answer_has_the_whole_url_in_its_prefix() -> None:
    old = [
        {"id": "group", "plural": "security-groups", "prefix": "/v2.0/security-groups"},
        {"id": "monitoring", "plural": "monitoring", "prefix": "/v1.0/monitoring"},
    ]
    catalog = Catalog.from_schemas([{"schemas": old}])
    assert catalog.prefix("group") == "/v2.0/security-groups"
    assert catalog.prefix("monitoring") == "/v1.0/monitoring"


def test_a_file_may_have_the_plural_at_the_end_of_its_prefix() -> None:
    schemas = [{"id": "a", "plural": "as", "prefix": "/v1/as"}, {"id": "b", "plural": "bs", "prefix": "/v1"}]
    assert Catalog.from_schemas([{"schemas": schemas}]).prefix("a") == "/v1/as/as"
    apart = [{"schemas": [schema]} for schema in schemas]
    assert Catalog(read_schemas([Source(apart)])).prefix("a") == "/v1/as/as"
    alone = Source(apart[:1], is_gohans=True)
    assert Catalog(read_schemas([alone])).prefix("a") == "/v1/as/as"
    assert Catalog(read_schemas([Source(apart[:1])])).prefix("a") == "/v1/as"


def test_what_a_schema_does_not_say_it_has_of_its_bases() -> None:
    base = {
        "id": "base", "type": "abstract", "prefix": "/v9", "namespace": "upper", "parent": "owner",
        "metadata": {"sync_plain": True, "state_versioning": True},
        "schema": {"properties": {"net": {"relation": "network"}, "own": {"relation": "x"}}},
    }  # fmt: skip
    derived = {
        "id": "thing", "plural": "things", "extends": ["base"], "metadata": {"sync_plain": False},
        "schema": {"properties": {"own": {"relation": "y"}}},
    }  # fmt: skip
    catalog = Catalog.from_schemas([{"schemas": [derived]}, {"namespaces": NAMESPACES}, {"schemas": [base]}])
    assert catalog.problems == ()
    assert catalog.place("thing") == Place("/fabric/v9/things/")
    assert [catalog.relation("thing", field) for field in ("net", "own", "owner_id")] == ["network", "y", "owner"]


def test_within_a_source_the_first_file_counts_and_a_later_source_wins() -> None:
    def document(prefix: str) -> dict[str, Any]:
        return {"schemas": [{"id": "a", "plural": "as", "prefix": prefix}]}

    one = Source([document("/v1"), document("/v2")])
    assert Catalog(read_schemas([one])).prefix("a") == "/v1/as"
    assert Catalog(read_schemas([one, Source([document("/v3")])])).prefix("a") == "/v3/as"
    twice = {"schemas": [*document("/v1")["schemas"], *document("/v2")["schemas"]]}
    assert Catalog.from_schemas([twice]).prefix("a") == "/v2/as"


@pytest.mark.parametrize(
    ("schema", "where", "words"),
    [
        (5, "schemas", "a schema has no id: 5"),
        ({"id": "a", "plural": 5}, "schema a", "plural is 5, not text"),
        ({"id": "a", "plural": "as", "prefix": 2.0}, "schema a", "prefix is 2.0, not text"),
        ({"id": "a", "plural": "as", "namespace": "n"}, "schema a", "its namespace 'n' is in no schema file"),
        ({"id": "a", "plural": "as", "namespace": "self"}, "schema a", "its namespace 'self' is its own parent"),
        ({"id": "a", "plural": "as", "extends": ["no"]}, "schema a", "it extends 'no', which is in no schema file"),
        ({"id": "a", "plural": "as", "extends": ["good"]}, "schema a", "it extends 'good', which is not abstract"),
        ({"id": "a", "schema": {"properties": [1]}}, "schema a", "its schema has no object of properties"),
        ({"id": "a", "schema": {"properties": {"f": 1}}}, "schema a", "property f is 1, not an object"),
        (
            {"id": "a", "schema": {"properties": {"f": {"relation": 5}}}},
            "schema a",
            "the relation of f is 5, not the name of a type",
        ),
    ],
)
def test_an_error_in_a_schema_is_reported_and_does_not_affect_other_types(
    schema: object, where: str, words: str
) -> None:
    good = {"id": "good", "plural": "goods", "prefix": "/v1"}
    circle = {"id": "self", "parent": "self", "prefix": "x"}
    catalog = Catalog.from_schemas([{"namespaces": [circle], "schemas": [schema, good]}])
    assert catalog.problems == ((where, words),)
    assert catalog.prefix("good") == "/v1/goods"
    assert catalog.prefix("a") == "/v2.0/as"


def test_types_that_share_their_keys_and_not_the_form_of_their_values_are_reported() -> None:
    enveloped = {"id": "a", "plural": "things", "prefix": "/v1"}
    plain = {"id": "b", "plural": "things", "prefix": "/v1", "metadata": {"sync_plain": True}}
    words = "its configs have the same keys as those of a, and values of another form"
    assert Catalog.from_schemas([{"schemas": [enveloped, plain]}]).problems == (("schema b", words),)
    assert Catalog.from_schemas([{"schemas": [enveloped, {**enveloped, "id": "b"}]}]).problems == ()


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("/v1/{{a}}/{{b}}", "it has no {{id}}, so a key does not identify its resource"),
        ("/v1/{{a}}-{{id}}", "its {{id}} is not a path segment of its own"),
        ("/{{a}}/{{id}}", "it does not begin with a constant folder, which could be watched"),
        ("/v1/{% if a %}{{id}}", "only {{field}} is supported, not {% or {#"),
        ("/v1/as", "it does not begin with a constant folder, which could be watched"),
    ],
)
def test_a_key_template_that_cannot_be_monitored_is_noted_for_its_type(template: str, words: str) -> None:
    schema = {"id": "a", "plural": "as", "metadata": {"sync_key_template": template}}
    catalog = Catalog.from_schemas([{"schemas": [schema]}])
    note = f"schema a: sync_key_template {template!r}: {words}"
    assert (catalog.problems, catalog.notes, catalog.unserved_types) == ((), (note,), {"a": note})


@pytest.mark.parametrize(
    ("template", "end", "id_"),
    [
        ("/v1/{{ a }}/{{ id }}", "x/y", "y"),
        ("/v1/{{a}}/{{id}}", "/y", "y"),
        ("/v1/{{a}}/{{id}}", "x/y/z", None),
        ("/v1/{{a|lower}}/k-{{id}}.json", "x/k-y.json", "y"),
        ("/v1/{{id}}/{{id}}", "y/y", "y"),
        ("/v1/{{id}}/{{id}}", "y/z", None),
        ("/v1/a{{b}}c/{{id}}/", "a.c/y/", "y"),
        ("/v1/a{{b}}c/{{id}}/", "abd/y/", None),
    ],
)
def test_the_id_of_a_resource_is_extracted_from_its_key(template: str, end: str, id_: str | None) -> None:
    folder, path = key_template(template)
    assert folder == "/v1/"
    assert path is not None
    assert path.id_of(end) == id_


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("/v1/a/{{id}}", "/v1/a/{{id}}", True),
        ("/v1/a/{{id}}", "/v1/b/{{id}}", False),
        ("/v1/a/{{x}}/{{id}}", "/v1/a/b/{{id}}", True),
        ("/v1/a/{{x}}/{{id}}", "/v1/a/{{id}}", False),
        ("/v1/a/{{x}}/b/{{id}}", "/v1/a/{{x}}/c/{{id}}", False),
        ("/v1/a/{{id}}/b", "/v1/a/{{x}}/{{id}}", True),
        ("/v1/a/x{{x}}/{{id}}", "/v1/a/y/{{id}}", False),
    ],
)
def test_two_places_overlap_where_one_path_may_be_of_both(one: str, other: str, meet: bool) -> None:
    places = [Place(*key_template(template)) for template in (one, other)]
    assert places[0].overlaps(places[1]) is meet
    assert places[1].overlaps(places[0]) is meet


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"state_versioning": True}, ""),
        ({}, "its schema does not have state_versioning: true"),
        ({"state_versioning": "yes"}, "its schema does not have state_versioning: true"),
        ({"state_versioning": True, "sync_key_template": "/v1/{{a}}/{{id}}"}, ""),
        (
            {"state_versioning": True, "sync_key_template": "/v1/{{a}}/{{ id }}"},
            "{{id}} is not a path segment of its own in its sync_key_template",
        ),
    ],
)
def test_a_type_whose_status_gohan_ignores_is_known(metadata: dict[str, object], words: str) -> None:
    catalog = Catalog.from_schemas([{"schemas": [{"id": "a", "plural": "as", "metadata": metadata}]}])
    assert catalog.schemas["a"].ignored == words
