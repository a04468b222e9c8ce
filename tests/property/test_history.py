"""Whatever happened, what is published in the end is what a fresh evaluation of all of etcd gives."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from tests.support import site
from tests.support.etcd import Etcd, encode
from tests.support.oracle import settled
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def gateway(number: int, below: int) -> dict[str, Any]:
    body = {"id": f"vpn@{number}", "downlink_interface_id": f"ha@{below}"}
    return {f"/config/v2.0/vpn_gateways/vpn@{number}": site.envelope(body)}


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
    st.builds(gateway, numbers, numbers),
    st.sampled_from([site.ha_template(), site.ha_template(), BROKEN, site.gateway_template()]),
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


# Not shrunk: each try of a failing history takes seconds. The history that fails is shown as it is.
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(transactions)
@example(  # a gateway reads a foreign record that stands where nothing is published
    [
        ([{f"{RECORDS[0]}ha@0": '{"primary":"UP","secondary":"FAIL","foreign":1}'}], []),
        ([pair(0, 1, "no secondary"), gateway(0, 0)], []),
    ]
)
def test_a_random_history_ends_in_what_a_fresh_evaluation_gives(
    pair_of_processes: tuple[Etcd, Service], history: list[tuple[list[dict[str, Any]], list[str]]]
) -> None:
    etcd, _ = pair_of_processes
    salt = uuid.uuid4().hex
    etcd.delete_prefix("")
    etcd.txn(site.ha_template() | site.gateway_template())
    for written, deleted in history:
        merged: dict[str, Any] = {}
        for one in written:
            merged.update(one)
        deletes = [key for key in dict.fromkeys(deleted) if key not in merged]
        etcd.txn(
            {fresh(key, salt): fresh(encode(value).decode(), salt) for key, value in merged.items()},
            [fresh(key, salt) for key in deletes],
        )
    etcd.wait("/", settled, timeout=30.0)


def fresh(text: str, salt: str) -> str:
    """Give ids that no example before had: who changes one record again and again is met with pauses."""
    return text.replace("@", salt)
