"""HTTP that goes out: by the proxy and the authorities that the environment names. Needs the extra ``http``."""

from __future__ import annotations

import os
import ssl
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from ha_monitor.errors import SettingsError


def open_client(url: str, **options: Any) -> httpx.AsyncClient:
    """Make a client for requests to the host of a URL, to be entered.

    The environment is read here, and only for what this host needs: httpx gives up on all of it for a ``NO_PROXY`` with
    a network of IPv6 in it, and does not say which variable is wrong. Raises :class:`SettingsError`, which does.
    """
    return httpx.AsyncClient(trust_env=False, proxy=_proxy(url), verify=_authorities(url), **options)


def _proxy(url: str) -> httpx.Proxy | None:
    parts, known = urlsplit(url), getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if kind in known), None)
    if kind is None or proxy_bypass(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    text = known[kind]
    try:
        proxy = httpx.Proxy(text if "://" in text else f"http://{text}")
        usable = (
            bool(proxy.url.host)
            and (proxy.url.port or 0) <= 65535
            and (proxy.url.scheme in ("http", "https") or find_spec("socksio") is not None)
        )
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable:  # not said any closer: there may be a password in it
        names = [name for name in os.environ if name.lower() == f"{kind}_proxy"]
        variable = max(names, default=f"{kind} proxy")  # of several, the lower-case one counts
        raise SettingsError(
            f"{variable}: it is not http://HOST:PORT, https://HOST:PORT, or, with socksio, socks5://HOST:PORT"
        )
    return proxy


def _authorities(url: str) -> ssl.SSLContext:
    if urlsplit(url).scheme != "https":
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # nobody is to be verified, and nobody trusted
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        file = os.environ.get("SSL_CERT_FILE")
        raise SettingsError(f"SSL_CERT_FILE {file}: {error.strerror}") from error
