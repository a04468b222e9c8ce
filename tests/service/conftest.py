"""One standing service for each module: a test empties its etcd first, which is an event like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import site
from tests.support.etcd import Etcd
from tests.support.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


class Site:
    """An etcd with the template of the HA interface and one healthy HA interface, and the service that watches it."""

    def __init__(self, etcd: Etcd, service: Service) -> None:
        self.etcd, self.service = etcd, service
        self.healthy = site.HaInterface()
        self._version = 1

    def begin(self) -> None:
        self.etcd.delete_prefix("")
        self.etcd.txn(site.ha_template() | self.healthy.keys())
        self.etcd.wait_record(self.healthy.record, site.record())

    def ha_interface(self, primary: object = site.UP, secondary: object = site.UP) -> site.HaInterface:
        """Add an HA interface with these states; returns once its record is there as it must be."""
        pair = site.HaInterface()
        self.etcd.txn(pair.keys(primary, secondary))
        self.etcd.wait(pair.record, lambda items: pair.record in items)
        return pair

    def marker(self, timeout: float = 20.0) -> None:
        """Flip the healthy interface in a new version of its config, and see its record follow.

        What was put before under the prefixes of both, configs and states, has been heard by then.
        """
        self._version += 1
        status = "DOWN" if self._version % 2 == 0 else "UP"
        state = {"interface": status, "version": self._version}
        self.etcd.txn({self.healthy.config: self.healthy.envelope(self._version), self.healthy.primary_state: state})
        self.etcd.wait_record(self.healthy.record, site.record(status, version=self._version), timeout)


class _Standing:
    """The standing pair; made anew where a test brought it down."""

    def __init__(self) -> None:
        self.etcd = Etcd().start()
        self.service = Service(self.etcd.url).wait_ready()

    def close(self) -> None:
        try:
            self.service.stop()
        finally:
            self.service.kill()
            self.etcd.close()


@pytest.fixture(scope="module")
def standing() -> Iterator[_Standing]:
    made = _Standing()
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def standing_site(standing: _Standing) -> Site:
    """The standing service, ready, on an etcd with nothing but one healthy HA interface."""
    if not standing.service.running:
        standing.service = Service(standing.etcd.url).wait_ready()
    made = Site(standing.etcd, standing.service)
    made.begin()
    return made
