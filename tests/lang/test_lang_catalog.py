"""Prefixes, plurals and relations; ids."""

from __future__ import annotations

import pytest

from ha_monitor.errors import Problem
from ha_monitor.lang import Catalog, check_id
from ha_monitor.lang.ids import id_text


@pytest.mark.parametrize(
    ("type_", "prefix"),
    [
        ("ha_interface", "/v2.0/ha_interfaces"),
        ("policy", "/v2.0/policies"),
        ("key", "/v2.0/keys"),
        ("reserve_address", "/v2.0/reserve_addresses"),
        ("box", "/v2.0/boxes"),
        ("switch", "/v2.0/switches"),
    ],
)
def test_prefix_without_schema_is_the_english_plural(type_: str, prefix: str) -> None:
    """A type that no schema names has its keys under its English plural."""
    assert Catalog.builtin().prefix(type_) == prefix


def test_relations_of_the_ha_chain_are_built_in() -> None:
    """The relations that the design names are known without any file."""
    catalog = Catalog.builtin()
    assert catalog.relation("ha_interface", "primary_interface_id") == "er_physical_interface"
    assert catalog.relation("er_physical_interface", "device_id") == "edge_router"
    assert catalog.relation("port", "device_id") is None
    for gateway in ("vpn", "internet", "aws", "azure", "gcp", "interdc", "common_function"):
        for field in ("downlink_interface_id", "uplink_interface_id"):
            assert catalog.relation(f"{gateway}_gateway", field) == "ha_interface"
    assert catalog.relation("internet_gateway", "associated_uplink_id") == "ha_interface"
    assert catalog.relation("anything", "new_gw_id") == "new_gateway"
    assert catalog.relation("anything", "_gw_id") is None


def test_schema_file_wins_over_the_built_in_table() -> None:
    """A schema's prefix and relations win; the built-in ones stay where it is silent."""
    properties = {"primary_interface_id": {"relation": "other"}, "name": {"type": "string"}}
    document = {
        "schemas": [
            {"id": "ha_interface", "plural": "ha_things", "prefix": "/v3", "schema": {"properties": properties}},
            {"id": "mouse", "plural": "mice", "prefix": "/v2.0"},
        ]
    }
    catalog = Catalog.from_schemas([document])
    assert catalog.prefix("ha_interface") == "/v3/ha_things"
    assert catalog.type_of("/v3/ha_things") == "ha_interface"
    assert catalog.prefix("mouse") == "/v2.0/mice"
    assert catalog.relation("ha_interface", "primary_interface_id") == "other"
    assert catalog.relation("ha_interface", "secondary_interface_id") == "er_physical_interface"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "a schema document is"),
        ({"schemas": {}}, "a schema document is"),
        ({"namespaces": {}}, "a schema document is"),
    ],
)
def test_a_document_of_another_shape_is_refused_in_words(document: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Catalog.from_schemas([document])


@pytest.mark.parametrize("text", ["a", "a b", "00123", "é", "a.b", "...", "x" * 1024, "é" * 512, "a:b#c"])
def test_one_path_segment_is_an_id(text: str) -> None:
    """What is one path segment of up to 1024 bytes is an id."""
    check_id(text)


@pytest.mark.parametrize(
    "text", ["", "a/b", "/", ".", "..", "a\nb", "a\x00", "\x7f", "\u2028", "x" * 1025, "é" * 513, "\ud800"]
)
def test_what_could_lead_out_of_a_prefix_is_no_id(text: str) -> None:
    """No slash, dot segment, control character, line break or overlong text passes."""
    with pytest.raises(Problem):
        check_id(text)


def test_number_as_id_is_its_json_text() -> None:
    """A JSON number or boolean is an id by its JSON text; lists and objects are none."""
    assert [id_text(value) for value in ("a", 7, 1.5, True)] == ["a", "7", "1.5", "true"]
    odd: tuple[object, ...] = ([], {}, 1 << 70)
    for value in odd:
        with pytest.raises(Problem):
            id_text(value)
