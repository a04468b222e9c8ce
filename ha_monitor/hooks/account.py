"""What one receiver was told of one resource, and what it is still to be told: values, and pure steps between them.

A receiver is told of entries, one at a time. While it is busy with one, what changes meanwhile waits: of each entry
only the newest, in the order in which it came. So nothing is told out of order, nothing piles up, and what is told last
is what is. An entry that is back at what was told last is not told, unless that is in doubt: a command that was killed
may have done its work, and so may another member of the group.

Each telling says what the whole resource is, too: its status and its active side. That is always the newest that was
noted, never what a part of the changes would come to: sides that changed together are never told of as both down. So
it may give away what still waits to be told of another entry, which is in doubt from then on, and told even where it
is back. What is told last of the resource therefore is what is, as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ha_monitor.model import Change, Status

T = TypeVar("T")

_NONE: Mapping[str, Status] = {}  # one for all that have none
_CERTAIN: Mapping[str, Status | None] = {}


class Waiting(Struct, frozen=True, gc=False):
    """A change that is to be told, and when it was noted, in monotonic seconds.

    Once it is being told, ``besides`` has the entries that are waiting meanwhile, with what the status of the resource
    gives away of them.
    """

    change: Change
    since: float
    besides: Mapping[str, Status | None] = _CERTAIN


class Account(Struct, frozen=True):
    """One resource, as one receiver knows it.

    ``told`` has the entries that it was told of, with their statuses; one that is not in it is not there as far as the
    receiver knows. ``doubts`` has those of which that is not certain, with what it may have been told besides.
    ``waiting`` is what it is to be told, at most one change an entry, oldest first; ``telling`` is under way.
    """

    told: Mapping[str, Status] = _NONE
    waiting: tuple[Waiting, ...] = ()
    telling: Waiting | None = None
    doubts: Mapping[str, Status | None] = _CERTAIN

    @property
    def empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not (self.told or self.waiting or self.telling or self.doubts)

    def last(self, entry: str) -> Status | None:
        """Give the newest status of an entry that was noted, told or not."""
        for item in reversed(self._all()):
            if item.change.entry == entry:
                return item.change.new
        return self.told.get(entry)

    def differs(self, entry: str, status: Status | None) -> bool:
        """Whether an entry that has this status is to be noted: it is another one, or what was told is in doubt."""
        if any(item.change.entry == entry for item in self._all()):
            return self.last(entry) != status
        return entry in self.doubts or self.told.get(entry) != status

    def is_known(self, entry: str) -> bool:
        """Whether anything was noted of an entry."""
        return entry in self.told or entry in self.doubts or any(item.change.entry == entry for item in self._all())

    def entries(self) -> set[str]:
        """Give the entries of which anything was noted."""
        return {*self.told, *self.doubts, *(item.change.entry for item in self._all())}

    def given_away(self) -> Mapping[str, Status | None]:
        """Give what is in doubt once the receiver was told what is under way."""
        besides = None if self.telling is None else self.telling.besides
        return {**besides, **self.doubts} if besides else self.doubts

    def perhaps(self) -> Mapping[str, Status | None]:
        """Give what is in doubt as long as it is not known whether the receiver was told."""
        change = None if self.telling is None else self.telling.change
        if change is None or change.new == self.told.get(change.entry):
            return self.given_away()
        return {**self.given_away(), change.entry: change.new}

    def _all(self) -> tuple[Waiting, ...]:
        return self.waiting if self.telling is None else (self.telling, *self.waiting)


def taken_as_told(account: Account, entry: str, status: Status | None) -> Account:
    """Note what the receiver knows without having been told: what there was before it could be."""
    return replace(account, told=_with(account.told, entry, status))


def noted(account: Account, change: Change, now: float, *, elsewhere: bool = False) -> Account:
    """Note a change.

    :param elsewhere: somebody else is to tell it, and it can't be known whether that comes to it.
    """
    entry, doubts = change.entry, account.doubts
    if elsewhere and change.old != change.new:
        doubts = {**doubts, entry: change.old}
    waiting = account.waiting and tuple(_now(item, change) for item in account.waiting if item.change.entry != entry)
    telling = account.telling and _now(account.telling, change)  # should it have to be told again
    account = Account(account.told, waiting, telling, doubts)
    if not _is_to_be_told(account, change):
        return account
    return Account(account.told, (*waiting, Waiting(change, now)), telling, doubts)


def begun(account: Account) -> tuple[Account, Waiting]:
    """Take what is to be told next; it says what the receiver was told before."""
    (first, *rest) = account.waiting
    change = first.change
    before = account.told.get(change.entry)
    if before == change.new:  # it is told again, since it is not certain that this is what it was told last
        before = account.doubts.get(change.entry)
        if before == change.new:  # another was to tell what was between
            before = change.old
    doubts = account.doubts
    besides = {item.change.entry: item.change.new for item in rest if item.change.entry not in doubts}
    first = Waiting(replace(change, old=before), first.since, besides)
    return replace(account, waiting=tuple(rest), telling=first), first


def done(account: Account) -> Account:
    """Note that the receiver was told."""
    change = _telling(account).change
    told, doubts = _with(account.told, change.entry, change.new), _without(account.given_away(), change.entry)
    return _open(replace(account, told=told, doubts=doubts, telling=None))


def failed(account: Account, *, perhaps: bool) -> Account:
    """Note that the receiver may not have been told: it is to be told again, or of what came meanwhile.

    :param perhaps: it may have been told all the same.
    """
    item = _telling(account)
    newer = any(other.change.entry == item.change.entry for other in account.waiting)
    waiting = account.waiting if newer else (replace(item, besides=_CERTAIN), *account.waiting)
    doubts = account.perhaps() if perhaps else account.doubts
    return _open(replace(account, waiting=waiting, doubts=doubts, telling=None))


def left_to_others(account: Account, now: float) -> Account:
    """Note that somebody else is to tell what waits, from now on; whether that comes to it can't be known."""
    doubts = {**account.doubts, **{item.change.entry: item.change.old for item in account.waiting}}
    return replace(account, doubts=doubts, waiting=tuple(Waiting(item.change, now) for item in account.waiting))


def told_by_others(account: Account, until: float) -> Account:
    """Take what was noted before ``until`` for told by somebody else."""
    told, doubts = account.told, account.doubts
    for item in account.waiting:
        if item.since < until:
            told = _with(told, item.change.entry, item.change.new)
            doubts = _without(doubts, item.change.entry)
    waiting = tuple(item for item in account.waiting if item.since >= until)
    return replace(account, told=told, doubts=doubts, waiting=waiting)


def _telling(account: Account) -> Waiting:
    if account.telling is None:
        raise ValueError("nothing is being told")
    return account.telling


def _open(account: Account) -> Account:
    """Drop what needs not be told: an entry that is back where the receiver knows it to be."""
    return replace(account, waiting=tuple(item for item in account.waiting if _is_to_be_told(account, item.change)))


def _is_to_be_told(account: Account, change: Change) -> bool:
    entry, telling = change.entry, account.telling
    is_busy = telling is not None and (entry == telling.change.entry or entry in telling.besides)
    return is_busy or entry in account.doubts or change.new != account.told.get(entry)


def _now(item: Waiting, change: Change) -> Waiting:
    """Have a change that was noted before say what the resource is now."""
    before, status, active = item.change, change.status, change.active
    if before.status is status and before.active == active:
        return item
    return replace(item, change=replace(before, status=status, active=active))


def _with(statuses: Mapping[str, Status], entry: str, status: Status | None) -> Mapping[str, Status]:
    return _without(statuses, entry) if status is None else {**statuses, entry: status}


def _without(statuses: Mapping[str, T], entry: str) -> Mapping[str, T]:
    return {name: status for name, status in statuses.items() if name != entry} if entry in statuses else statuses
