"""Which key is what: where the configs, states, records and stack outputs of a type are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ha_monitor.lang.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Keyspace:
    """The prefixes of one site; every prefix it gives ends in ``/``."""

    catalog: Catalog
    config_root: str
    state_root: str
    record_root: str
    outputs_root: str
    maintenance_root: str
    """Empty: no resource is ever frozen."""

    @property
    def roots(self) -> tuple[str, ...]:
        """What every key begins with that is read or written."""
        roots = (self.config_root, self.state_root, self.record_root, self.outputs_root, self.maintenance_root)
        return tuple(f"{root}/" for root in roots if root)

    @property
    def maintenance(self) -> str:
        """Where the keys that freeze resources are, ``TYPE/ID`` each."""
        return f"{self.maintenance_root}/"

    def is_maintenance(self, key: str) -> bool:
        """Tell whether a key freezes a resource."""
        return bool(self.maintenance_root) and key.startswith(self.maintenance)

    @property
    def templates(self) -> str:
        """Where the templates are."""
        return f"{self.config_root}/v2.0/heat_templates/"

    def configs(self, type_: str) -> str:
        """Where the configs of a type are."""
        return f"{self.config_root}{self.catalog.prefix(type_)}/"

    def states(self, type_: str) -> str:
        """Where the states of a type are read."""
        return f"{self.state_root}{self.catalog.prefix(type_)}/"

    def records(self, type_: str) -> str:
        """Where the records of a type are published."""
        return f"{self.record_root}{self.catalog.prefix(type_)}/"

    def outputs(self, type_: str) -> str:
        """Where the stack outputs of a type are."""
        return f"{self.outputs_root}{self.catalog.prefix(type_)}/"
