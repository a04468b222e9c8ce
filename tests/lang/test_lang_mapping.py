"""Every operator of parameter mappings, long and short."""

from __future__ import annotations

from typing import Any

import pytest

from ha_monitor.errors import Problem
from ha_monitor.lang import Ref, compile_mapping
from tests.lang.language_site import Site, evaluate, scope

SITE = Site(
    configs={
        ("internet_gateway", "gw"): {"id": "gw", "downlink_interface_id": "ha", "vrf": "v1", "bad": "a/b"},
        ("ha_interface", "ha"): {"id": "ha", "name": "downlink", "ha_router_id": "gone", "nested": {"a": [{"b": 7}]}},
    },
    outputs={("gw_interface", "own"): {"id": "stack"}, ("internet_gateway", "gw"): {"fq_name": ["a", "b"]}},
)
BODY: dict[str, object] = {
    "id": "own",
    "service_type": "internet",
    "internet_gw_id": "gw",
    "public_ip_id": None,
    "number": 5,
    "flag": True,
    "empty": "",
    "nested": {"a": {"b": "deep"}},
    "list": [{"vrid": 1}, {"vrid": 2}, {}],
    "names": ["a"],
    "slash": "a/b",
    "odd_id": 7,
}
GATEWAY = {"concatenate": [{"field": "service_type"}, "_gw_id"]}
TYPED = {"id": "internet_gw_id", "type": "internet_gateway"}


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"field": "service_type"}, "internet"),
        ("Pservice_type", "internet"),
        ({"field": "absent"}, None),
        ({"field": "list"}, BODY["list"]),
        ({"field": "vrf", "path": ["internet_gw_id"]}, "v1"),
        ({"field": "name", "path": ["internet_gw_id", "downlink_interface_id"]}, "downlink"),
        ({"field": "name", "path": [GATEWAY, "downlink_interface_id"]}, "downlink"),
        ({"field": "vrf", "path": [TYPED]}, "v1"),
        ({"field": "absent", "path": [TYPED]}, None),
        ({"field": "vrf", "path": []}, None),
        ("Finternet_gateway+internet_gw_id:vrf", "v1"),
        ("Finternet_gateway+internet_gw_id:ha_interface+downlink_interface_id:name", "downlink"),
        ({"field": "x", "path": ["public_ip_id"], "ignore_missing": True}, None),
        ({"field": "x", "path": [{"id": "empty", "type": "t"}], "ignore_missing": True}, None),
        ({"field": "x", "path": [{"id": "number", "type": "t"}], "ignore_missing": True}, None),
        ({"field": "vrf", "path": ["internet_gw_id"], "ignore_missing": True}, "v1"),
        ({"nested": ["nested", "a", "b"]}, "deep"),
        ({"nested": ["nested", "a", "b", "c"]}, None),
        ({"nested": ["list", 1, "vrid"]}, 2),
        ({"nested": ["nested", "a", 0, "b"], "path": [GATEWAY, "downlink_interface_id"]}, 7),
        ("Onested:a", {"b": "deep"}),
        ({"constant": "SITE_CONSTANT"}, "secret-community"),
        ({"constant": "OTHER"}, "OTHER"),
        ({"constant": None}, None),
        ({"constant": [1]}, [1]),
        ("CSITE_CONSTANT", "secret-community"),
        ("C", ""),
        (
            {"concatenate": ["a-", {"field": "number"}, {"constant": "_IN"}, {"field": "absent"}, "Pnumber"]},
            "a-5_INPnumber",
        ),
        ({"concatenate": [{"field": "flag"}]}, "True"),
        ("ACese_device_&Pservice_type&Pabsent", "ese_device_internet"),
        ({"equal": [{"field": "service_type"}, "internet"]}, True),
        ({"equal": [{"field": "flag"}, {"constant": 1}]}, False),
        ({"equal": ["Pnumber", {"field": "number"}]}, False),
        ({"regexp": [{"field": "service_type"}, "inter|x"]}, True),
        ({"regexp": [{"field": "service_type"}, "net"]}, False),
        ({"regexp": [{"field": "service_type"}, {"constant": "a|inter"}]}, True),
        ({"regexp": [{"field": "absent"}, ".*"]}, False),
        ({"regexp": [{"field": "number"}, r"\d"]}, True),
        ({"if_mapping": {"equal": ["a", "a"]}, "then_mapping": "Pnumber", "else_mapping": "Cx"}, 5),
        ({"if_mapping": {"field": "absent"}, "then_mapping": "Pnumber", "else_mapping": {"constant": "x"}}, "x"),
        ({"if_mapping": {"field": "absent"}, "then_mapping": "Pnumber"}, None),
        ({"for_field": {"field": "list"}, "for_mapping": {"field": "vrid"}}, [1, 2, None]),
        ({"for_field": "Pabsent", "for_mapping": "Pvrid"}, []),
        ({"output_key": "id"}, "stack"),
        ({"output_key": "fq_name", "path": ["internet_gw_id"]}, ["a", "b"]),
        ("Minternet_gateway:internet_gw_id:fq_name", ["a", "b"]),
        ({"output_key": "none", "ignore_missing": True}, None),
        ("Vauto_filled", None),
    ],
)
def test_operator_gives_its_value(spec: object, value: object) -> None:
    """Each operator of the design, in both forms, gives what the design says."""
    assert evaluate(spec, BODY, SITE) == value


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"field": "x", "path": ["public_ip_id"]}, "public_ip_id of gw_interface 'own' is null"),
        (
            {"field": "x", "path": ["internet_gw_id", "downlink_interface_id", "ha_router_id"]},
            "ha_router 'gone' is not there",
        ),
        ({"field": "x", "path": ["number"]}, "nobody knows what gw_interface.number points to.*--schema"),
        ({"field": "x", "path": [{"id": "slash", "type": "t"}]}, "slash of gw_interface 'own': the id 'a/b' has a /"),
        ({"field": "x", "path": [{"id": "list", "type": "t"}]}, "an id is text"),
        ({"field": "x", "path": [{"field": "number"}]}, "a step of the path gives 5"),
        ({"output_key": "absent"}, "gw_interface 'own' has no stack output 'absent'"),
        ("Mt:odd_id:key", "t '7' has no stack outputs"),
        ({"concatenate": [{"field": "list"}]}, "a list is no text to join"),
        ({"for_field": "Pservice_type", "for_mapping": "Px"}, "for_field gives a text, not a list"),
        ({"for_field": "Pnames", "for_mapping": "Px"}, "element 1 of for_field is a text, not an object"),
        ({"regexp": ["a", {"constant": "(?=a)"}]}, "the pattern of regexp is wrong"),
        ({"regexp": ["a", {"constant": 5}]}, "the pattern of regexp is a number, not a text"),
    ],
)
def test_value_that_can_not_be_had_is_a_problem(spec: object, words: str) -> None:
    """Where there is no value the words name the field, the resource and the reason."""
    with pytest.raises(Problem, match=words):
        evaluate(spec, BODY, SITE)


def nested_concatenate(depth: int) -> Any:
    spec: Any = {"constant": "x"}
    for _ in range(depth):
        spec = {"concatenate": [spec]}
    return spec


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (5, "5 is no mapping"),
        ({}, "no known operator"),
        ({"feild": "x"}, "feild"),
        ({"field": ""}, "field is ''"),
        ({"field": "a", "pth": []}, "'pth' does not belong"),
        ({"field": "a", "path": "b"}, "path is 'b'"),
        ({"field": "a", "path": [5]}, "5, not the name of a field"),
        ({"field": "a", "path": [{"id": "b", "typ": "c"}]}, "typ"),
        ({"field": "a", "ignore_missing": "yes"}, "ignore_missing is 'yes'"),
        ({"nested": "a"}, "nested is 'a'"),
        ({"nested": [1.5]}, "1.5"),
        ({"concatenate": []}, "not a list of mappings"),
        ({"equal": ["a"]}, "equal has 1 parts, not 2"),
        ({"regexp": ["a", "("]}, r"the pattern '\(' is wrong"),
        ({"regexp": ["a", "((a{1000}){1000}){1000}"]}, "is wrong"),
        ({"regexp": ["a", "a" * 2000]}, "longer than 500"),
        ({"if_mapping": "Px"}, "no then_mapping"),
        ({"for_field": "Px"}, "no for_mapping"),
        ("", "'' is no short form"),
        ("Xname", "'Xname' is no short form"),
        ("P", "a part of 'P' is empty"),
        ("Fname", "'Fname' has no step"),
        ("Ft:name", "step 't'"),
        ("Mt:k", "2 parts, not three"),
        ("Oa:", "a part of 'Oa:' is empty"),
        ("Vother", "auto_filled"),
        ("A" * 5000, "an A within an A"),
        (nested_concatenate(40), "nested more than 32 deep"),
    ],
)
def test_wrong_mapping_is_refused_in_words(spec: object, words: str) -> None:
    """What is no mapping is a problem that quotes the offending text."""
    with pytest.raises(Problem, match=words):
        compile_mapping(spec)


def test_everything_read_or_looked_for_is_noted_in_order() -> None:
    """A missing target is a dependency as a present one is; the own config is none."""
    place = scope(BODY, SITE)
    for spec in (
        {"field": "x", "path": ["internet_gw_id", "downlink_interface_id", "ha_router_id"]},
        {"output_key": "id"},
        {"field": "id", "path": [{"id": "id", "type": "gw_interface"}]},
    ):
        try:
            compile_mapping(spec).evaluate(place)
        except Problem:
            continue
    assert list(place.reads) == [
        Ref("config", "internet_gateway", "gw"),
        Ref("config", "ha_interface", "ha"),
        Ref("config", "ha_router", "gone"),
        Ref("outputs", "gw_interface", "own"),
    ]


def test_plain_field_refers_to_what_its_relation_says() -> None:
    """A field that holds an id refers to that config without reading it; a null or invalid one refers to nothing."""
    place = scope({"internet_gw_id": "gw", "vpn_gw_id": None, "aws_gw_id": "a/b", "other": "x"}, SITE)
    for field in ("internet_gw_id", "vpn_gw_id", "aws_gw_id", "other"):
        compile_mapping({"field": field}).evaluate(place)
    assert list(place.refers) == [Ref("config", "internet_gateway", "gw")]
    assert not place.reads


def test_exception_of_the_look_up_passes_untouched() -> None:
    """A look-up that does not know yet says so by an exception of its own."""

    class NotYet(Exception):
        pass

    class Pending(Site):
        def config(self, type_: str, id_: str) -> None:
            raise NotYet

    with pytest.raises(NotYet):
        evaluate({"field": "x", "path": ["internet_gw_id"], "ignore_missing": True}, BODY, Pending())


@pytest.mark.parametrize(
    "spec",
    [
        {"for_field": "Pmany", "for_mapping": "Px"},
        {"for_field": "Psome", "for_mapping": {"concatenate": ["x" * 60_000]}},
        {"for_field": "Psome", "for_mapping": {"for_field": {"constant": [{}] * 3_000}, "for_mapping": "Px"}},
        {"concatenate": [{"constant": "x" * 60_000}] * 2},
        {"for_field": "Psome", "for_mapping": {"regexp": [{"constant": "x" * 65_000}, "(x+x+)+y"]}},
        {"for_field": "Psome", "for_mapping": {"regexp": ["a", {"concatenate": ["a" * 400, {"field": "n"}]}]}},
    ],
)
def test_mappings_are_bounded(spec: object) -> None:
    """No mapping takes more than its steps, or makes a text of more than 64 KiB."""
    with pytest.raises(Problem, match=r"more than 10000|longer than 65536"):
        evaluate(spec, {"many": [{}] * 20_000, "some": [{"n": n} for n in range(1_000)]})
