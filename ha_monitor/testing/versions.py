"""What differs between versions of etcd, as far as a client can see it; each with the releases that changed it. Pure.

Read in etcd's sources, release by release, and held against 3.4.23, 3.5.1, 3.5.16, 3.5.30, 3.6.16 and 3.7.3.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

_Release = tuple[int, int, int]

OLDEST = "3.4.23"
"""The oldest release that is supported, and that ``make matrix`` runs."""

NEWEST = "3.7.3"
"""The newest, which the etcd in memory is by default."""


class MayAsk(Enum):
    """Who may make a call of the Maintenance service while auth is enabled."""

    ANYONE = "anyone, without a token"
    USER = "any user"
    ROOT = "users with the role root"


class Behaviour(NamedTuple):
    """What one version does."""

    progress_is_ordered: bool
    """The answer to a progress request is queued behind the events of the stream, and given only while every watch of
    the stream is synced, and there is one. Before, it is given at once, and may overtake events.

    From 3.4.25 to 3.4.30 and from 3.5.8 to 3.5.12 a request that finds a watch unsynced is answered after later events;
    here it is not answered, as in all releases since."""
    progress_needs_start: bool
    """It is given only while no watch of the stream starts above the store's revision."""
    denied_watch_keeps_its_id: bool
    """A watch that may not be created is answered with the id of the request, 0 for none, always with the words
    "permission denied"; and the server then holds back the events of the watch with that id. Since, the id is -1,
    and the words say what was wrong with the token."""
    token_is_checked_without_auth: bool
    """An invalid token is refused while auth is disabled, too."""
    old_token_is_unknown: bool
    """A token that is older than the last change of users and roles is refused with the code UNKNOWN."""
    leases_need_a_token: bool
    """Grant, Revoke, KeepAlive and TimeToLive want a token, and KeepAlive the right to write the keys of the lease.
    Before, the last two do not look at a token, and the first two take a request without one."""
    status: MayAsk
    """Who may call Status."""
    alarms: MayAsk
    """Who may call Alarm with GET; an invalid token is refused all the same."""
    alarm_hides_codes: bool
    """Alarm is refused with the code UNKNOWN for an invalid token."""
    txn_checks_puts_first: bool
    """All puts of a transaction are checked before its ranges; since, in the order in which they stand."""


def behaviour(version: str) -> Behaviour:
    """Give what a version does; one that is not known, or is no version, does what the newest known does."""
    at = _release(version)
    return Behaviour(
        progress_is_ordered=_since(at, (3, 4, 25), (3, 5, 8)),
        progress_needs_start=_since(at, (3, 4, 38), (3, 5, 22), (3, 6, 2)),
        denied_watch_keeps_its_id=not _since(at, (3, 4, 22), (3, 5, 6)),
        token_is_checked_without_auth=not _since(at, (3, 4, 28), (3, 5, 10)),
        old_token_is_unknown=not _since(at, (3, 4, 19), (3, 5, 2)),
        leases_need_a_token=_since(at, (3, 4, 42), (3, 5, 28), (3, 6, 9)),
        status=_status(at),
        alarms=_alarms(at),
        alarm_hides_codes=not _since(at, (3, 4, 43), (3, 5, 0)),
        txn_checks_puts_first=not _since(at, (3, 6, 0)),
    )


def _status(at: _Release) -> MayAsk:
    if _since(at, (3, 5, 32), (3, 6, 12)):
        return MayAsk.USER
    return MayAsk.ROOT if _since(at, (3, 4, 42), (3, 5, 28), (3, 6, 0)) else MayAsk.ANYONE


def _alarms(at: _Release) -> MayAsk:
    if _since(at, (3, 4, 43), (3, 5, 29), (3, 6, 10)):
        return MayAsk.USER
    return MayAsk.ROOT if _since(at, (3, 4, 42), (3, 5, 28), (3, 6, 9)) else MayAsk.ANYONE


def _since(at: _Release, *changed: _Release) -> bool:
    """Tell whether a release has a change: the first with it of its own minor, or any of a later minor than all."""
    own = [release for release in changed if release[:2] == at[:2]]
    return at >= own[0] if own else at[:2] > changed[-1][:2]


def _release(version: str) -> _Release:
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (99, 0, 0)
