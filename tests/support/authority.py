"""A certificate authority, and an etcd that speaks TLS with its certificates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import trustme

from tests.support.etcd import Etcd

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence
    from pathlib import Path


class Authority:
    """A CA, and PEM files of what it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ca = trustme.CA()
        self.ca = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.ca)

    def issue(
        self, name: str, *, hosts: Sequence[str] = ("127.0.0.1",), not_after: datetime.datetime | None = None
    ) -> tuple[Path, Path]:
        """Give files with a certificate for some hosts and its key."""
        cert = self._ca.issue_cert(*hosts, common_name=name, not_after=not_after)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}-key.pem"
        cert.cert_chain_pems[0].write_to_path(paths[0])
        cert.private_key_pem.write_to_path(paths[1])
        return paths

    def options(self, cert: Path, key: Path) -> tuple[str, ...]:
        """Give the options of ha-monitor for a client certificate."""
        return "--etcd-ca", str(self.ca), "--etcd-cert", str(cert), "--etcd-key", str(key)

    def etcd(self) -> Etcd:
        """Give an etcd, still to be started, that wants a client certificate of this authority."""
        cert, key = self.issue("server")
        mine, my_key = self.issue("tester")
        credentials = grpc.ssl_channel_credentials(self.ca.read_bytes(), my_key.read_bytes(), mine.read_bytes())
        return Etcd(
            *("--cert-file", str(cert), "--key-file", str(key)),
            *("--trusted-ca-file", str(self.ca), "--client-cert-auth"),
            credentials=credentials,
        )
