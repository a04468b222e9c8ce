"""SIGTERM at any moment ends the service within 5 s with 0, and nothing but log lines on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.fleet import DOWN, UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Watched
    from tests.support.etcd import Etcd


@pytest.mark.parametrize("moment", ["idle", "in a storm", "while etcd is down", "while etcd is frozen"])
def test_sigterm_ends_cleanly(own_etcd: Etcd, watch: Callable[..., Watched], moment: str) -> None:
    watched = watch(own_etcd, count=60)
    if moment == "in a storm":
        for value in (DOWN, UP) * 5:
            watched.flip(*range(60), value=value)
    elif moment == "while etcd is down":
        own_etcd.kill()
        watched.unready()
    elif moment == "while etcd is frozen":
        own_etcd.freeze()
    try:
        watched.service.stop()  # checks the time, the exit code and stderr
    finally:
        if moment == "while etcd is frozen":
            own_etcd.thaw()
