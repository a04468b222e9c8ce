"""Fills a transaction from a queue: what each record should be is decided here, so that the newest status wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.publish.transaction import Batch

if TYPE_CHECKING:
    from ha_monitor.publish.decider import Decider
    from ha_monitor.publish.queue import FairQueue
    from ha_monitor.publish.transaction import RecordId, Write

LOOKS = 1_000
"""Records decided on in one go: a few milliseconds."""


def fill(
    queue: FairQueue, room: int, records: Decider, in_flight: dict[RecordId, Write], now: float
) -> tuple[Batch | None, int]:
    """Give the next transaction, where there is one, and how many records were decided on for it.

    :param room: how many records it may have.
    :param in_flight: the writes that are under way, to which those of the transaction are added.
    :param now: monotonic seconds.
    """
    batch, rests = Batch(room=room), records.resting
    waiting: dict[RecordId, float] = {}
    looked = 0
    for which, since in queue.take():
        if which in in_flight:
            waiting[which] = since
            continue
        looked += 1
        write = records.decide(which, since, now)
        if write is not None:
            alone = bool(rests) and which[1] in rests.of(which[0])  # what was refused holds up no other a second time
            if batch.contradicts(write):
                waiting[which] = since
            elif (alone and batch.writes) or not batch.add(write):
                queue.put_back(*which, since)
                break
            else:
                in_flight[which] = write
                if alone:
                    break
        if looked == LOOKS:
            break
    for (family, id_), since in waiting.items():
        queue.put(family, (id_,), since)
    return batch if batch.writes else None, looked
