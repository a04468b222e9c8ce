"""Deadlines are for the other side: the time for which our own event loop was held up does not count. Pure.

An event loop that was held up runs its timers first (uvloop always, asyncio where the answer has not arrived before it
looks), and reads what has arrived meanwhile afterwards. To give up a member for that would make a slow process slower.
"""

HELD_UP = 0.1
"""Seconds by which a timer is late from which on the event loop counts as held up; a turn of ours takes up to 0.1 s."""

_MOST = 1.0
"""Seconds that the other side gets on top at most. Chosen: enough to read and answer; losing etcd is still told within
10 s."""


def extension(late: float) -> float:
    """Give the seconds that the other side gets on top, once, where a timer is so late; 0: it was on time."""
    return min(late, _MOST) if late > HELD_UP else 0.0
