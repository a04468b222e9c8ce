"""The template language: from a template and a resource's config to its entries. Pure: no clock, no I/O, no asyncio."""

from ha_monitor.lang.catalog import Catalog
from ha_monitor.lang.ids import check_id
from ha_monitor.lang.kinds import FOREIGN_KINDS, Kind
from ha_monitor.lang.mapping import compile_mapping
from ha_monitor.lang.sandbox import JinjaTemplate, compile_text
from ha_monitor.lang.scope import Lookup, Ref, Scope
from ha_monitor.lang.template import Entry, Rendering, Template, compile_template

__all__ = [
    "FOREIGN_KINDS",
    "Catalog",
    "Entry",
    "JinjaTemplate",
    "Kind",
    "Lookup",
    "Ref",
    "Rendering",
    "Scope",
    "Template",
    "check_id",
    "compile_mapping",
    "compile_template",
    "compile_text",
]
