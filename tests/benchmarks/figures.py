"""Figures of one row, of several rounds: medians, spread, the ratio to the floor, and the table of all rows."""

from __future__ import annotations

import statistics
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass
class Row:
    """One figure of the product and, where there is one, the same of its floor, a value for each round.

    ``target`` is a bound of product/floor, or of the product alone where nothing stands beside it: from above where
    ``at_most``, else from below; ``None`` where it is only shown.
    """

    name: str
    unit: str
    target: float | None
    at_most: bool = True
    floor_is: str = ""
    product: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Product by floor, of the medians; the product's median where there is no floor."""
        product = statistics.median(self.product)
        return product / statistics.median(self.floor) if self.floor else product

    @property
    def met(self) -> bool | None:
        """Whether it is as it should be; ``None`` where nothing is asked of it."""
        if self.target is None:
            return None
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    """Give all of it for a file."""
    return [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows]


def show(rows: list[Row], title: str) -> None:
    """Print the table, where there is anything in it."""
    if not rows:
        return
    table = Table(title=title, title_justify="left")
    for heading in ("", "product", "floor", "", "ratio", "target", ""):
        table.add_column(heading, justify="left" if not heading else "right")
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        table.add_row(
            f"{row.name} [{row.unit}]".replace("[", r"\["),
            _spread(row.product),
            _spread(row.floor),
            row.floor_is,
            f"{row.ratio:.2f}" if row.floor else "",
            "" if row.target is None else f"{sign} {row.target:g}",
            {None: "", True: "met", False: "MISSED"}[row.met],
        )
    Console(width=140 if not sys.stdout.isatty() else None).print(table)


def side_by_side(sizes: list[list[Row]], headings: list[str]) -> None:
    """Print the product's figures at several sizes, a column each."""
    table = Table()
    for heading in ("", *headings):
        table.add_column(heading, justify="right" if heading else "left")
    for rows in zip(*sizes, strict=True):
        if rows[0].product:
            table.add_row(
                f"{rows[0].name} [{rows[0].unit}]".replace("[", r"\["), *(_spread(row.product) for row in rows)
            )
    Console(width=140 if not sys.stdout.isatty() else None).print(table)


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    low, middle, high = (_short(value) for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low}-{high})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"
