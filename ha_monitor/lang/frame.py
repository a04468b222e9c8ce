"""What one rendering of a template keeps: names, output and fuel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ha_monitor.errors import Problem
from ha_monitor.lang.fuel import Fuel


class Undefined(Problem):
    """A name, key or place that is not there."""


class Frame:
    """One rendering: the names in scope, innermost last, the output so far and the fuel that is left."""

    __slots__ = ("fuel", "out", "scopes", "size")

    def __init__(self, parameters: Mapping[str, object]) -> None:
        self.scopes: list[dict[str, object]] = [dict(parameters)]
        self.fuel = Fuel()
        self.out: list[str] = []
        self.size = 0


Expression = Callable[[Frame], Any]
"""A compiled expression: returns its value in a rendering, or raises :class:`Problem`."""
