"""The queues: of records, in which a storm in one type holds up no other, and of renderings."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from ha_monitor.evaluate.renderings import Renderings
from ha_monitor.evaluate.unit import Family
from ha_monitor.publish.queue import FairQueue
from ha_monitor.watch.views import KeyView


def test_types_take_turns_and_a_record_asked_for_again_keeps_its_place() -> None:
    storm, quiet = (Family(name, KeyView(f"/config/v2.0/{name}s/"), None) for name in ("storm", "quiet"))
    queue = FairQueue()
    for number in range(1_000):
        queue.put(storm, [str(number)], 1.0)
    queue.put(quiet, ["a"], 2.0)
    queue.put(storm, ["0"], 3.0)
    assert len(queue) == 1_001
    assert list(islice(queue.take(), 3)) == [((storm, "0"), 1.0), ((quiet, "a"), 2.0), ((storm, "1"), 1.0)]
    assert len(list(queue.take())) == 998
    assert len(queue) == 0
    assert not queue
    queue.put(storm, [], 4.0)
    assert not queue
    queue.put(quiet, ["a"], 4.0)
    assert queue
    assert next(queue.take()) == ((quiet, "a"), 4.0)


def test_a_type_is_handed_over_as_it_waits() -> None:
    one, other = (Family(name, KeyView(f"/config/v2.0/{name}s/"), None) for name in ("one", "other"))
    queue, apart = FairQueue(), FairQueue()
    queue.put(one, ["a", "b", "c"], 1.0)
    queue.put(other, ["d"], 2.0)
    queue.hand_over(one, apart)
    queue.hand_over(one, apart)
    assert (len(queue), len(apart)) == (1, 3)
    apart.put(one, ["b"], 3.0)
    assert list(apart.take()) == [((one, id_), 1.0) for id_ in "abc"]
    assert next(queue.take()) == ((other, "d"), 2.0)


@given(st.lists(st.none() | st.lists(st.sampled_from("abcdef")), max_size=30))
def test_renderings_come_once_and_in_order(steps: list[list[str] | None]) -> None:
    """Lists of ids are put, ``None`` takes one. The oracle is an ordered dict."""
    renderings, oracle = Renderings(), OrderedDict[str, None]()
    for ids in steps:
        if ids is not None:
            renderings.put(ids)
            oracle.update(dict.fromkeys(ids))
        elif oracle:
            assert renderings.pop() == oracle.popitem(last=False)[0]
        assert list(renderings) == list(oracle)
        assert renderings.ids == oracle.keys()
        assert len(renderings) == len(oracle)
