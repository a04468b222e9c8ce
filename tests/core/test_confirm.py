"""A watch that is asked for progress: its reply may come at any moment, the one in which it is asked as well."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from ha_monitor.clock import SystemClock
from ha_monitor.watch.feed import Feed

pytestmark = pytest.mark.anyio


async def test_a_reply_that_comes_while_progress_is_asked_for_is_the_sign_of_life() -> None:
    feed = Feed(
        "/prefix/", cast("Any", None), cast("Any", None), SystemClock(),
        openings=anyio.CapacityLimiter(1), on_turn=lambda: None, on_fault=lambda error, refused: None,
    )  # fmt: skip

    async def ask_progress(now: float, pause: float) -> None:
        assert feed._late_since == now
        feed._late_since = None  # as the reader of the stream does with each reply

    stream = SimpleNamespace(is_read=True, is_silent_on_progress=True, ask_progress=ask_progress)
    feed._watching, feed._waiting = cast("Any", SimpleNamespace(stream=stream)), True
    await feed.confirm()
    assert feed._late_since is None
    stream.is_silent_on_progress = False
    await feed.confirm()
