"""A small site to look at: HA interfaces on pairs of physical ones, and VPN gateways on top of some of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from ha_monitor.settings import LAYOUTS

if TYPE_CHECKING:
    from ha_monitor.settings import SiteLayout

_READER = "{name}:\n  type: etcd_reader\n  etcd_type: {type}\n  etcd_id: {{{{ {parameter} }}}}\n"

CITIES = ("tokyo-1", "tokyo-2", "osaka-1", "osaka-2", "nagoya-1", "sapporo-1", "sendai-1", "fukuoka-1")


class Interface(NamedTuple):
    """An HA interface and the ids of its two sides."""

    id: str
    name: str
    primary: str
    secondary: str


INTERFACES = tuple(
    Interface(name, name, f"{name}-ae{2 * number}", f"{name}-ae{2 * number + 1}") for number, name in enumerate(CITIES)
)

UP, DOWN = '{"interface":"UP","version":1}', '{"interface":"DOWN","version":1}'


def state_key(interface_id: str, layout: SiteLayout = "esi") -> str:
    """Give the state key of a physical interface."""
    return f"{LAYOUTS[layout]['monitoring_prefix']}/v2.0/er_physical_interfaces/{interface_id}"


def worker_state(interface: Interface, version: int, layout: SiteLayout = "esi") -> tuple[str, str]:
    """Give the key at which a worker reports that it has built an HA interface to a version, and the value."""
    return _worker_state(f"ha_interfaces/{interface.id}", version, layout)


def _worker_state(path: str, version: int, layout: SiteLayout) -> tuple[str, str]:
    report = {"state": {}, "version": version, "error": ""}
    return f"{LAYOUTS[layout]['state_prefix']}/v2.0/{path}", json.dumps(report)


def config(interface: Interface, version: int) -> tuple[str, str]:
    """Give the key and the value of an HA interface's config at a version."""
    return f"/config/v2.0/ha_interfaces/{interface.id}", _config(
        version,
        id=interface.id,
        name=interface.name,
        primary_interface_id=interface.primary,
        secondary_interface_id=interface.secondary,
    )


def sample_site(layout: SiteLayout = "esi") -> dict[str, str]:
    """Give the keys and values of the site, everything up, and built by its workers."""
    site = {
        "/config/v2.0/heat_templates/ha_interface_monitoring": _template(
            "ha_interface",
            _reader("primary", "er_physical_interface", "primary_interface_id")
            + _reader("secondary", "er_physical_interface", "secondary_interface_id"),
            ("primary_interface_id", "secondary_interface_id"),
        ),
        "/config/v2.0/heat_templates/vpn_gateway_monitoring": _template(
            "vpn_gateway", _reader("downlink", "ha_interface", "downlink_interface_id"), ("downlink_interface_id",)
        ),
    }
    for interface in INTERFACES:
        site |= dict([config(interface, 1), worker_state(interface, 1, layout)])
        site |= {state_key(side, layout): UP for side in (interface.primary, interface.secondary)}
    for interface in INTERFACES[:2]:
        id_ = f"vpn-{interface.name}"
        site[f"/config/v2.0/vpn_gateways/{id_}"] = _config(1, id=id_, name=id_, downlink_interface_id=interface.id)
        site |= dict([_worker_state(f"vpn_gateways/{id_}", 1, layout)])
    return site


def _reader(name: str, type_: str, parameter: str) -> str:
    return _READER.format(name=name, type=type_, parameter=parameter)


def _template(type_: str, text: str, fields: tuple[str, ...]) -> str:
    return _config(
        1,
        id=f"{type_}_monitoring",
        handler="monitoring_worker",
        template_file=text,
        parameter_mappings={field: {"field": field} for field in fields},
    )


def _config(version: int, **body: object) -> str:
    return json.dumps({"body": json.dumps(body), "version": version, "marked_for_deletion": False})
