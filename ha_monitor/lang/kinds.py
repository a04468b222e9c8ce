"""Entry types: what is known of each, and the types that other workers serve, which are shown and not published."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Kind:
    """An entry type.

    ``served`` tells whether this service evaluates it. Of its properties, those in ``required`` must be there and not
    be null, those in ``text`` stay the text that the document has, those in ``ids`` must besides be valid ids, and
    those in ``defaults`` have a value where the document gives none.
    """

    served: bool
    required: tuple[str, ...] = ()
    text: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    defaults: Mapping[str, object] = field(default_factory=dict)


_SESSION = ("host", "port", "login", "password")
_COUNTERS = (
    "in_firewall_name",
    "out_firewall_name",
    "counter_name_in_primary",
    "counter_name_out_primary",
    "counter_name_in_secondary",
    "counter_name_out_secondary",
    "server_username",
    "server_password",
    "server_ssh_port",
    "primary_server_ip",
    "secondary_server_ip",
)
_SNMP_PORT = ("community_name", "device_ip", "name")

FOREIGN_KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        type_: Kind(served=False, required=required)
        for type_, required in {
            "router": ("community_name", "ip"),
            "switch": ("community_name", "ip"),
            "physical_port": _SNMP_PORT,
            "logical_port": _SNMP_PORT,
            "vrrp_session": (*_SESSION, "interface", "vrid", "wanted_status"),
            "bgp_session": (*_SESSION, "peer_address", "instance"),
            "nova_vm": ("server_id",),
            "virtual_network": ("uuid", "fq_name"),
            "virtual_machine_interface": ("uuid", "fq_name"),
            "kafka_messenger": ("kafka_topic", *_COUNTERS),
        }.items()
    }
)
"""The types that other workers serve, with the properties that these need."""
