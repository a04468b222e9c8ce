"""Options of etcd that have it issue JWT tokens instead of its simple ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from pathlib import Path


def jwt_options(folder: Path, ttl: float = 3600.0) -> tuple[str, ...]:
    """Write a fresh RSA key pair into a folder and return the options for :class:`~tests.support.etcd.Etcd`.

    :param ttl: lifetime of each token in seconds. It is absolute: use does not extend it, as it does for simple tokens.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private, public = folder / "jwt-private.pem", folder / "jwt-public.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return "--auth-token", f"jwt,pub-key={public},priv-key={private},sign-method=RS256,ttl={ttl:g}s"
