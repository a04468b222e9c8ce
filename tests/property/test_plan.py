"""What ``plan`` says of a change is what stands in etcd once the change was really put, and a monitor has settled."""

from __future__ import annotations

import json
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings

from ha_monitor.cli import cli
from tests.property.test_history import RECORDS, fresh, transactions
from tests.support import site
from tests.support.etcd import Etcd, encode
from tests.support.oracle import PLURALS, settled
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = "0.3"


@pytest.fixture(scope="module")
def watched() -> Iterator[Etcd]:
    """An etcd with a monitor on it."""
    etcd = Etcd().start()
    service = Service(etcd.url, "--state-timeout", TIMEOUT).wait_ready()
    try:
        yield etcd
        service.stop()
    finally:
        service.kill()
        etcd.close()


def records(items: dict[str, bytes]) -> dict[str, Any]:
    return {key: decoded(value) for key, value in items.items() if key.startswith(RECORDS)}


def decoded(value: bytes) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value.decode()


@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(transactions)
def test_what_is_planned_is_what_comes(watched: Etcd, history: list[tuple[list[Any], list[str]]]) -> None:
    salt = f"-{uuid.uuid4()}-"
    watched.delete_prefix("")
    watched.txn(site.ha_template() | site.gateway_template())
    for written, deleted in history[:-1]:
        watched.txn(*changed(written, deleted, salt))
    before = watched.wait("/", settled, timeout=30.0)
    puts, deletes = changed(*history[-1], salt)
    changes: dict[str, Any] = {**puts, **dict.fromkeys(deletes)}

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "change.json")
        file.write_text(json.dumps(changes))
        line = ["plan", str(file), "--json", "--etcd", watched.url, "--state-timeout", TIMEOUT]
        result = CliRunner().invoke(cli, line)
    assert result.exit_code in (0, 1), result.output
    items = json.loads(result.stdout)
    assert result.exit_code == (1 if items else 0)

    expected = records({**before, **{key: encode(value) for key, value in puts.items()}})
    for key in deletes:
        expected.pop(key, None)
    for key in [key for key in expected if key.startswith(RECORDS) and key in changes]:
        if key in records(before):  # a record of ours that the change touches is put right, unless the plan says more
            expected[key] = records(before)[key]
    for item in items:
        if item["type"] is not None:
            key = site.monitoring_key(PLURALS[item["type"]], item["id"])
            expected.pop(key, None)
            if item["after"]["record"] is not None:
                expected[key] = item["after"]["record"]

    watched.txn(puts, deletes)
    after = records(watched.wait("/", settled, timeout=30.0))
    known = {key for key in after.keys() | expected.keys() if key not in changes or key in planned_keys(items)}
    assert {key: after.get(key) for key in known} == {key: expected.get(key) for key in known}


def planned_keys(items: list[dict[str, Any]]) -> set[str]:
    return {site.monitoring_key(PLURALS[item["type"]], item["id"]) for item in items if item["type"] is not None}


def changed(written: list[Any], deleted: list[str], salt: str) -> tuple[dict[str, str], list[str]]:
    """Give what a transaction puts and deletes, with ids that no example before had."""
    merged: dict[str, Any] = {}
    for one in written:
        merged.update(one)
    puts = {fresh(key, salt): fresh(encode(value).decode(), salt) for key, value in merged.items()}
    return puts, [fresh(key, salt) for key in dict.fromkeys(deleted) if fresh(key, salt) not in puts]
