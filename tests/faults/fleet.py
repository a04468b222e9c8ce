"""A small fleet of HA interfaces for the fault tests, and its oracle: what has to be published, worked out afresh."""

from __future__ import annotations

import json
from typing import Any

TEMPLATE = {
    "body": {
        "id": "ha_interface_monitoring",
        "handler": "monitoring_worker",
        "watch": [],
        "template_file": (
            "primary:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n"
            "  etcd_id: {{ primary_interface_id }}\n"
            "secondary:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n"
            "  etcd_id: {{ secondary_interface_id }}\n"
        ),
        "parameter_mappings": {
            "primary_interface_id": {"field": "primary_interface_id"},
            "secondary_interface_id": {"field": "secondary_interface_id"},
        },
    },
    "version": 1,
    "marked_for_deletion": False,
}
TEMPLATE_KEY = "/config/v2.0/heat_templates/ha_interface_monitoring"
CONFIGS = "/config/v2.0/ha_interfaces/"
STATES = "/monitoring/v2.0/er_physical_interfaces/"
RECORDS = "/monitoring/v2.0/ha_interfaces/"

UP, DOWN = '{"interface":"UP","version":1}', '{"interface":"DOWN","version":1}'


def config(number: int, version: int = 1) -> str:
    body = {"id": f"ha{number}", "primary_interface_id": f"p{number}", "secondary_interface_id": f"s{number}"}
    return json.dumps({"body": json.dumps(body), "version": version, "marked_for_deletion": False})


def fleet(count: int) -> dict[str, str]:
    """Give the keys of so many HA interfaces, all of them up."""
    keys = {TEMPLATE_KEY: json.dumps(TEMPLATE)}
    for number in range(count):
        keys[f"{CONFIGS}ha{number}"] = config(number)
        keys[f"{STATES}p{number}"] = keys[f"{STATES}s{number}"] = UP
    return keys


def expected(items: dict[str, bytes]) -> dict[str, Any]:
    """Give every record that has to stand, from everything that is in etcd; each state is there and readable."""
    records = {}
    for key, value in items.items():
        if not key.startswith(CONFIGS) or TEMPLATE_KEY not in items:
            continue
        envelope = json.loads(value)
        body = json.loads(envelope["body"])
        record = {"version": envelope["version"]}
        for side in ("primary", "secondary"):
            state = json.loads(items[STATES + body[f"{side}_interface_id"]])
            record[side] = state["interface"]
        records[RECORDS + body["id"]] = record
    return records


def standing(items: dict[str, bytes]) -> dict[str, Any]:
    """Give every record that stands."""
    return {key: json.loads(value) for key, value in items.items() if key.startswith(RECORDS)}


def difference(stands: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Say which records are not what they have to be."""
    keys = sorted(key for key in stands.keys() | wanted.keys() if stands.get(key) != wanted.get(key))
    return "; ".join(f"{key} is {stands.get(key)}, not {wanted.get(key)}" for key in keys)
