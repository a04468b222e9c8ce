"""However many types there are, and however few streams the server allows on a connection: every watch opens."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.fleet import TEMPLATE, UP
from tests.support.binaries import version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import StartService
    from tests.support.authority import Authority
    from tests.support.etcd import Etcd

pytestmark = pytest.mark.thorough

MANY, VERY_MANY = 120, 500
"""Types: with TLS, etcd 3.5.1 allows 250 streams on a connection, and each type has two or three prefixes."""
LIMITED_SINCE = (3, 5, 5)
"""The first version that has ``--max-concurrent-streams``."""


def types(count: int) -> Iterator[dict[str, str]]:
    """Give the keys of so many types, each with a template, a resource and the states of its entries."""
    for number in range(count):
        template: dict[str, Any] = json.loads(json.dumps(TEMPLATE).replace("ha_interface", f"kind{number}"))
        file = template["body"]["template_file"].replace("er_physical_interface", f"port{number}")
        template["body"]["template_file"] = file
        body = {"id": "one", "primary_interface_id": "p", "secondary_interface_id": "s"}
        ports = f"/monitoring/v2.0/port{number}s"
        yield {
            f"/config/v2.0/heat_templates/kind{number}_monitoring": json.dumps(template),
            f"/config/v2.0/kind{number}s/one": json.dumps({"body": body, "version": 1}),
            f"{ports}/p": UP,
            f"{ports}/s": UP,
        }


def fill(etcd: Etcd, count: int) -> None:
    batch: dict[str, str] = {}
    for keys in types(count):
        batch |= keys
        if len(batch) > 100:
            etcd.txn(batch)
            batch = {}
    if batch:
        etcd.txn(batch)


def record(etcd: Etcd, number: int, primary: str = "UP", secondary: str = "UP") -> None:
    """Wait for a record, by reading: a watch of the test's own would take the only stream there may be."""
    until = time.monotonic() + 30.0
    while etcd.record(f"/monitoring/v2.0/kind{number}s/one") != {
        "primary": primary, "secondary": secondary, "version": 1
    }:  # fmt: skip
        assert time.monotonic() < until, f"no such record of kind{number}"
        time.sleep(0.02)


def published(etcd: Etcd, count: int) -> None:
    """Find every record right, and one that changes right again."""
    for number in range(count):
        record(etcd, number)
    etcd.put(f"/monitoring/v2.0/port{count - 1}s/s", UP.replace("UP", "DOWN"))
    record(etcd, count - 1, secondary="DOWN")


@pytest.mark.parametrize("allowed", [1, 2, 12])
def test_a_server_that_allows_few_streams_is_served(
    make_etcd: Callable[..., Etcd], service: StartService, allowed: int
) -> None:
    if version() < LIMITED_SINCE:
        pytest.skip("this etcd has no option that limits the streams of a connection")
    etcd = make_etcd("--max-concurrent-streams", str(allowed))
    fill(etcd, 8)
    service(etcd=etcd)
    published(etcd, 8)
    etcd.kill()
    etcd.start()
    etcd.put("/monitoring/v2.0/port0s/p", UP.replace("UP", "DOWN"))
    record(etcd, 0, primary="DOWN")


@pytest.mark.parametrize("count", [MANY, pytest.param(VERY_MANY, marks=pytest.mark.long)])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_hundreds_of_types_are_served_by_a_server_with_its_defaults(
    request: pytest.FixtureRequest, authority: Authority, service: StartService, tls: bool, count: int
) -> None:
    etcd: Etcd = request.getfixturevalue("secure" if tls else "own_etcd")
    options = authority.options(*authority.issue("monitor")) if tls else ()
    fill(etcd, count)
    service(*options, etcd=etcd, ready=False).wait_ready(60.0)
    published(etcd, count)
