"""Consistent reads: answers that include every change up to a given etcd revision, or up to etcd's newest one.

As Kubernetes does for reads from its watch cache (KEP 2340), the revision is read linearizably, and the watches are
waited for. Here the rendering and evaluation of what they brought is waited for as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ha_monitor.errors import RevisionTimeout
from ha_monitor.watch.pulse import CATCH_UP_EVERY, LOOK_EVERY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ha_monitor.evaluate.unit import Family
    from ha_monitor.watch.fixed import FixedKeys
    from ha_monitor.watch.pulse import Pulse
    from ha_monitor.watch.watches import Proof, Watches

WAIT = 5.0
"""Seconds that a consistent read waits unless it says otherwise. Chosen: two health checks, or the election of a
leader."""

LONGEST_WAIT = 30.0
"""Seconds that one over HTTP may ask for: an answer holds a connection meanwhile."""


class ConsistentReads:
    """Waits for revisions. Nothing is kept of a wait that has ended: etcd is asked only while one goes on."""

    def __init__(
        self,
        families: Mapping[str, Family],
        watches: Watches | FixedKeys,
        pulse: Pulse | FixedKeys,
        is_synced: Callable[[], bool],
        maintenance: str,
    ) -> None:
        """Prepare.

        :param is_synced: tells whether everything was evaluated once.
        :param maintenance: prefix of the keys that freeze resources, which each answer shows.
        """
        self._families = families
        self._watches = watches
        self._pulse = pulse
        self._is_synced = is_synced
        self._maintenance = maintenance

    def reached(self, type_: str | None) -> int:
        """Give the revision that the answers of a type, or of all, are consistent up to; 0: of none yet."""
        proof = self.proof(type_)
        return proof.revision if proof.caught_up and self._is_synced() else 0

    def proof(self, type_: str | None = None) -> Proof:
        """Tell how far the answers of a type, or of all, are: as far as the watches that they depend on.

        Less what those brought and waits to be rendered or judged.
        """
        family = None if type_ is None else self._families.get(type_)
        if family is None:  # a type that is not known may come with the next change: of a template
            return self._watches.proof(()).held_back(each.held for each in self._families.values())
        shown = () if family.records is None else (family.records.prefix,)
        return self._watches.proof((*family.prefixes, *shown, self._maintenance)).held_back((family.held,))

    async def wait(self, revision: int, type_: str | None, timeout: float, *, newest: bool) -> int:
        """Wait until the answers of a type, or of all, are consistent up to a revision; give the one reached.

        Raises :class:`~ha_monitor.errors.RevisionTimeout`.

        :param timeout: seconds.
        :param newest: wait for etcd's newest revision as well, by a linearizable read that is sent from now on.
        """
        wanted = None if newest else revision
        with anyio.move_on_after(timeout):
            if newest:
                await self._pulse.read()
                wanted = max(revision, self._pulse.revision)
            assert wanted is not None  # noqa: S101 - it was read, or given
            return await self._reach(wanted, type_)
        raise RevisionTimeout(self._words(wanted, type_, timeout), self.reached(type_))

    async def _reach(self, revision: int, type_: str | None) -> int:
        while (reached := self.reached(type_)) < revision:
            pause = LOOK_EVERY  # every event of every watch is a step on the way: too many to tell of each
            if self._pulse.revision < revision:  # etcd may not have it yet: no watch can be asked for it
                await self._pulse.read()
                if self._pulse.revision < revision:
                    pause = CATCH_UP_EVERY
            await anyio.sleep(pause)
        return reached

    def _words(self, wanted: int | None, type_: str | None, timeout: float) -> str:
        """Say how far the answers are, and what they wait for."""
        late = f"not in {timeout:g} s: "
        if not self._pulse.alive or wanted is None:
            fault = self._pulse.fault or "it has not answered yet"
            return f"{late}etcd is unreachable ({fault}); {self._so_far(type_)}"
        if self._pulse.revision < wanted:
            return f"{late}etcd is at revision {self._pulse.revision}, {wanted} was asked for; {self._so_far(type_)}"
        why = ""
        if not self._is_synced():
            why = "; resources are being evaluated for the first time"
        elif not self.proof(type_).caught_up:
            why = f"; {self._watches.not_caught_up}"
        return f"{late}{self._so_far(type_)}, etcd is at {self._pulse.revision}, {wanted} was asked for{why}"

    def _so_far(self, type_: str | None) -> str:
        known = type_ is not None and type_ in self._families
        return f"{f'{type_} is' if known else 'the answers are'} at revision {self.proof(type_).revision}"
