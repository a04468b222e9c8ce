"""Damping: an entry that recovers or falls has to stay so for a while before it counts, as keepalived names it. Pure.

What counts is worked out from what the entry is and the time alone, as a value. Three things are never delayed: the
first that is known of an entry, a FAIL (its state has been away for a whole timeout already), and, by :func:`give_up`,
a fall that would hide that every entry is down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ha_monitor.model import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

_UP, _DOWN, _FAIL, _UNKNOWN = Status.UP, Status.DOWN, Status.FAIL, Status.UNKNOWN


class Damping(NamedTuple):
    """How an entry is damped.

    One that is up counts as UP after ``rise`` seconds, one that is down as DOWN after ``fall`` seconds. With more than
    ``turns`` turns in ``window`` seconds it is held DOWN, until it has not turned for that long (0 turns: never).
    """

    rise: float = 0.0
    fall: float = 0.0
    turns: int = 0
    window: float = 60.0

    @property
    def words(self) -> str:
        """Say when an entry is flapping, and until when."""
        often, still = f"more than {self.turns} turns in {self.window:g} s", f"until {self.window:g} s without one"
        return f"{often}; held DOWN {still}"


class Damped(NamedTuple):
    """What counts for an entry, and what it takes to work out what will. Times are monotonic seconds."""

    counts: Status
    raw: Status
    held_up: bool | None
    """What was counted last that was not UNKNOWN; ``None``: nothing so far."""
    was_up: bool | None
    """What the entry was last that was not UNKNOWN."""
    since: float
    """Since when it is up, or down, without a break."""
    due: float | None = None
    """When something else counts if nothing changes; ``None``: never."""
    turns: tuple[float, ...] = ()
    """When it went from up to down or back, as far as that is of interest."""
    flapping: bool = False

    @property
    def pending(self) -> bool:
        """Whether the entry is something already that does not count as yet."""
        return self.due is not None and not self.flapping


def damp(damping: Damping, before: Damped | None, raw: Status, now: float) -> Damped:
    """Give what counts, for an entry that is ``raw`` at the time ``now``.

    Called again with the same ``raw`` once :attr:`Damped.due` has come.
    """
    up = None if raw is _UNKNOWN else raw is _UP
    if before is None:
        return Damped(raw, raw, up, up, now)
    turned = up is not None and before.was_up is not None and up is not before.was_up
    unbroken = not turned and (before.raw is not _UNKNOWN or up is None)
    since = before.since if unbroken else now
    turns = _turns(damping, (*before.turns, now) if turned else before.turns, now)
    was_up = before.was_up if up is None else up
    flapping = bool(damping.turns and turns) and (before.flapping or len(turns) > damping.turns)
    if flapping:
        return Damped(
            raw if raw is _FAIL else _DOWN, raw, False, was_up, since, turns[-1] + damping.window, turns, True
        )
    if up is None:
        return Damped(_UNKNOWN, raw, before.held_up, was_up, since, None, turns)
    if before.held_up is not None and up is not before.held_up and raw is not _FAIL:
        due = since + (damping.rise if up else damping.fall)
        if due > now:
            held = _UP if before.held_up else before.counts if before.counts in (_DOWN, _FAIL) else _DOWN
            return Damped(held, raw, before.held_up, was_up, since, due, turns)
    return Damped(raw, raw, up, was_up, since, None, turns)


def _turns(damping: Damping, turns: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Give the turns that still count, no more of them than it takes to tell that there are too many."""
    if not damping.turns:
        return ()
    return tuple(at for at in turns if at + damping.window > now)[-damping.turns - 1 :]


def give_up(damped: Damped) -> Damped:
    """Count at once what an entry is: nothing of the resource is up any more, and nobody is to wait for that."""
    if damped.pending and damped.raw is not _UP:
        return damped._replace(counts=damped.raw, held_up=False, due=None)
    return damped


def all_down(raw: list[Status | None]) -> bool:
    """Tell whether every entry of a resource is known to be down."""
    return all(status is _DOWN or status is _FAIL for status in raw)


class DampingSettings(Protocol):
    """How entries are damped that say nothing of it themselves."""

    @property
    def rise(self) -> float:
        """Seconds, of all types."""

    @property
    def fall(self) -> float:
        """Seconds, of all types."""

    @property
    def rise_by_type(self) -> Mapping[str, float]:
        """Seconds, of some."""

    @property
    def fall_by_type(self) -> Mapping[str, float]:
        """Seconds, of some."""

    @property
    def flap_turns(self) -> int:
        """More turns than this are too many; 0: none are."""

    @property
    def flap_window(self) -> float:
        """Seconds in which they are counted."""


class DampingRules:
    """Which entry is damped how: by its own ``rise`` and ``fall``, else its type's, else those of all."""

    def __init__(self, settings: DampingSettings) -> None:
        self._settings = settings
        self._shared: dict[Damping, Damping] = {}
        self._by_type: dict[str, Damping | None] = {}

    def of(self, type_: str, props: Mapping[str, Any]) -> Damping | None:
        """Give how an entry is damped; ``None``: not at all."""
        rise, fall = props.get("rise"), props.get("fall")
        if rise is not None or fall is not None:
            return self._made_of(type_, rise, fall)
        if type_ not in self._by_type:
            self._by_type[type_] = self._made_of(type_, None, None)
        return self._by_type[type_]

    def _made_of(self, type_: str, rise: float | None, fall: float | None) -> Damping | None:
        settings = self._settings
        damping = Damping(
            settings.rise_by_type.get(type_, settings.rise) if rise is None else rise,
            settings.fall_by_type.get(type_, settings.fall) if fall is None else fall,
            settings.flap_turns,
            settings.flap_window,
        )
        if not (damping.rise or damping.fall or damping.turns):
            return None
        return self._shared.setdefault(damping, damping)
