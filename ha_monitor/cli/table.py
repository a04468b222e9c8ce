"""Resources as a table on the terminal; a letter stands beside each colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ha_monitor.model import Resource

_STYLES = {
    Status.UP: "green",
    Status.DEGRADED: "bold yellow",
    Status.DOWN: "bold red",
    Status.FAIL: "bold red",
    Status.UNKNOWN: "dim",
}


def resources_table(resources: Iterable[Resource], title: str) -> Table:
    """Give a table with a line for each resource: status, active side, every entry."""
    table = Table(title=title, title_justify="left")
    for column in ("type", "name", "status", "active", "entries", "problem"):
        table.add_column(column)
    for resource in resources:
        entries = Text(", ").join(
            Text.assemble(f"{name} ", (str(entry.status), _STYLES[entry.status]))
            for name, entry in resource.entries.items()
        )
        table.add_row(
            resource.type,
            resource.name or resource.id,
            Text(str(resource.status), _STYLES[resource.status]),
            resource.active or "-",
            entries,
            resource.problem or "",
        )
    return table
