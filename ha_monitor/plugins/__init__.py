"""Entry types: what a rendered resource of some ``type`` hangs on, and what its states make of it.

A type is a class found through the entry-point group ``ha_monitor.plugins``. One instance is made for each rendered
resource, from its properties. A class whose ``evaluate`` goes by the states alone says so with ``shared = True``: then
one instance evaluates for all, which matters where there are 200,000 (not so where it has a ``run``). What is wrong
with a plugin is a problem in words; it stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias

from ha_monitor.lang.kinds import FOREIGN_KINDS, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        """Take the properties of one rendered resource; a ``ValueError`` is a problem of the resource, in its words."""

    @property
    def keys(self) -> Sequence[StateRef]:
        """The states it hangs on, always the same; none where it only works on its own."""

    def evaluate(self, states: Sequence[State | None]) -> tuple[Status, str]:
        """Give status and reason for the states, in the order of ``keys`` (``None``: there is none).

        Pure and quick: it runs on the event loop. UP, DOWN, or UNKNOWN where nothing can be said yet; the latter
        becomes FAIL by itself when it lasts for the entry's ``timeout``.
        """


Report: TypeAlias = Callable[[], None]
"""Has ``evaluate`` asked again, since what it goes by has changed."""


class WorkingEntryType(EntryType, Protocol):
    """A plugin that needs a timer or I/O of its own offers this as well."""

    async def run(self, report: Report) -> None:
        """Do the work of one rendered resource: keep what it finds in the instance, and ``report()`` it.

        Runs in a task and a cancel scope of its own, which ends with the rendered resource or the monitor. Where it
        raises an exception the entry is UNKNOWN, with its words, and the work begins anew after a pause.
        """


class Plugins(NamedTuple):
    """The classes that were found, by the entry type that they serve; and name and words of what can't be used."""

    classes: Mapping[str, type[EntryType]]
    problems: tuple[tuple[str, str], ...]


def load_plugins() -> Plugins:
    """Find the classes of all installed plugins."""
    found: dict[str, type[EntryType]] = {}
    problems = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        try:
            cls = point.load()
            wrong = _wrong(cls) or _taken(cls, found)
        except Exception as error:  # noqa: BLE001 - whatever somebody else's module does when it is imported
            wrong = f"can't be loaded: {error!r}"
        if wrong:
            problems.append((point.name, f"{point.value}: {wrong}"))
        else:
            found.update(dict.fromkeys(cls.types, cls))
    return Plugins(found, tuple(problems))


def _wrong(cls: Any) -> str:
    """Say what a plugin's class lacks."""
    if not isinstance(cls, type):
        return f"{cls!r} is no class"
    for name, kind, words in _FACTS:
        value = getattr(cls, name, None)
        if not isinstance(value, kind) or not all(isinstance(item, str) for item in value):
            return f"its {name} is {value!r}, not {words}"
    if not cls.types:  # type: ignore[attr-defined]
        return "it serves no type"
    return "" if callable(getattr(cls, "evaluate", None)) else "it has no evaluate(states)"


_FACTS = (
    ("types", tuple, "a tuple of names"),
    ("required", tuple, "a tuple of names"),
    ("text", frozenset, "a frozenset of names"),
    ("ids", frozenset, "a frozenset of names"),
    ("defaults", Mapping, "a mapping from names"),
)


def _taken(cls: type[EntryType], found: Mapping[str, type[EntryType]]) -> str:
    return next((f"type {name} is served by {found[name].__name__} already" for name in cls.types if name in found), "")


def kinds(plugins: Mapping[str, type[EntryType]]) -> Mapping[str, Kind]:
    """Give what the template language has to know of every entry type, ours and other workers'."""
    served = {
        name: Kind(served=True, required=cls.required, text=cls.text, ids=cls.ids, defaults=cls.defaults)
        for name, cls in plugins.items()
    }
    return {**FOREIGN_KINDS, **served}
