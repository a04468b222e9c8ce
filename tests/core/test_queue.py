"""The publisher's queue: a storm in one type holds up no other."""

from __future__ import annotations

from ha_monitor.evaluate.unit import Family
from ha_monitor.publish.queue import FairQueue
from ha_monitor.watch.views import KeyView


def test_types_take_turns_and_a_record_asked_for_again_keeps_its_place() -> None:
    storm, quiet = (Family(name, KeyView(f"/config/v2.0/{name}s/"), None) for name in ("storm", "quiet"))
    queue = FairQueue()
    for number in range(1_000):
        queue.put(storm, str(number), 1.0)
    queue.put(quiet, "a", 2.0)
    queue.put(storm, "0", 3.0)
    assert len(queue) == 1_001
    assert [queue.pop() for _ in range(3)] == [(storm, "0", 1.0), (quiet, "a", 2.0), (storm, "1", 1.0)]
    while queue:
        queue.pop()
    assert len(queue) == 0
    queue.put(quiet, "a", 4.0)
    assert queue.pop() == (quiet, "a", 4.0)
