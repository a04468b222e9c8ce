"""Entry types: what a rendered resource of some ``type`` hangs on, and what its states make of it.

A type is a class found through the entry-point group ``ha_monitor.plugins``. One instance is made for each rendered
resource, from its properties.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from ha_monitor.lang.kinds import FOREIGN_KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ha_monitor.model import Status
    from ha_monitor.reading.state import State

GROUP = "ha_monitor.plugins"


class StateRef(NamedTuple):
    """A state key, by resource type and id."""

    type: str
    id: str


class EntryType(Protocol):
    """What a plugin's class offers."""

    types: ClassVar[tuple[str, ...]]
    """The values of an entry's ``type`` that it serves."""
    required: ClassVar[tuple[str, ...]]
    """Properties that must be there and not empty."""
    text: ClassVar[frozenset[str]]
    """Properties whose scalars stay text, whatever they look like."""
    ids: ClassVar[frozenset[str]]
    """Those of them that are ids: one path segment."""
    defaults: ClassVar[Mapping[str, Any]]
    """Values of properties that are not there."""

    def __init__(self, props: Mapping[str, Any]) -> None:
        """Take the properties of one rendered resource."""

    @property
    def keys(self) -> Sequence[StateRef]:
        """The states it hangs on."""

    def evaluate(self, states: Sequence[State | None]) -> tuple[Status, str]:
        """Give status and reason for the states, in the order of ``keys`` (``None``: there is none).

        Pure and quick: it runs on the event loop. UP, DOWN, or UNKNOWN where nothing can be said yet; the latter
        becomes FAIL by itself when it lasts for the entry's ``timeout``.
        """


def load_plugins() -> Mapping[str, type[EntryType]]:
    """Find the classes of all installed plugins, by the entry type that they serve."""
    found: dict[str, type[EntryType]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        cls = point.load()
        found.update(dict.fromkeys(cls.types, cls))
    return found


def kinds(plugins: Mapping[str, type[EntryType]]) -> Mapping[str, Kind]:
    """Give what the template language has to know of every entry type, ours and other workers'."""
    served = {
        name: Kind(served=True, required=cls.required, text=cls.text, ids=cls.ids, defaults=cls.defaults)
        for name, cls in plugins.items()
    }
    return {**FOREIGN_KINDS, **served}
