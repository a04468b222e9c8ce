"""Plays failovers on the sample site, and tells what comes of them."""

from __future__ import annotations

import contextlib
import random
import time
from typing import TYPE_CHECKING, NamedTuple

import anyio

from ha_monitor.demo.site import DOWN, INTERFACES, UP, config, state_key, worker_state
from ha_monitor.errors import EtcdUnavailable, HaMonitorError
from ha_monitor.model import Change, Resync, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ha_monitor.demo.site import Interface
    from ha_monitor.etcd.client import EtcdClient
    from ha_monitor.monitor import HaMonitor
    from ha_monitor.settings import SiteLayout

_STEP = 10.0  # seconds that one step may take; it takes milliseconds
_LOOK = 0.01  # seconds between two looks at what no change tells of


class Step(NamedTuple):
    """A flip of one side, and the status of the HA interface that has to follow."""

    side: str
    value: str
    expected: Status


FAILOVER = (
    Step("primary", DOWN, Status.DEGRADED),
    Step("secondary", DOWN, Status.DOWN),
    Step("secondary", UP, Status.DEGRADED),
    Step("primary", UP, Status.UP),
)
"""One failover: the primary fails, then its standby as well, and both come back."""


async def flip(client: EtcdClient, interface: Interface, side: str, value: str, layout: SiteLayout) -> None:
    """Write the state of one side."""
    await client.put_many([(state_key(getattr(interface, side), layout), value.encode())])


async def play_once(client: EtcdClient, monitor: HaMonitor, say: Callable[[str], None], layout: SiteLayout) -> None:
    """Play one failover and an update, and say what comes of each step.

    Raises :class:`HaMonitorError` where that does not come.
    """
    interface = INTERFACES[0]
    async with monitor.changes() as changes:
        say(f"{_now(monitor, interface)}")
        for step in FAILOVER:
            say(f"  > the {step.side} interface of {interface.name} goes {'UP' if step.value == UP else 'DOWN'}")
            begun = time.perf_counter()
            await flip(client, interface, step.side, step.value, layout)
            with anyio.move_on_after(_STEP) as patience:
                await _until(changes, interface, step.expected)
            if patience.cancelled_caught:
                raise HaMonitorError(f"{interface.name} did not become {step.expected} in {_STEP:g} s")
            took = (time.perf_counter() - begun) * 1000
            say(f"{_now(monitor, interface)}   {took:.1f} ms from write to verdict")
    for words, (key, value), done in (
        (f"gohan updates {interface.name} to version 2", config(interface, 2), False),
        ("its worker reports that version 2 is built", worker_state(interface, 2, layout), True),
    ):
        say(f"  > {words}")
        await client.put_many([(key, value.encode())])
        say(f"{interface.name}  {await _published(monitor, interface, version=2, done=done)}")


async def _published(monitor: HaMonitor, interface: Interface, *, version: int, done: bool) -> str:
    """Wait until a version of the config is published, and until gohan takes it up or does not yet; say which."""
    with anyio.move_on_after(_STEP):
        while True:
            resource = monitor.get("ha_interface", interface.id)
            record = None if resource is None else resource.published
            told = None if resource is None else resource.take_up
            if record is not None and record.get("version") == version and told is not None and told.done is done:
                return told.words
            await anyio.sleep(_LOOK)
    raise HaMonitorError(f"version {version} of {interface.name} was not published in {_STEP:g} s")


def _now(monitor: HaMonitor, interface: Interface) -> str:
    resource = monitor.get("ha_interface", interface.id)
    if resource is None:
        return f"{interface.name} is not there"
    sides = ", ".join(f"{name} {entry.status}" for name, entry in resource.entries.items())
    return f"{interface.name}  {resource.status:<9} active: {resource.active or 'none':<10} ({sides})"


async def _until(changes: AsyncIterator[Change | Resync], interface: Interface, expected: Status) -> None:
    async for change in changes:
        if isinstance(change, Change) and change.id == interface.id and change.status is expected:
            return


async def play_on(client: EtcdClient, layout: SiteLayout, pause: float = 2.0) -> None:
    """Flip sides by chance until cancelled, a side down for a while now and then.

    :param pause: seconds between two flips.
    """
    chance = random.Random()  # noqa: S311 - a show, no secret
    down: list[tuple[Interface, str]] = []
    while True:
        await anyio.sleep(pause)
        if down and (len(down) > 3 or chance.random() < 0.5):
            interface, side = down.pop(0)
            await _try_flip(client, interface, side, UP, layout)
            continue
        interface, side = chance.choice(INTERFACES), chance.choice(("primary", "primary", "secondary"))
        if (interface, side) not in down:
            down.append((interface, side))
            await _try_flip(client, interface, side, DOWN, layout)


async def _try_flip(client: EtcdClient, interface: Interface, side: str, value: str, layout: SiteLayout) -> None:
    with contextlib.suppress(EtcdUnavailable):  # somebody plays with the etcd itself: the show goes on
        await flip(client, interface, side, value, layout)
