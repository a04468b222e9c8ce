"""Explains a published record: what stands there, what should, and why it is not written where the two differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ha_monitor.explain.report import Record, RecordState, Source
from ha_monitor.model import Status
from ha_monitor.publish.desire import Desire, Keep, Publish, Put, RecordWriter, desire
from ha_monitor.publish.take_up import take_up
from ha_monitor.text import duration

if TYPE_CHECKING:
    from ha_monitor.evaluate.unit import Unit
    from ha_monitor.model import TakeUp

_LONGEST = 4_000  # characters of a record that are shown


class Circumstances(NamedTuple):
    """What decides whether a record is written, beside the resource itself.

    ``form`` is ``None`` where nothing is published. ``once``: nobody publishes, since this monitor answers a question
    and ends. The texts say what holds a write up, each empty where it does not. ``pause`` are seconds.
    """

    form: Publish | None
    state_timeout: float
    once: bool
    frozen: str
    deaf: str
    elsewhere: str
    refused: str
    fault: str
    pause: float


def explain_record(unit: Unit, key: str, around: Circumstances, now: float, *, numbered: bool) -> Record:
    """Explain the record of a resource.

    :param now: monotonic seconds.
    :param numbered: revisions are not etcd's.
    """
    records = unit.family.records
    if around.form is None or records is None:
        return Record(Source(key, None), None, None, "off", "nothing is published here (--publish none)")
    standing, changed = records.standing(records.key(unit.id))
    wanted = desire(unit.family, unit.id, RecordWriter(around.form), standing, around.state_timeout, now)
    worker_state = _worker_state(unit, numbered=numbered)
    # Where there is no such key, there may be no gohan either.
    taken = None if worker_state is None or worker_state.revision == 0 else take_up(unit, ordered=not numbered)
    state, why = _judge(unit, wanted, standing, around, now, taken=taken)
    return Record(
        _source(key, 0 if standing is None else changed, numbered=numbered),
        _text(standing),
        _text(wanted.value) if isinstance(wanted, Put) else None,
        state,
        why,
        worker_state,
    )


def _source(key: str, revision: int, *, numbered: bool) -> Source:
    return Source(key, None if numbered and revision else revision)


def _worker_state(unit: Unit, *, numbered: bool) -> Source | None:
    states = unit.family.worker_states
    if states is None:
        return None
    state = states.items.get(unit.id)
    return _source(f"{states.folder}{unit.id}", 0 if state is None else state.revision, numbered=numbered)


def _judge(
    unit: Unit, wanted: Desire, standing: bytes | None, around: Circumstances, now: float, *, taken: TakeUp | None
) -> tuple[RecordState, str]:
    if isinstance(wanted, Keep):
        return _kept(unit, wanted, standing, around, now)
    holds = _holds(around)
    if (wanted.value if isinstance(wanted, Put) else None) == standing:
        if taken is not None and taken.put_again:
            return "held" if holds else "due", f"{taken.words}{f'; {holds}' if holds else ''}"
        right = "it is as it should be" if taken is None or taken.done else taken.words
        return "right", right + (f"; {around.elsewhere}" if around.elsewhere else "")
    what = "another one should stand there" if isinstance(wanted, Put) else "none should stand there"
    if holds:
        return "held", f"{what}; {holds}"
    if around.once:
        return "due", f"{what}; a monitor that runs on this etcd will write it"
    return "due", f"{what}; it is about to be written"


def _holds(around: Circumstances) -> str:
    """Say what holds a write up; empty where nothing does."""
    holds = around.frozen or around.deaf or around.elsewhere
    if not holds and around.refused:
        holds = f"{around.refused}; the next try comes in {duration(around.pause)}"
    if not holds and around.fault:
        holds = f"nothing can be published: {around.fault}"
    if not holds and around.pause:
        holds = f"after the last conflict with another writer, the next write comes in {duration(around.pause)}"
    return holds


def _kept(
    unit: Unit, wanted: Keep, standing: bytes | None, around: Circumstances, now: float
) -> tuple[RecordState, str]:
    if unit.foreign:
        others = [entry.name for entry in unit.entries if entry.entry_type is None]
        return "foreign", f"it is another worker's, since that serves {' and '.join(others)}: never touched from here"
    stands = "there is none" if standing is None else "what stands there stands"
    if unit.problem is not None:
        if wanted.seconds is not None:
            lasted = f"once the problem has lasted for {duration(around.state_timeout)}"
            when = lasted if around.once else f"in {duration(wanted.seconds)}, unless it heals"
            return "kept", f"with a problem nothing is published; what stands there is deleted {when}"
        whose = "" if standing is None else ", since it is not known to be ours"
        return "kept", f"with a problem nothing is published; {stands}{whose}"
    waits = [entry for entry in unit.entries if (entry.shown or Status.UNKNOWN) is Status.UNKNOWN]
    names = " and ".join(entry.name for entry in waits) or "an entry"
    last = max((entry.absence.since + entry.timeout - now for entry in waits if entry.absence is not None), default=0.0)
    soon = f", for {duration(last)} more at the most" if last > 0 and not around.once else ""
    return "kept", f"nothing is published while {names} {'is' if len(waits) < 2 else 'are'} UNKNOWN{soon}; {stands}"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")[:_LONGEST]
