"""The oracle: a fresh evaluation of everything in etcd, plain and slow, that shares no code with the product.

It knows the templates that the property tests use: pairs of readers, and a gateway on top of a pair by a path.
States that are not there, or can't be read, count as FAIL: the tests give them no time.
"""

from __future__ import annotations

import json
from typing import Any

CONFIG, MONITORING = "/config/v2.0", "/monitoring/v2.0"
UP_VALUES = ("UP", "ACTIVE")
_RECORDS = (f"{MONITORING}/ha_interfaces/", f"{MONITORING}/vpn_gateways/")
PLURALS = {
    "ha_interface": "ha_interfaces",
    "vpn_gateway": "vpn_gateways",
    "er_physical_interface": "er_physical_interfaces",
}


def expected_records(items: dict[str, bytes]) -> dict[str, Any]:
    """Give every record that has to stand once all is settled, by key."""
    records: dict[str, Any] = {}
    states = dict(items)
    for type_ in ("ha_interface", "vpn_gateway"):  # a gateway reads what is published for the pair below it
        prefix = f"{CONFIG}/{PLURALS[type_]}/"
        text = _template(items, type_)
        for key in [key for key in states if key.startswith(f"{MONITORING}/{PLURALS[type_]}/")]:
            if not _is_foreign(_record_at(states[key])):  # a foreign one may stay, and is read, where none is due
                del states[key]
        for key in sorted(items):
            if text is None or not key.startswith(prefix):
                continue
            record = _record(items, states, type_, text, key)
            if record is not None:
                target = f"{MONITORING}/{PLURALS[type_]}/{key.removeprefix(prefix)}"
                records[target] = record
                states[target] = json.dumps(record).encode()
    return records


def record_at_once(items: dict[str, bytes], type_: str, config: str) -> dict[str, Any] | None:
    """Give the record that is due for one config by the states that stand there; ``None`` where none is."""
    text = _template(items, type_)
    return None if text is None or config not in items else _record(items, items, type_, text, config)


def _template(items: dict[str, bytes], type_: str) -> str | None:
    envelope = decoded(items.get(f"{CONFIG}/heat_templates/{type_}_monitoring"))
    if not isinstance(envelope, dict) or envelope.get("marked_for_deletion") is True:
        return None
    body = envelope["body"] if isinstance(envelope["body"], dict) else json.loads(envelope["body"])
    text: str = body["template_file"]
    return None if "BROKEN" in text else text


def _record(
    items: dict[str, bytes], states: dict[str, bytes], type_: str, text: str, key: str
) -> dict[str, Any] | None:
    envelope = decoded(items[key])
    if not isinstance(envelope, dict) or envelope.get("marked_for_deletion") is True or "body" not in envelope:
        return None
    body = decoded(envelope["body"].encode()) if isinstance(envelope["body"], str) else envelope["body"]
    if not isinstance(body, dict) or not isinstance(envelope.get("version"), int):
        return None
    record: dict[str, Any] = {"version": envelope["version"]}
    for entry, read, field in _entries(text):
        if field == "router_name" and not _path_leads_somewhere(items, body):
            return None
        id_ = body.get(field)
        if not id_:
            return None
        record[entry] = status_of(states.get(f"{MONITORING}/{PLURALS[read]}/{id_}"))
    if "router_name" in text and not _path_leads_somewhere(items, body):
        return None
    return record


def _entries(text: str) -> list[tuple[str, str, str]]:
    """Read the entries off a template's text: name, type that is read, field that holds the id."""
    entries, name, read = [], "", ""
    for line in text.splitlines():
        if line and not line.startswith((" ", "-", "#", "{")) and line.rstrip().endswith(":"):
            name = line.rstrip()[:-1]
        elif "etcd_type:" in line:
            read = line.split(":")[1].strip()
        elif "etcd_id:" in line:
            entries.append((name, read, line.split("{{")[1].split("}}")[0].strip()))
    return entries


def _path_leads_somewhere(items: dict[str, bytes], body: dict[str, Any]) -> bool:
    """Follow a gateway's ``downlink_interface_id`` to the config of its pair."""
    envelope = decoded(items.get(f"{CONFIG}/ha_interfaces/{body.get('downlink_interface_id')}"))
    if not isinstance(envelope, dict) or envelope.get("marked_for_deletion") is True or "body" not in envelope:
        return False
    inner = decoded(envelope["body"].encode()) if isinstance(envelope["body"], str) else envelope["body"]
    return isinstance(inner, dict) and isinstance(envelope.get("version"), int)


def status_of(value: bytes | None) -> str:
    """Give what a state says; FAIL where it is not there, or can't be read."""
    state = decoded(value)
    if not isinstance(state, dict):
        return "FAIL"
    inner = state["status"] if isinstance(state.get("status"), dict) else state
    return "UP" if all(value in UP_VALUES for name, value in inner.items() if name != "version") else "DOWN"


def decoded(value: bytes | None) -> Any:
    """Decode JSON; ``None`` where it is none."""
    try:
        return None if value is None else json.loads(value)
    except ValueError:
        return None


def _published(items: dict[str, bytes]) -> dict[str, Any]:
    """Give the records that stand."""
    return {key: _record_at(value) for key, value in items.items() if key.startswith(_RECORDS)}


def _record_at(value: bytes) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def settled(items: dict[str, bytes]) -> bool:
    """Tell whether what is published equals a fresh evaluation."""
    return not differences(items)


def differences(items: dict[str, bytes]) -> list[str]:
    """Say which records are not what they have to be."""
    standing, expected = _published(items), expected_records(items)
    strangers = {key for key in standing.keys() - expected.keys() if _is_foreign(standing[key])}
    return [
        f"{key} is {standing.get(key)}, not {expected.get(key)}"
        for key in sorted(standing.keys() | expected.keys())
        if key not in strangers and standing.get(key) != expected.get(key)
    ]


def _is_foreign(record: object) -> bool:
    """Tell whether a record can't be of our making: then it stays where nothing is to be published."""
    return not isinstance(record, dict) or "foreign" in record
