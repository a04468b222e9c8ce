"""What happens to single members of a group: killed, frozen, cut off, ended, or their lease taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.soak.soak import Soak


def killed(soak: Soak) -> None:
    """Kill one and start another in its place."""
    victim = soak.random.randrange(len(soak.services))
    soak.services[victim].kill()
    soak.change(20)
    soak.pause()
    soak.begin_again(victim)


def ended(soak: Soak) -> None:
    """End one in good order and start another in its place."""
    victim = soak.random.randrange(len(soak.services))
    soak.services[victim].stop()
    soak.change(20)
    if soak.random.random() < 0.5:
        soak.pause()
    soak.begin_again(victim)


def stopped(soak: Soak) -> None:
    """Freeze one; for longer than its lease, now and then."""
    victim = soak.random.choice(soak.services)
    victim.freeze()
    try:
        soak.change(30)
        soak.pause()
        soak.change(5)
    finally:
        victim.thaw()


def cut_off(soak: Soak) -> None:
    """Have nothing pass between one and etcd."""
    relay = soak.random.choice(soak.relays)
    relay.stall()
    soak.change(30)
    soak.pause()
    relay.flow()


def revoked(soak: Soak) -> None:
    """End the lease of one by hand."""
    assert soak.group is not None
    leases = soak.group.leases()
    if leases:
        soak.group.revoke(soak.random.choice(sorted(leases.values())))
    soak.change(20)


FAULTS: tuple[Callable[[Soak], None], ...] = (killed, ended, stopped, cut_off, revoked)
