"""What becomes of a record that may have to change: a write or none, by what stands there and what is known of it.

Beside the record itself that is: whether another hand has changed it, whether a write of ours may still land, and
whether it is ours to write at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.publish.conflicts import Conflicts, Stirs
from ha_monitor.publish.desire import Delete, Keep, Publish, Put, RecordWriter, desire
from ha_monitor.publish.fence import grounds_of
from ha_monitor.publish.record import is_ours, read_record
from ha_monitor.publish.resting import Resting
from ha_monitor.publish.take_up import came_after
from ha_monitor.publish.transaction import Write, conditions_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ha_monitor.clock import Clock, Timer
    from ha_monitor.evaluate.unit import Family, Unit
    from ha_monitor.publish.desire import Desire
    from ha_monitor.publish.fence import Fence, Freezer, Mandate
    from ha_monitor.publish.transaction import Comparison, RecordId

LATE = 5.0
"""Seconds after etcd is heard again in which a write whose answer was lost may still land: a frozen member takes what
waits in its sockets as soon as it goes on."""

LOOK_AGAIN = 0.25
"""Seconds after which a record whose comparison failed is looked at anew, should no event have done so."""


class Decider:
    """Decides for all records."""

    def __init__(
        self, clock: Clock, *, form: Publish, state_timeout: float, want: Callable[[Family, str], None]
    ) -> None:
        """Prepare.

        :param want: has a record looked at again.
        """
        self.mandate: Mandate | None = None
        """Says which records are ours to write; ``None``: all of them."""
        self.freezer: Freezer | None = None
        """Says which records are frozen; ``None``: none is."""
        self._clock = clock
        self._records = RecordWriter(form)
        self._state_timeout = state_timeout
        self._want = want
        self._timed: dict[RecordId, tuple[float, Timer]] = {}
        """Records to be looked at later: when (monotonic seconds)."""
        self._foreign: set[RecordId] = set()
        """Records that another hand has changed, and that nobody has looked at since."""
        self._doubtful: dict[RecordId, Write] = {}
        """What we sent and got no answer to: it may stand there, now or in a moment."""
        self._repeats: set[RecordId] = set()
        """Records that are to be put again, whatever stands there: ``--resync``."""
        self._heard = False
        self._conflicts: Conflicts[RecordId] = Conflicts()
        self._stirs: Stirs[RecordId] = Stirs()
        self._ending: Timer | None = None
        """Until the next of the conflicts is over, and they are looked at."""
        self.generation = 0
        """Another number whenever :meth:`trouble` says something else of a record, though nothing was sent for it."""
        self.resting = Resting()
        """Records that etcd does not take."""

    def decide(self, key: RecordId, since: float, now: float) -> Write | None:
        """Give what is to be written; ``None`` where nothing is.

        :param since: when it was asked for, as ``now`` in monotonic seconds.
        """
        family, id_ = key
        assert family.records is not None  # noqa: S101 - want_all() let none other in
        record = family.records.key(id_)
        freezer = self.freezer
        if freezer is not None and freezer.frozen and (family.type, family.resource_id(id_)) in freezer.frozen:
            self._leave(key)  # whoever froze it may write it
            if self.mandate is not None:
                self.mandate.note_late(family.type, family.resource_id(id_), is_late=False)
            return None
        standing, revision = family.records.standing(record)
        if id_ in family.unrendered.ids and id_ in family.units:
            return None  # what is known of it is out of date; once it is rendered anew, it is looked at again
        wanted = desire(family, id_, self._records, standing, self._state_timeout, now)
        value = None
        if isinstance(wanted, Put):
            value = wanted.value
            family.units[id_].vouched = True  # from here on: an answer may get lost, and the record stand there
            family.leaving.discard(id_)
        else:
            self._note(key, wanted, standing)
        fence = None
        if self.mandate is not None:
            fence = self.mandate.fence(family.type, family.resource_id(id_))
            if fence is None:  # somebody else's to write, and rightly written by somebody else
                is_late = isinstance(wanted, Put) and value != standing
                self.mandate.note_late(family.type, family.resource_id(id_), is_late=is_late)
                self._leave(key)
                return None
        if isinstance(wanted, Keep) or value == standing:
            return self._put_again(key, wanted, standing, revision, fence, since, now)
        if (self._foreign or self.resting or self._conflicts) and self._is_paused(key, wanted, now):  # hardly ever
            return None
        deleted = (record, revision) if value is None else None
        # The one who writes alone is put right by what it hears next, but what is deleted is not written again.
        conditions = () if fence is None and deleted is None else self._conditions(key, wanted, deleted, fence)
        if conditions is None:
            return None  # another verdict is to come, and is heard of
        config = family.configs.key(id_)
        return Write(key, record, value, revision, config, wanted.config_revision, since, conditions)

    def _conditions(
        self, key: RecordId, wanted: Put | Delete, deleted: tuple[bytes, int] | None, fence: Fence | None
    ) -> tuple[Comparison, ...] | None:
        freezer = None if fence is None else self.freezer
        grounds = grounds_of(*key, freezer, is_gone=wanted.config_revision == 0)
        return None if grounds is None else conditions_of(deleted, fence, grounds)

    def _put_again(
        self, key: RecordId, wanted: Desire, standing: bytes | None, revision: int, fence: Fence | None,
        since: float, now: float,
    ) -> Write | None:  # fmt: skip
        """Give the write that puts a record once more as it stands; ``None`` where that is not due."""
        family, id_ = key
        if isinstance(wanted, Keep):
            self._look_at_its_end(key, wanted)
        if not self._is_put_again(key, wanted, standing, revision):
            self._leave(key)
            return None
        self._foreign.discard(key)  # whoever wrote it, it is right
        if (self.resting or self._conflicts) and self._is_paused(key, wanted, now):
            return None
        assert family.records is not None  # noqa: S101 - want_all() let none other in
        unit, record = family.units[id_], family.records.key(id_)
        grounds = () if fence is None else grounds_of(family, id_, self.freezer)
        if grounds is None:
            return None  # another verdict is to come, and is heard of
        conditions = conditions_of((record, revision), fence, grounds)
        config = family.configs.key(id_)
        return Write(key, record, standing, revision, config, unit.config_revision, since, conditions, again=True)

    def _is_put_again(self, key: RecordId, wanted: Desire, standing: bytes | None, revision: int) -> bool:
        """Tell whether a record is to be put once more, since the state of its resource came after it, or by resync.

        So is one that stands while an entry is UNKNOWN, where it is ours and of the config's version.
        """
        family, id_ = key
        unit, states = family.units.get(id_), family.worker_states
        if unit is None or standing is None:
            return False
        is_due = states is not None and came_after(states.items.get(id_), unit.version, revision)
        if not is_due and key not in self._repeats:
            return False
        if not isinstance(wanted, Keep):
            return True
        if not unit.vouched or unit.problem is not None or unit.foreign or unit.missing:
            return False
        record = read_record(standing)
        return record is not None and record.get("version") == unit.version

    def repeat(self, key: RecordId) -> None:
        """Have a record put again where it stands."""
        self._repeats.add(key)
        self._want(*key)

    def _look_at_its_end(self, key: RecordId, keep: Keep) -> None:
        if keep.seconds is not None:
            self.look_later(*key, keep.seconds)

    def _note(self, key: RecordId, wanted: Delete | Keep, standing: bytes | None) -> None:
        family, id_ = key
        if standing is None and key not in self._doubtful:
            family.leaving.discard(id_)
        elif isinstance(wanted, Keep):
            self._vouch(family.units.get(id_), standing)

    def _vouch(self, unit: Unit | None, standing: bytes | None) -> None:
        """Take a record for ours that has the shape that we write for a resource all of whose entries are ours.

        It may be of an earlier run, and is to end with its resource.
        """
        if unit is None or unit.vouched or standing is None or unit.problem is not None or unit.foreign or unit.missing:
            return
        names = ("monitoring",) if self._records.form is Publish.GOHAN else [entry.name for entry in unit.entries]
        unit.vouched = is_ours(standing, names)

    def _leave(self, key: RecordId) -> None:
        """Forget what is known of a record that is not to be written, or not by us."""
        self._foreign.discard(key)
        self._repeats.discard(key)
        if self.resting and self.resting.forget(*key):
            self.generation += 1

    def _is_paused(self, key: RecordId, wanted: Desire, now: float) -> bool:
        pause = self.pause(*key)
        if pause:
            self.look_later(*key, pause)
        elif isinstance(wanted, Delete) and key in self._foreign:
            # Not once it is written, as with a put: until then it could be taken for one that is not ours to delete.
            self._foreign.discard(key)
            self._conflict(key, now)
        return pause > 0

    def stirred(self, family: Family, id_: str) -> None:
        """Note that we wrote a record which others hang on: where resources do so in a circle, it may go round."""
        key, now = (family, id_), self._clock.monotonic()
        if self._stirs.too_many(key, now) or self._conflicts.goes_round(key, now):
            self._conflict(key, now, ours=True)

    def _conflict(self, key: RecordId, now: float, *, ours: bool = False) -> None:
        """Note that another hand's write is put right, or that our own are too many."""
        self._conflicts.note(key, now, ours=ours)
        self.generation += 1
        if self._ending is None:
            self._end_conflicts()

    def _end_conflicts(self) -> None:
        """End those that are over, now and again as long as there are any: no write and no event tells of that."""
        before, left = len(self._conflicts), self._conflicts.end(self._clock.monotonic())
        self.generation += len(self._conflicts) < before
        self._ending = None if left is None else self._clock.call_later(left + LOOK_AGAIN, self._end_conflicts)

    def end(self) -> None:
        """Look at nothing any more."""
        for _, timer in self._timed.values():
            timer.cancel()
        self._timed.clear()
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def look_later(self, family: Family, id_: str, seconds: float) -> None:
        """Have a record looked at again after some seconds."""
        key, due = (family, id_), self._clock.monotonic() + seconds
        known = self._timed.get(key)
        if known is not None:
            if known[0] <= due:
                return
            known[1].cancel()

        def look() -> None:
            del self._timed[key]
            self._want(family, id_)

        self._timed[key] = due, self._clock.call_later(seconds, look)

    def trouble(self, family: Family, id_: str) -> str | None:
        """Say in words what a record meets, etcd's refusal or another writer; ``None`` where it meets nothing."""
        refused = self.resting.words(family, id_)
        return self._conflicts.words((family, id_)) if refused is None else refused

    def pause(self, family: Family, id_: str) -> float:
        """Give the seconds until a record that was refused, or is changed by another, may be written again; 0: now."""
        now = self._clock.monotonic()
        return max(self._conflicts.pause((family, id_), now), self.resting.pause(family, id_, now))

    # -- what is heard of a record

    def changed(self, family: Family, id_: str) -> None:
        """Note that the watch brought another record than the one we knew."""
        if self.mandate is not None:
            self.mandate.note_published(family.type, family.resource_id(id_))
        sent = self._doubtful.get((family, id_))
        if sent is None or family.records is None or family.records.standing(sent.key)[0] != sent.value:
            self._not_ours(family, id_)

    def _not_ours(self, family: Family, id_: str) -> None:
        """Note that another hand wrote what stands there: it is not ours to delete, unless it looks as ours would."""
        self._foreign.add((family, id_))
        family.leaving.discard(id_)
        unit = family.units.get(id_)
        if unit is not None:
            unit.vouched = False

    def refused(self, write: Write) -> None:
        """Note that a write did not land, since something that it compares is another one; have it looked at anew."""
        family, id_ = write.of
        self.overheard(write)
        self._doubtful.pop(write.of, None)
        if write.of in self._foreign:
            self._not_ours(family, id_)
        self.look_later(family, id_, LOOK_AGAIN)

    def overheard(self, write: Write) -> None:
        """Note what another hand did while a write was under way of which it is not known that it landed."""
        family, id_ = write.of
        if family.records is not None and write.revision != family.records.standing(write.key)[1]:
            self.changed(family, id_)

    def rest(self, write: Write, words: str) -> bool:
        """Have a record rest that etcd does not take; tells whether it is the first time."""
        family, id_ = write.of
        if self.mandate is not None:
            self.mandate.note_refused(family.type, family.resource_id(id_))
        is_new = id_ not in self.resting.of(family)
        self.look_later(family, id_, self.resting.note(family, id_, words, self._clock.monotonic()))
        return is_new

    def unanswered(self, write: Write) -> None:
        """Note that what became of a write is not known."""
        if write.value is not None:
            self._doubtful[write.of] = write
            if self._heard:  # a single call was lost, or etcd was heard again while its writes paused
                self._doubt_until_late([write])
        self.overheard(write)

    def wrote(self, writes: Iterable[Write], revision: int) -> None:
        """Note that writes landed."""
        for write in writes:
            key, value = write.of, write.value
            family, id_ = key
            self._doubtful.pop(key, None)
            self._repeats.discard(key)
            if self.resting:
                for other in self.resting.taken(family, id_):
                    self._want(family, other)
            assert family.records is not None  # noqa: S101 - want_all() let none other in
            unit = family.units.get(id_)
            if unit is not None:
                unit.vouched = value is not None
            if key in self._foreign:
                self._foreign.discard(key)
                if value is not None:
                    self._conflict(key, self._clock.monotonic())
            if not family.records.written(write.key, value, revision):
                self._not_ours(family, id_)
                self._want(family, id_)
            elif value is None:
                self._want(family, id_)  # it may be gone for good now, and forgotten
            if family.heir is not None:
                self._want(family.heir, id_)  # who knows of no write of ours

    def hear(self, heard: bool) -> None:
        """Note whether etcd is heard: what it has not taken soon after it is again, it never will."""
        self._heard = heard
        if heard and self._doubtful:
            self._doubt_until_late(tuple(self._doubtful.values()))

    def _doubt_until_late(self, sent: Iterable[Write]) -> None:
        self._clock.call_later(LATE, lambda: self._no_longer_doubtful(sent))

    def _no_longer_doubtful(self, sent: Iterable[Write]) -> None:
        for write in sent:
            if self._doubtful.get(write.of) is write:  # what was sent since has a time of its own
                del self._doubtful[write.of]
                self._want(*write.of)
