"""Whatever happened, what is published in the end is what a fresh evaluation of all of etcd gives."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support import site
from tests.support.etcd import Etcd, encode
from tests.support.oracle import expected_records
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

GATEWAY = site.template(
    "vpn_gateway_monitoring",
    "downlink:\n  type: etcd_reader\n  etcd_type: ha_interface\n  etcd_id: {{ downlink_interface_id }}\n"
    "notes:\n  - {{ router_name }}\n",
    {
        "downlink_interface_id": {"field": "downlink_interface_id"},
        "router_name": {"field": "name", "path": ["downlink_interface_id"]},
    },
)
BROKEN = site.template("ha_interface_monitoring", "{% BROKEN %}")
RECORDS = ("/monitoring/v2.0/ha_interfaces/", "/monitoring/v2.0/vpn_gateways/")
STATES = (
    '{"interface":"UP","version":1}',
    '{ "interface" : "DOWN", "version" : 2 }',
    '{"status":{"interface":"ACTIVE"},"version":1}',
    "",
    "no JSON",
    "[1]",
    "{}",
)

numbers = st.integers(0, 2)


def pair(number: int, version: object, form: str) -> dict[str, Any]:
    body = {
        "id": f"ha@{number}",
        "name": "n",
        "primary_interface_id": f"p@{number}",
        "secondary_interface_id": "shared@",
    }
    values = {
        "object": site.envelope(body, version),
        "text": site.envelope(body, version, as_text=True),
        "marked": site.envelope(body, version, marked=True),
        "no body": {"version": version, "marked_for_deletion": False},
        "no secondary": site.envelope({**body, "secondary_interface_id": None}, version),
    }
    return {f"/config/v2.0/ha_interfaces/ha@{number}": values[form]}


puts = st.one_of(
    st.builds(
        pair,
        numbers,
        st.one_of(st.integers(1, 3), st.just("1")),
        st.sampled_from(["object", "object", "text", "marked", "no body", "no secondary"]),
    ),
    st.builds(
        lambda number, value: {f"/monitoring/v2.0/er_physical_interfaces/{number}": value},
        st.sampled_from(["p@0", "p@1", "p@2", "shared@"]),
        st.sampled_from(STATES),
    ),
    st.builds(
        lambda number, below: {
            f"/config/v2.0/vpn_gateways/vpn@{number}": site.envelope(
                {"id": f"vpn@{number}", "downlink_interface_id": f"ha@{below}"}
            )
        },
        numbers,
        numbers,
    ),
    st.sampled_from([site.ha_template(), site.ha_template(), BROKEN, GATEWAY]),
    st.builds(
        lambda number, value: {f"{RECORDS[0]}ha@{number}": value},
        numbers,
        st.sampled_from(['{"primary":"UP","secondary":"FAIL","foreign":1}', '{"foreign":1}', "rubbish"]),
    ),
)
keys_to_delete = st.sampled_from(
    [
        *(f"/config/v2.0/ha_interfaces/ha@{number}" for number in range(3)),
        *(f"/config/v2.0/vpn_gateways/vpn@{number}" for number in range(3)),
        *(f"/monitoring/v2.0/er_physical_interfaces/{name}" for name in ("p@0", "p@1", "p@2", "shared@")),
        *(f"{RECORDS[0]}ha@{number}" for number in range(3)),
    ]
)
transactions = st.lists(
    st.tuples(st.lists(puts, max_size=3), st.lists(keys_to_delete, max_size=2)), min_size=1, max_size=12
)


@pytest.fixture(scope="module")
def pair_of_processes() -> Iterator[tuple[Etcd, Service]]:
    etcd = Etcd().start()
    service = Service(etcd.url, "--state-timeout", "0.3").wait_ready()
    try:
        yield etcd, service
        service.stop()
    finally:
        service.kill()
        etcd.close()


def published(items: dict[str, bytes]) -> dict[str, Any]:
    """Give the records that stand, but for foreign ones on keys that nothing is published at."""
    records = {}
    for key, value in items.items():
        if key.startswith(RECORDS):
            try:
                records[key] = json.loads(value)
            except ValueError:
                records[key] = value
    return records


def settled(items: dict[str, bytes]) -> bool:
    standing, expected = published(items), expected_records(items)
    strangers = {key for key in standing.keys() - expected.keys() if _is_foreign(standing[key])}
    return {key: record for key, record in standing.items() if key not in strangers} == expected


def _is_foreign(record: object) -> bool:
    """Tell whether a record can't be of our making: then it stays where nothing is to be published."""
    return not isinstance(record, dict) or "foreign" in record


# Not shrunk: each try of a failing history takes seconds. The history that fails is shown as it is.
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(transactions)
def test_a_random_history_ends_in_what_a_fresh_evaluation_gives(
    pair_of_processes: tuple[Etcd, Service], history: list[tuple[list[dict[str, Any]], list[str]]]
) -> None:
    etcd, _ = pair_of_processes
    salt = uuid.uuid4().hex
    etcd.delete_prefix("")
    etcd.txn(site.ha_template() | GATEWAY)
    for written, deleted in history:
        merged: dict[str, Any] = {}
        for one in written:
            merged.update(one)
        deletes = [key for key in dict.fromkeys(deleted) if key not in merged]
        etcd.txn(
            {fresh(key, salt): fresh(encode(value).decode(), salt) for key, value in merged.items()},
            [fresh(key, salt) for key in deletes],
        )
    etcd.wait("/", settled, timeout=15.0)


def fresh(text: str, salt: str) -> str:
    """Give ids that no example before had: who changes one record again and again is met with pauses."""
    return text.replace("@", salt)
