"""Nothing that stands in etcd stops the others: each bad value, then a flip elsewhere that shows within 2 s."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import site
from tests.support.hooks import wait_until

if TYPE_CHECKING:
    from .conftest import Site

ALL_IS_WELL = 5.0  # seconds in which /healthz has to answer, on a busy machine


def check_the_others(standing_site: Site) -> None:
    """See that the loop turns, and that a flip of a healthy interface is published."""
    status, _ = standing_site.service.get("/healthz", timeout=ALL_IS_WELL)
    assert status == 200
    standing_site.marker()


STATES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"UP",
    "an array": b'["UP"]',
    "a number": b"7",
    "1 MB of blanks": b" " * 1_000_000,
    "invalid UTF-8": b'{"interface":"\xff\xfe"}',
    "nested 10,000 deep": b'{"interface":' * 10_000 + b"1" + b"}" * 10_000,
    "cut short": b'{"interface":"U',
}


@pytest.mark.parametrize("value", STATES.values(), ids=STATES.keys())
def test_a_state_that_cannot_be_read_holds_the_record_and_heals(standing_site: Site, value: bytes) -> None:
    pair = standing_site.ha_interface()
    standing_site.etcd.put(pair.primary_state, value)
    check_the_others(standing_site)
    assert standing_site.etcd.record(pair.record) == site.record()
    standing_site.etcd.put(pair.primary_state, site.DOWN)
    standing_site.etcd.wait_record(pair.record, site.record("DOWN"))


def test_of_duplicate_keys_in_a_state_the_last_counts(standing_site: Site) -> None:
    pair = standing_site.ha_interface()
    standing_site.etcd.put(pair.primary_state, b'{"interface":"UP","interface":"DOWN","version":1}')
    standing_site.etcd.wait_record(pair.record, site.record("DOWN"))
    check_the_others(standing_site)


@pytest.mark.parametrize("depth", [90, 500, 968])
def test_what_is_nested_deep_is_explained_all_the_same(standing_site: Site, depth: int) -> None:
    too_deep = depth > 100
    pair = site.HaInterface(plural="deep_pairs")
    mappings = {**site.PAIR_MAPPINGS, "password": {"field": "password"}, "deep": {"field": "deep"}}
    body = json.dumps(site.envelope(pair.body | {"password": "DEEP", "deep": "DEEP"}))
    lists = "[" * depth + "]" * depth
    keys = {pair.config: body.replace('"DEEP"', lists), pair.primary_state: f'{{"interface": {lists}}}'}
    path = f"/api/v1/explain/deep_pair/{pair.id}"

    def problem() -> object:
        status, body = standing_site.service.get(path)
        return json.loads(body)["resource"]["problem"] if status == 200 else f"{status}: {body!r}"

    standing_site.etcd.txn(site.template("deep_pair_monitoring", site.PAIR, mappings) | pair.keys() | keys)
    check_the_others(standing_site)
    shown = "the config is nested more than 100 deep" if too_deep else None
    wait_until(lambda: problem() == shown, lambda: str(problem()))
    standing_site.etcd.put(pair.config, pair.envelope())
    check_the_others(standing_site)
    wait_until(lambda: problem() is None, lambda: str(problem()))
    told = standing_site.service.json(path)
    assert told["resource"]["entries"]["primary"]["status"] == ("UNKNOWN" if too_deep else "DOWN")


def bad_configs(pair: site.HaInterface) -> dict[str, Any]:
    return {
        "no body": {"version": 1, "marked_for_deletion": False},
        "body encoded twice": site.envelope(json.dumps(json.dumps(pair.body))),
        "version a string": site.envelope(pair.body, version="1"),
        "body a list": site.envelope([pair.body]),
        "not JSON": "{",
        "a number": "5",
        "empty": "",
        "nested 10,000 deep": '{"body":' * 10_000,
    }


@pytest.mark.parametrize("name", bad_configs(site.HaInterface()).keys())
def test_a_bad_config_is_a_problem_of_its_own_and_heals(standing_site: Site, name: str) -> None:
    pair = site.HaInterface()
    keys = pair.keys()
    keys[pair.config] = bad_configs(pair)[name]
    standing_site.etcd.txn(keys)
    check_the_others(standing_site)
    assert standing_site.etcd.get(pair.record) is None
    standing_site.etcd.put(pair.config, pair.envelope(2))
    standing_site.etcd.wait_record(pair.record, site.record(version=2))


TEMPLATES = {
    "not Jinja2": "{% if %}",
    "an unknown statement": "{% include 'x' %}",
    "no YAML": "primary: [",
    "a list": "- primary\n- secondary\n",
    "a text": "just words",
    "nothing": "",
    "an entry without type": "primary:\n  etcd_type: er_physical_interface\n  etcd_id: x\n",
    "an entry without etcd_id": "primary:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n",
    "an unknown type": "primary:\n  type: nobody_knows\n",
    "Python internals": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "internals by filter": "{{ primary_interface_id | attr('__class__') }}",
    "internals by a loop": "{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "10^9 rounds": "{% for i in range(1000000000) %}{{ i }}{% endfor %}",
    "rounds in rounds": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "a string of 1 GB": "{{ 'x' * 1000000000 }}",
    "a string doubled": "{% set a = 'x' * 60000 %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}",
    "a number of 10^9 digits": "{{ 10 ** 1000000000 }}",
    "an undefined parameter": "primary:\n  type: etcd_reader\n  etcd_type: t\n  etcd_id: {{ nobody }}\n",
    "a YAML bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{n}: &{n} [{','.join(['*' + p] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)),
    "a Python object": "primary: !!python/object/apply:os.system ['true']\n",
}


@pytest.mark.parametrize("text", TEMPLATES.values(), ids=TEMPLATES.keys())
def test_a_bad_template_is_refused_at_once_and_stops_nobody(standing_site: Site, text: str) -> None:
    pair = site.HaInterface(plural="odd_interfaces")
    standing_site.etcd.txn(site.template("odd_interface_monitoring", text) | pair.keys())
    check_the_others(standing_site)
    assert standing_site.etcd.get(pair.record) is None
    standing_site.etcd.txn(site.template("odd_interface_monitoring", site.PAIR))
    standing_site.etcd.wait_record(pair.record, site.record())


IDS = {
    "a slash": "../../secret",
    "a path": "a/b",
    "two dots": "..",
    "a line break": "a\nb",
    "64 KB": "x" * 65_536,
    "keys of its own": "x\nevil:\n  type: etcd_reader\n  etcd_type: ha_router\n  etcd_id: y",
    "a tab and a null": "a\t\x00b",
}


@pytest.mark.parametrize("odd", IDS.values(), ids=IDS.keys())
def test_an_odd_id_never_leads_the_reader_out_of_its_prefix(standing_site: Site, odd: str) -> None:
    pair = site.HaInterface(primary=odd)
    keys = {pair.config: pair.envelope(), pair.secondary_state: site.UP}
    for decoy in ("/monitoring/v2.0/secret", "/monitoring/secret", "/secret", "/monitoring/v2.0/ha_routers/y"):
        keys[decoy] = site.UP
    standing_site.etcd.txn(keys)
    check_the_others(standing_site)
    assert standing_site.etcd.get(pair.record) is None


def test_an_id_with_spaces_is_an_id(standing_site: Site) -> None:
    pair = site.HaInterface(primary="slot 1 port 2")
    standing_site.etcd.txn(pair.keys())
    standing_site.etcd.wait_record(pair.record, site.record())


def test_an_odd_key_below_a_prefix_is_passed_over(standing_site: Site) -> None:
    for key in ("", "a/b/c", "\x01", "é", "x" * 4_000):
        standing_site.etcd.put(f"/config/v2.0/ha_interfaces/{key}", site.envelope({}))
        standing_site.etcd.put(f"/monitoring/v2.0/er_physical_interfaces/{key}", site.UP)
    check_the_others(standing_site)
