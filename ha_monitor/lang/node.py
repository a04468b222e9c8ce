"""What every compiled parameter mapping can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ha_monitor.lang.catalog import Catalog
    from ha_monitor.lang.scope import Scope


class Hint(NamedTuple):
    """What a mapping reads as far as its text alone tells: a kind of key, and the type whose keys they are."""

    kind: Literal["config", "outputs"]
    type: str


class Node(Protocol):
    """A compiled mapping."""

    def evaluate(self, scope: Scope) -> object:
        """Return the mapping's value for the place that ``scope`` is at: JSON-like, ``None`` where there is none.

        Raises:
            Problem: there is no value, and why.
        """

    def hints(self, type_: str, catalog: Catalog) -> Iterator[Hint]:
        """Yield what the mapping, for a resource of ``type_``, reads beyond the resource's own config.

        What only the resource's values decide is left out.
        """

    def names(self) -> Iterator[str]:
        """Yield the names of the fields, outputs and constants that the value comes from."""
