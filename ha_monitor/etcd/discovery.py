"""Endpoints of a cluster from DNS SRV records, as ``etcdctl --discovery-srv`` finds them.

``_etcd-client-ssl._tcp.DOMAIN`` gives endpoints with TLS, ``_etcd-client._tcp.DOMAIN`` endpoints without
(``client/pkg/srv/srv.go`` of etcd). They are ordered as RFC 2782 says, by priority and at random by weight, as Go's
resolver does it. Where there are records of both kinds, only those with TLS count: etcd's Go client uses TLS for all
endpoints where the first one has it, so that neither of us ever falls back to plain text.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ha_monitor.endpoint import canonical, host_port
from ha_monitor.errors import EtcdTlsRefused, EtcdUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dns.asyncresolver import Resolver
    from dns.rdtypes.IN.SRV import SRV
    from dns.resolver import Answer

log = logging.getLogger(__name__)

LOOKUP_TIMEOUT = 3.0
"""Seconds that a lookup may take, with all of its retries: as long as a connection may (chosen)."""

DNS_PORT = 53


@dataclass(frozen=True, slots=True)
class Discovery:
    """Where the SRV records are.

    :param domain: the domain that is asked for them.
    :param service: what follows ``_etcd-client-`` or ``_etcd-client-ssl-`` in their names; empty: nothing.
    :param nameserver: ``ADDRESS:PORT`` of the DNS server; ``None``: those of the system.
    :param tls: whether TLS is configured, so that endpoints without it are not used.
    """

    domain: str
    service: str = ""
    nameserver: str | None = None
    tls: bool = False

    def name(self, scheme: str) -> str:
        """Give the name of the records of endpoints with a scheme, ``https`` or ``http``."""
        parts = ["etcd-client", "ssl" if scheme == "https" else "", self.service]
        return f"_{'-'.join(part for part in parts if part)}._tcp.{self.domain}"

    async def look_up(self) -> Sequence[str]:
        """Give the endpoints, in the order in which they are to be tried: one at least.

        Raises :class:`EtcdUnavailable` where DNS does not answer or has no records, :class:`EtcdTlsRefused` where TLS
        is configured and there are only records without it.
        """
        secure = await self._records("https")  # it fails where DNS does: no reason to go on without TLS
        plain = [] if secure else await self._records("http")
        if secure:
            return secure
        if plain and self.tls:
            raise EtcdTlsRefused(
                f"TLS: DNS has no records {self.name('https')}, only endpoints without TLS: {', '.join(plain)}"
            )
        if not plain:
            raise EtcdUnavailable(f"DNS has no records {self.name('https')} or {self.name('http')}")
        return plain

    async def _records(self, scheme: str) -> Sequence[str]:
        """Give the endpoints of one scheme, none where there are no records."""
        import dns.asyncbackend
        import dns.exception
        import dns.resolver

        name = self.name(scheme)
        try:
            answer = await self._resolver().resolve(
                name, "SRV", lifetime=LOOKUP_TIMEOUT, search=self.nameserver is None,
                backend=dns.asyncbackend.get_backend("asyncio"),
            )  # fmt: skip
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.Timeout as error:
            raise EtcdUnavailable(f"DNS did not answer for {name} in {LOOKUP_TIMEOUT:g} s") from error
        except (dns.exception.DNSException, OSError) as error:
            raise EtcdUnavailable(f"DNS lookup of {name} failed: {error}") from error
        return list(_endpoints(scheme, answer))

    def _resolver(self) -> Resolver:
        """Give a resolver; a new one for each lookup, so that the system's settings of this moment count."""
        from dns.asyncresolver import Resolver
        from dns.nameserver import Do53Nameserver

        if self.nameserver is None:
            return Resolver()
        address, port = host_port(self.nameserver, DNS_PORT)
        resolver = Resolver(configure=False)
        resolver.nameservers = [Do53Nameserver(address.strip("[]"), port)]
        return resolver


def _endpoints(scheme: str, answer: Answer) -> Iterator[str]:
    records = cast("Sequence[SRV]", [] if answer.rrset is None else answer.rrset.processing_order())
    for record in records:
        host = record.target.to_text(omit_final_dot=True)
        if host in (".", ""):
            continue  # RFC 2782: "the service is decidedly not available at this domain"
        try:
            yield canonical(f"{scheme}://{host}:{record.port}")
        except ValueError as error:
            log.warning("ignoring a DNS record of etcd: %s", error)
