"""The last transitions of each resource and of all, in bounded memory."""

from __future__ import annotations

import pickle
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ha_monitor.model import Change

OF_ALL = 1_000
OF_ONE = 20
IN_TOTAL = 20_000
"""Changes kept for all resources together: about 5 MB. Those of the resources that have been quiet longest go first."""


class History:
    """Remembers changes."""

    def __init__(self, of_all: int = OF_ALL, of_one: int = OF_ONE, in_total: int = IN_TOTAL) -> None:
        self._all: deque[Change] = deque(maxlen=of_all)
        self._by_resource: OrderedDict[tuple[str, str], list[Change]] = OrderedDict()  # a deque takes 600 bytes
        self._of_one = of_one
        self._in_total = in_total
        self._count = 0

    def add(self, changes: Sequence[Change]) -> None:
        """Remember changes, in their order."""
        self._all.extend(changes)
        for change in changes:
            key = (change.type, change.id)
            ring = self._by_resource.get(key)
            if ring is None:
                self._by_resource[key] = [change]
                self._count += 1
                continue
            self._by_resource.move_to_end(key)
            ring.append(change)
            if len(ring) > self._of_one:
                del ring[0]
            else:
                self._count += 1
        while self._count > self._in_total:
            _, ring = self._by_resource.popitem(last=False)
            self._count -= len(ring)

    def rewrite(self) -> None:
        """Write all of it anew, in one place, which takes a tenth of a second where it is full.

        Changes of many resources lie among what was made with them, and keep the memory of all that from being given
        back once it is gone.
        """
        try:
            written = pickle.dumps((self._all, self._by_resource))  # what they share, they share again
        except (pickle.PicklingError, AttributeError, TypeError):  # a reason is a plugin's: any kind of text
            return
        self._all.clear()  # gone, before the new ones come
        self._by_resource.clear()
        self._all, self._by_resource = pickle.loads(written)  # noqa: S301 - it is our own, of this moment

    def of_all(self) -> tuple[Change, ...]:
        """Give the last changes, newest first."""
        return tuple(reversed(self._all))

    def of_one(self, type_: str, id_: str) -> tuple[Change, ...]:
        """Give the last changes of a resource, newest first; one that ended has them as well."""
        return tuple(reversed(self._by_resource.get((type_, id_), ())))
