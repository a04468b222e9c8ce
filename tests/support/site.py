"""The keys of a small site: templates, configs in both their forms, states in all of theirs."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

TEMPLATES = "/config/v2.0/heat_templates"
UP: dict[str, Any] = {"interface": "UP", "version": 1}
DOWN: dict[str, Any] = {"interface": "DOWN", "version": 1}
PAIR = (
    "primary:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n  etcd_id: {{ primary_interface_id }}\n"
    "secondary:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n  etcd_id: {{ secondary_interface_id }}\n"
)
PAIR_MAPPINGS = {
    "primary_interface_id": {"field": "primary_interface_id"},
    "secondary_interface_id": {"field": "secondary_interface_id"},
}
VPN_GATEWAY = (
    "downlink:\n  type: etcd_reader\n  etcd_type: ha_interface\n  etcd_id: {{ downlink_interface_id }}\n"
    "  timeout: 120\n"
    "db_mappings:\n  - mapped_id: {{ primary_device_ip }}-{{ downlink_interface_id }}\n    relation: instance\n"
)
VPN_GATEWAY_MAPPINGS = {
    "downlink_interface_id": {"field": "downlink_interface_id"},
    "primary_device_ip": {"field": "ip", "path": ["downlink_interface_id", "ha_router_id", "primary_router_id"]},
}


def new_id() -> str:
    """Give an id that no other resource has."""
    return str(uuid.uuid4())


def config_key(plural: str, resource_id: str) -> str:
    return f"/config/v2.0/{plural}/{resource_id}"


def monitoring_key(plural: str, resource_id: str) -> str:
    """Give the key of a resource's live status: a state that is read, or the record that is published."""
    return f"/monitoring/v2.0/{plural}/{resource_id}"


def state_key(plural: str, resource_id: str) -> str:
    return f"/state/v2.0/{plural}/{resource_id}"


def template_key(name: str) -> str:
    return f"{TEMPLATES}/{name}"


def envelope(body: object, version: object = 1, marked: bool = False, *, as_text: bool = False) -> dict[str, Any]:
    """Give what stands under a config key: the body as an object, or as gohan writes it, as a JSON string."""
    written = json.dumps(body, separators=(",", ":")) if as_text else body
    return {"body": written, "version": version, "marked_for_deletion": marked}


def template(
    name: str,
    text: str,
    mappings: dict[str, Any] | None = None,
    *,
    handler: str = "monitoring_worker",
    as_text: bool = False,
) -> dict[str, Any]:
    """Give the keys of one template."""
    body: dict[str, Any] = {
        "handler": handler,
        "watch": [],
        "id": name,
        "template_file": text,
        "parameter_mappings": PAIR_MAPPINGS if mappings is None else mappings,
    }
    return {template_key(name): envelope(body, as_text=as_text)}


def ha_template() -> dict[str, Any]:
    """Give the whole of ha_interface_monitoring."""
    return template("ha_interface_monitoring", PAIR)


def vpn_template() -> dict[str, Any]:
    return template("vpn_gateway_monitoring", VPN_GATEWAY, VPN_GATEWAY_MAPPINGS)


def reader_template(type_name: str, *, timeout: str = "") -> dict[str, Any]:
    """Give a template of one entry, ``port``, that reads the physical interface named by the field ``port_id``."""
    text = "port:\n  type: etcd_reader\n  etcd_type: er_physical_interface\n  etcd_id: {{ port_id }}\n"
    text += f"  timeout: {timeout}\n" if timeout else ""
    return template(f"{type_name}_monitoring", text, {"port_id": {"field": "port_id"}})


@dataclass(frozen=True)
class HaInterface:
    """The keys of one HA interface and of the two physical interfaces that it hangs on."""

    id: str = field(default_factory=new_id)
    primary: str = field(default_factory=new_id)
    secondary: str = field(default_factory=new_id)
    plural: str = "ha_interfaces"

    @property
    def config(self) -> str:
        return config_key(self.plural, self.id)

    @property
    def record(self) -> str:
        return monitoring_key(self.plural, self.id)

    @property
    def primary_state(self) -> str:
        return monitoring_key("er_physical_interfaces", self.primary)

    @property
    def secondary_state(self) -> str:
        return monitoring_key("er_physical_interfaces", self.secondary)

    @property
    def body(self) -> dict[str, Any]:
        return {"id": self.id, "primary_interface_id": self.primary, "secondary_interface_id": self.secondary}

    def envelope(self, version: object = 1, marked: bool = False, *, as_text: bool = False) -> dict[str, Any]:
        return envelope(self.body, version, marked, as_text=as_text)

    def keys(
        self, primary: object = UP, secondary: object = UP, *, version: object = 1, as_text: bool = False
    ) -> dict[str, Any]:
        """Give its config and both its states (``None``: no such state)."""
        states = {self.primary_state: primary, self.secondary_state: secondary}
        present = {key: value for key, value in states.items() if value is not None}
        return {self.config: self.envelope(version, as_text=as_text), **present}


def record(primary: str = "UP", secondary: str = "UP", version: int = 1) -> dict[str, Any]:
    """Give the record of a pair."""
    return {"primary": primary, "secondary": secondary, "version": version}


def gateway_template() -> dict[str, Any]:
    """Give the template of a gateway on top of a pair: it reads its record, and follows a path to its config."""
    return template(
        "vpn_gateway_monitoring",
        "downlink:\n  type: etcd_reader\n  etcd_type: ha_interface\n  etcd_id: {{ downlink_interface_id }}\n"
        "notes:\n  - {{ router_name }}\n",
        {
            "downlink_interface_id": {"field": "downlink_interface_id"},
            "router_name": {"field": "name", "path": ["downlink_interface_id"]},
        },
    )
