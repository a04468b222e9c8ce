"""Which member of a cluster is tried next: the endpoints that are known, and when they are looked up anew."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

import anyio

from ha_monitor.errors import EtcdError, EtcdUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ha_monitor.etcd.discovery import Discovery

log = logging.getLogger(__name__)

LOOKUP_EVERY = 2.0
"""Seconds between two lookups (chosen): tries to connect come more often, from every watch."""


class EndpointSettings(Protocol):
    """What is needed of the settings."""

    @property
    def etcd(self) -> Sequence[str]:
        """URLs of the members of one cluster, where they are not discovered."""

    @property
    def discovery(self) -> Discovery | None:
        """Where they are discovered; ``None``: they are not."""


class Endpoints:
    """A ring of endpoints. With a lookup, it is renewed once every endpoint has failed since the last one."""

    def __init__(self, urls: Sequence[str] = (), look_up: Callable[[], Awaitable[Sequence[str]]] | None = None) -> None:
        """Prepare; nothing is looked up yet.

        :param look_up: gives the endpoints of this moment, one at least; raises :class:`EtcdError`.
        """
        self._urls = tuple(urls)
        self._look_up = look_up
        self._at = 0
        self._failed = 0
        """Endpoints that were left since the last lookup."""
        self._looked_up_at = float("-inf")
        self._fault: EtcdError = EtcdUnavailable("no endpoint is known yet")

    @classmethod
    def of(cls, settings: EndpointSettings) -> Endpoints:
        """Make those of the settings."""
        discovery = settings.discovery
        return cls(settings.etcd) if discovery is None else cls(look_up=discovery.look_up)

    def __len__(self) -> int:
        """Give how many are known."""
        return len(set(self._urls))

    async def current(self) -> str:
        """Give the endpoint whose turn it is. Raises :class:`EtcdError` where none is known and the lookup fails."""
        if self._look_up is not None and self._failed >= len(self._urls):
            if anyio.current_time() - self._looked_up_at >= LOOKUP_EVERY:
                await self._renew(self._look_up)
            elif not self._urls:
                raise type(self._fault)(str(self._fault))
        return self._urls[self._at % len(self._urls)]

    def advance(self) -> None:
        """Leave the current endpoint for the next one: it does not serve us."""
        self._at += 1
        self._failed += 1

    async def _renew(self, look_up: Callable[[], Awaitable[Sequence[str]]]) -> None:
        try:
            urls = tuple(await look_up())
        except EtcdError as error:
            self._fault = error
            if not self._urls:
                raise
            log.debug("%s; the endpoints that are known are tried again", error)
            return
        finally:
            self._looked_up_at = anyio.current_time()
        if set(urls) != set(self._urls):
            log.info("etcd endpoints found by DNS: %s", ", ".join(urls))
        self._urls, self._at, self._failed = urls, 0, 0
