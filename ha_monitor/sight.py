"""How fresh what we say of a resource is, and what is said instead where it has been stale for too long.

A resource is as fresh as the watches that those of its type depend on, less what their events set off that is not
rendered, evaluated and judged yet. Freshness advances while nothing changes, without a write and without work for any
resource.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from ha_monitor.model import OnBlind, Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ha_monitor.clock import Clock
    from ha_monitor.evaluate.unit import Family
    from ha_monitor.watch.watches import Proof

_INSTEAD = {"hold": None, "unknown": Status.UNKNOWN, "down": Status.DOWN}


class BlindPolicy(NamedTuple):
    """What becomes of an answer that could not be proven for ``grace`` seconds."""

    on_blind: OnBlind
    grace: float

    def instead(self, doubt: float) -> Status | None:
        """Give what stands in the place of the last verdict after so many seconds; ``None``: it is held. Pure."""
        return _INSTEAD[self.on_blind] if doubt >= self.grace else None


class BlindSettings(Protocol):
    """What is said of each type while etcd can't be heard, and after how many seconds."""

    @property
    def on_blind(self) -> OnBlind:
        """Of all types."""

    @property
    def blind_grace(self) -> float:
        """Of all types."""

    @property
    def stale_after(self) -> float:
        """Seconds without confirmation from which on an answer is stale, whatever else is known."""

    @property
    def on_blind_by_type(self) -> Mapping[str, OnBlind]:
        """Of some."""

    @property
    def blind_grace_by_type(self) -> Mapping[str, float]:
        """Of some."""


def policy_of(type_: str, settings: BlindSettings) -> BlindPolicy:
    """Give a type's policy."""
    return BlindPolicy(
        settings.on_blind_by_type.get(type_, settings.on_blind),
        settings.blind_grace_by_type.get(type_, settings.blind_grace),
    )


class Seen(NamedTuple):
    """What is known of the answers of one type at one moment.

    ``revision`` and ``proven_at`` (seconds since the epoch): up to where and when they were last proven right.
    ``doubt``: the seconds since then. ``stale``: they can't be vouched for. ``instead``: what is said in the place of
    the last verdict, ``since`` then (seconds since the epoch); ``None``: that is said.
    """

    revision: int
    proven_at: float
    doubt: float
    stale: bool
    instead: Status | None = None
    since: float = 0.0

    @property
    def reason(self) -> str:
        """Say why something else is said."""
        return f"not proven for {self.doubt:.0f} s, and --on-blind says {str(self.instead).lower()}"


class Proven(Protocol):
    """What tells how far watches are: :class:`ha_monitor.watch.watches.Watches`, or keys that never change."""

    def proof(self, prefixes: Collection[str]) -> Proof:
        """Tell how far the watches of these prefixes are."""


class Heard(Protocol):
    """What tells whether etcd is heard at all: :class:`ha_monitor.watch.pulse.Pulse`."""

    @property
    def alive(self) -> bool:
        """Whether etcd has answered, and not too long ago."""


class Sight:
    """Tells how fresh the answers of each type are."""

    def __init__(self, watches: Proven, pulse: Heard, clock: Clock, settings: BlindSettings) -> None:
        self._watches = watches
        self._pulse = pulse
        self._clock = clock
        self._settings = settings

    def of(self, family: Family) -> Seen:
        """Tell it of one type, at this moment: nothing is remembered, so that not even a process that hung can err."""
        # What waits to be rendered or judged is not part of any answer yet.
        proof = self._watches.proof(family.prefixes).held_back((family.held,))
        doubt = max(self._clock.monotonic() - proof.proven, 0.0)
        stale = not self._pulse.alive or not proof.caught_up or doubt > self._settings.stale_after
        if not stale:
            return Seen(proof.revision, proof.proven_at, doubt, stale)
        policy = policy_of(family.type, self._settings)
        since = self._clock.time() - doubt + policy.grace
        return Seen(proof.revision, proof.proven_at, doubt, stale, policy.instead(doubt), since)
