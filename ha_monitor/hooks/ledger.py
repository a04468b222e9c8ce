"""What one receiver was told of all resources, and which of them is next. No I/O, no clock, no task.

A resource with something to tell is in one of four places: *ready* for its turn, *busy* while it is being told,
*resting* after a failure until it is due, or *held back* by its standing: in maintenance, told by another member of
the group, or by nobody just now. So no resource is told of twice at once, and each has its turn.
"""

from __future__ import annotations

import heapq
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from ha_monitor.hooks.account import (
    Account,
    begun,
    done,
    failed,
    left_to_others,
    noted,
    taken_as_told,
    told_by_others,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ha_monitor.model import Change, Status

Key: TypeAlias = "tuple[str, str]"
"""Type and id of a resource."""

_STALE = 64  # dues that are no longer meant and may stay, beside as many as are meant


class Standing(Enum):
    """Whether a resource is to be told of: at once, after its maintenance, or by another member of the group.

    ``NOBODYS``: by whoever publishes for it next, as no member does as far as is known.
    """

    OURS = "ours"
    MAINTENANCE = "maintenance"
    ELSEWHERE = "elsewhere"
    NOBODYS = "nobody's"


_LEFT = (Standing.ELSEWHERE, Standing.NOBODYS)  # to others: whether they tell can't be known


class Ledger:
    """All resources, as one receiver knows them. Times are monotonic seconds."""

    def __init__(self, window: float) -> None:
        """Begin with nothing told.

        :param window: seconds for which a change that another member is to tell is kept, to be told should that
            member have ended before it came to it.
        """
        self.version = 0
        """Another number whenever there is something else to remember."""
        self._window = window
        self._accounts: dict[Key, Account] = {}
        self._ready: dict[Key, None] = {}
        self._busy: set[Key] = set()
        self._due: dict[Key, float] = {}
        self._dues: list[tuple[float, Key]] = []
        self._failures: dict[Key, int] = {}
        self._held: dict[Key, Standing] = {}

    # -- what there is

    @property
    def pending(self) -> int:
        """How many resources have something to be told, now or after a pause."""
        return len(self._ready) + len(self._busy) + len(self._due)

    @property
    def failing(self) -> int:
        """How many resources could not be told of the last time that it was tried."""
        return len(self._failures)

    def held(self) -> Mapping[Key, Standing]:
        """Give the resources that are held back, and why."""
        return self._held

    def known(self) -> Iterator[Key]:
        """Give the resources of which anything is known."""
        return iter(self._accounts)

    def account(self, key: Key) -> Account:
        """Give what there is to know of a resource."""
        return self._accounts.get(key) or Account()

    # -- what happens

    def remember(self, key: Key, told: Mapping[str, Status], doubts: Mapping[str, Status | None]) -> None:
        """Take over what an earlier run remembered; it is compared with what is by :meth:`note`."""
        self._accounts[key] = Account(told=told, doubts=doubts)

    def take_as_told(self, key: Key, entry: str, status: Status | None) -> None:
        """Note what was there before anything could be told, where nothing is known of the entry."""
        account = self.account(key)
        if not account.is_known(entry):
            self._put(key, taken_as_told(account, entry, status))

    def note(self, change: Change, now: float, standing: Standing) -> None:
        """Note a change of a resource."""
        key = change.type, change.id
        if standing is not Standing.OURS and key not in self._busy:
            self.hold(key, standing, now)
        self._put(key, noted(self.account(key), change, now, elsewhere=standing in _LEFT))
        self._place(key)

    def next(self, now: float) -> Key | None:
        """Give the resource whose turn it is; ``None`` where there is none. What becomes of it is to be said next."""
        while self._dues and self._dues[0][0] <= now:
            due, key = heapq.heappop(self._dues)
            if self._due.get(key) == due:
                del self._due[key]
                self._ready[key] = None
        return next(iter(self._ready), None)

    def next_due(self) -> float | None:
        """Give when the next of those that rest is due."""
        return self._dues[0][0] if self._dues else None

    def hold(self, key: Key, standing: Standing, now: float) -> None:
        """Hold a resource back that is not being told of."""
        if standing in _LEFT and self._held.get(key) is not standing:
            self._put(key, left_to_others(self.account(key), now))
        for places in (self._ready, self._due, self._failures):
            places.pop(key, None)
        self._held[key] = standing

    def begin(self, key: Key) -> tuple[Change, float]:
        """Tell of a resource whose turn it is: gives the change, and when it was noted."""
        account, item = begun(self._accounts[key])
        del self._ready[key]
        self._busy.add(key)
        self._put(key, account)
        self.version += 1  # from now on it is in doubt
        return item.change, item.since

    def done(self, key: Key) -> None:
        """Note that the receiver was told."""
        self._busy.discard(key)
        self._failures.pop(key, None)
        self._put(key, done(self._accounts[key]))
        self._place(key)

    def failed(self, key: Key, due: float, *, perhaps: bool) -> None:
        """Note that the receiver was not told, or only perhaps, and when it is tried again."""
        self._busy.discard(key)
        self._put(key, failed(self._accounts[key], perhaps=perhaps))
        if self.account(key).waiting:
            self._failures[key] = self._failures.get(key, 0) + 1
            self._rest(key, due)
        else:
            self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """Give how often in a row it was tried in vain."""
        return self._failures.get(key, 0)

    def hasten(self, now: float) -> None:
        """Have all that rest tried now: what they failed for is over."""
        for key in tuple(self._due):
            self._rest(key, now)

    def look_again(self, key: Key, standing: Standing, now: float) -> None:
        """Note how it stands now with a resource that is held back."""
        before = self._held[key]
        account = self._accounts[key]
        if before is Standing.ELSEWHERE:
            account = told_by_others(account, now - self._window)
        if standing in _LEFT and standing is not before:
            account = left_to_others(account, now)  # only from now on does anybody tell it
        self._put(key, account)
        if standing is Standing.OURS or not account.waiting:
            del self._held[key]
            self._place(key)
        else:
            self._held[key] = standing

    # -- where a resource is

    def _put(self, key: Key, account: Account) -> None:
        before = self._accounts.get(key)
        if before is None or before.told is not account.told or before.doubts is not account.doubts:
            self.version += 1
        if account.empty:
            self._accounts.pop(key, None)
        else:
            self._accounts[key] = account

    def _rest(self, key: Key, due: float) -> None:
        self._due[key] = due
        heapq.heappush(self._dues, (due, key))
        if len(self._dues) > 2 * len(self._due) + _STALE:
            self._dues = [(due, key) for key, due in self._due.items()]
            heapq.heapify(self._dues)

    def _place(self, key: Key) -> None:
        """Put a resource where it belongs, and nowhere where nothing is to be told of it."""
        if key in self._busy:
            return
        if self.account(key).waiting:
            if key not in self._held and key not in self._due:
                self._ready[key] = None
            return
        for places in (self._ready, self._due, self._failures, self._held):
            places.pop(key, None)
