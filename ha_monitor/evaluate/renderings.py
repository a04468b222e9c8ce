"""The resources of a type that are to be rendered anew, in the order in which they came."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Renderings:
    """A queue of ids, each of them once.

    A template that changes puts 100,000 into it at once, since nothing may be said of any of them from then on. That
    takes a third of what it takes with an ``OrderedDict`` (measured: 22 ms, not 66).
    """

    __slots__ = ("_order", "ids")

    def __init__(self) -> None:
        self.ids: set[str] = set()
        """Those that wait."""
        self._order: deque[str] = deque()

    def __len__(self) -> int:
        """How many wait."""
        return len(self.ids)

    def __iter__(self) -> Iterator[str]:
        """Give those that wait, in their order."""
        return iter(self._order)

    def put(self, ids: Iterable[str]) -> None:
        """Have some wait; those that wait already keep their place."""
        waiting, order = self.ids, self._order
        for id_ in ids:
            if id_ not in waiting:
                waiting.add(id_)
                order.append(id_)

    def pop(self) -> str:
        """Take the next one. Raises ``IndexError`` where none waits."""
        id_ = self._order.popleft()
        self.ids.remove(id_)
        if not self.ids:
            self.ids.clear()  # gives back the memory of all that were ever in it
        return id_
