"""Under load: no answer is older than it says, and one type's storm keeps no other type waiting."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.fleet import DOWN, STATES, TEMPLATE, UP, fleet
from tests.support.etcd import Etcd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import StartService
    from tests.support.service import Service

pytestmark = pytest.mark.thorough

STORM, CALM = "aa_storm", "zz_calm"
MANY = 3_000
SAMPLES = 40
SOON = 10.0
"""Seconds in which the calm type's record has to follow, on a busy machine; without turns it took minutes."""


def named(type_: str, count: int) -> dict[str, str]:
    """Give a fleet whose type has another name: the storm's sorts first."""
    return {
        key.replace("ha_interface", type_): value.replace("ha_interface", type_) for key, value in fleet(count).items()
    }


def hub(count: int) -> dict[str, str]:
    """Give as many resources that all read one state."""
    template: dict[str, Any] = json.loads(json.dumps(TEMPLATE).replace("ha_interface", STORM))
    template["body"]["template_file"] = "one:\n  type: etcd_reader\n  etcd_type: hub\n  etcd_id: h\n"
    template["body"]["parameter_mappings"] = {}
    configs = {
        f"/config/v2.0/{STORM}s/ha{number}": json.dumps({"body": {"id": f"ha{number}"}, "version": 1})
        for number in range(count)
    }
    return {
        f"/config/v2.0/heat_templates/{STORM}_monitoring": json.dumps(template),
        "/monitoring/v2.0/hubs/h": UP,
        **configs,
    }


def reading(primary: str) -> str:
    """Give the config of a resource whose primary is at that state."""
    body = {"id": "ha1", "primary_interface_id": primary, "secondary_interface_id": "s1"}
    return json.dumps({"body": body, "version": 1})


def put_template(etcd: Etcd, number: int) -> None:
    template = json.loads(json.dumps(TEMPLATE).replace("ha_interface", STORM))
    etcd.put(f"/config/v2.0/heat_templates/{STORM}_monitoring", {**template, "version": number})


def flip_hub(etcd: Etcd, number: int) -> None:
    etcd.put("/monitoring/v2.0/hubs/h", DOWN if number % 2 else UP)


@contextlib.contextmanager
def storm(url: Etcd, change: Callable[[Etcd, int], None], pause: float) -> Iterator[None]:
    """Change something again and again, from another client."""
    client, over = Etcd(port=url.port), threading.Event()

    def run() -> None:
        number = 1
        while not over.wait(pause):
            change(client, number)
            number += 1

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        client.close()


def see(service: Service, type_: str, revision: int, primary: str) -> bool:
    """Ask for a resource whose primary was put at a revision; tell whether the answer has it.

    An answer may be of before, but only if it says so: its revision is below the put's, then.
    """
    resource = service.json(f"/api/v1/resources/{type_}/ha1")
    right: bool = resource["entries"]["primary"]["status"] == primary
    assert right or resource["revision"] < revision, resource
    return right


@pytest.mark.parametrize(
    ("keys", "change", "pause"),
    [(named(STORM, MANY), put_template, 0.2), (hub(3 * MANY), flip_hub, 0.02)],
    ids=["renderings", "readers"],
)
def test_a_storm_in_one_type_makes_no_answer_untrue_and_no_other_type_wait(
    own_etcd: Etcd, service: StartService, keys: dict[str, str], change: Callable[[Etcd, int], None], pause: float
) -> None:
    items = list({**named(CALM, 3), **keys}.items())
    own_etcd.put(f"{STATES}broken", DOWN)
    for first in range(0, len(items), 100):
        own_etcd.txn(dict(items[first : first + 100]))
    running = service("--log-level", "error", etcd=own_etcd)
    with storm(own_etcd, change, pause):
        for number in range(SAMPLES):
            status, state = ("DOWN", DOWN) if number % 2 == 0 else ("UP", UP)
            if change is put_template:
                revision = own_etcd.put(f"/config/v2.0/{CALM}s/ha1", reading("broken" if state is DOWN else "p1"))
                own_etcd.put(f"/config/v2.0/{STORM}s/ha1", reading("broken" if state is DOWN else "p1"))
            else:
                revision = own_etcd.put(f"{STATES}p1", state)
            until = time.monotonic() + SOON
            while not see(running, CALM, revision, status):
                assert time.monotonic() < until, "the calm type waits for the other one"
            if change is put_template:
                see(running, STORM, revision + 1, status)
