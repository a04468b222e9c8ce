"""A made-up site for the tests of the language, and the kinds of entries that they know."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from ha_monitor.lang import FOREIGN_KINDS, Catalog, Kind, Scope, Template, compile_mapping, compile_template

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT = frozenset({"etcd_type", "etcd_id"})
READER = Kind(served=True, required=("etcd_type", "etcd_id"), text=TEXT, ids=TEXT)
KINDS: Mapping[str, Kind] = MappingProxyType({**FOREIGN_KINDS, "etcd_reader": READER})
CATALOG = Catalog.builtin()

HA_TEMPLATE = """\
primary:
  type: etcd_reader
  etcd_type: er_physical_interface
  etcd_id: {{ primary_interface_id }}
secondary:
  type: etcd_reader
  etcd_type: er_physical_interface
  etcd_id: {{ secondary_interface_id }}
"""
HA_MAPPINGS = {name: {"field": name} for name in ("primary_interface_id", "secondary_interface_id")}


class Site:
    """A look-up in two dictionaries of ``(type, id)``."""

    def __init__(
        self,
        configs: Mapping[tuple[str, str], Mapping[str, object]] | None = None,
        outputs: Mapping[tuple[str, str], Mapping[str, object]] | None = None,
    ) -> None:
        self.configs = configs or {}
        self.stacks = outputs or {}

    def config(self, type_: str, id_: str) -> Mapping[str, object] | None:
        return self.configs.get((type_, id_))

    def outputs(self, type_: str, id_: str) -> Mapping[str, object] | None:
        return self.stacks.get((type_, id_))


def scope(body: Mapping[str, object], site: Site | None = None, type_: str = "gw_interface", id_: str = "own") -> Scope:
    return Scope(type_, id_, body, site or Site(), CATALOG, {"SITE_CONSTANT": "secret-community"})


def evaluate(spec: object, body: Mapping[str, object], site: Site | None = None) -> object:
    return compile_mapping(spec).evaluate(scope(body, site))


def template(text: str, mappings: object = None, template_id: str = "ha_interface_monitoring") -> Template:
    body = {"handler": "monitoring_worker", "template_file": text, "parameter_mappings": mappings or {}}
    return compile_template(template_id, body, KINDS, CATALOG, {})
