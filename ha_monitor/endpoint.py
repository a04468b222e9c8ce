"""Endpoints of an etcd cluster as text: the forms that ``etcdctl --endpoints`` accepts, in one canonical form each.

The rules are those of etcd's Go client (``client/v3/internal/endpoint/endpoint.go``). It differs from that client in
three points, each of them stricter or more lenient where the Go client fails or drops something silently: a port may
be left out (2379), a scheme may be written in any case for sockets too, and a path behind a host is refused.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlsplit

CLIENT_PORT = 2379
"""etcd's registered port for clients."""

SECURE = ("https", "unixs")
"""Schemes of endpoints that are connected to with TLS."""

HOST = r"[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?\]"
"""What a host may look like: a name, an IPv4 address, or an IPv6 address in brackets."""

_FORMS = "HOST:PORT, http://HOST:PORT, https://HOST:PORT, unix://PATH or unixs://PATH"
_SOCKET = ("unix", "unixs")
_SOCKET_PATH = 107  # bytes, of the 108 in Linux' sockaddr_un one ends the path


def canonical(text: str) -> str:
    """Give ``HOST:PORT``, ``http://HOST:PORT``, ``https://HOST:PORT``, ``unix://PATH`` or ``unixs://PATH``.

    A path may be relative; one that begins with ``@`` names a socket in Linux' abstract namespace. Raises
    ``ValueError`` in words without what stands before an ``@``, which may be a password.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in _SOCKET:
        return f"{scheme.lower()}://{_path(rest.removeprefix('//'))}"
    if "@" in text:
        raise ValueError("user and password have settings of their own: etcd-user and etcd-password-file")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _address(text, text)
    if scheme.lower() not in ("http", "https"):
        raise ValueError(f"{text!r} is not {_FORMS}")
    return f"{scheme.lower()}://{_address(rest, text)}"


def with_scheme(endpoint: str, *, tls: bool) -> str:
    """Give a canonical endpoint with a scheme that says whether TLS is used.

    As in the Go client, ``HOST:PORT`` and ``unix://PATH`` leave that open: they use TLS where it is configured.

    :param tls: whether there are files of a CA or of a certificate.
    """
    scheme, separator, rest = endpoint.partition("://")
    if not separator:
        return f"{'https' if tls else 'http'}://{endpoint}"
    return f"unixs://{rest}" if scheme == "unix" and tls else endpoint


def is_secure(url: str) -> bool:
    """Tell whether a canonical endpoint with its scheme is connected to with TLS."""
    return url.partition("://")[0] in SECURE


def socket_path(url: str) -> str | None:
    """Give the address of a UNIX socket as :func:`socket.socket.connect` takes it; ``None`` for a host and port."""
    scheme, _, path = url.partition("://")
    if scheme not in _SOCKET:
        return None
    return "\0" + path[1:] if path.startswith("@") else path


def authority(url: str) -> str:
    """Give the ``:authority`` header of calls: host and port, or the name of the socket's file.

    The latter is what the Go client of etcd 3.5 and newer sends (measured; that of 3.4 sends the whole path).
    """
    path = socket_path(url)
    return urlsplit(url).netloc if path is None else quote(os.fsencode(_file_name(path)), safe=":")


def server_name(url: str) -> str:
    """Give the name that a server's certificate has to be for: its host, or the socket's file name up to a colon."""
    path = socket_path(url)
    if path is None:
        return (urlsplit(url).hostname or "").partition("%")[0]
    return _file_name(path).rpartition(":")[0] or _file_name(path)


def host_port(text: str, default: int | None) -> tuple[str, int]:
    """Take ``HOST:PORT`` apart. Raises ``ValueError`` in words.

    :param default: the port where there is none; ``None``: there has to be one.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        if default is None:
            raise ValueError(f"{text!r} is not HOST:PORT")
        return text, default
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"port {port!r} is not a number from 0 to 65535")
    return host, int(port)


def _address(rest: str, text: str) -> str:
    rest = rest.rstrip("/")
    if "/" in rest.strip("/"):
        raise ValueError(f"{text!r} has a path, which an etcd endpoint can't have: {_FORMS}")
    host, port = host_port(rest, CLIENT_PORT)
    if not re.fullmatch(HOST, host):
        raise ValueError(f"{text!r} names no host: {_FORMS}, IPv6 in brackets")
    if port == 0:
        raise ValueError("port '0' is not a number from 1 to 65535")
    return f"{host}:{port}"


def _path(path: str) -> str:
    if not path.strip("@") or path.endswith("/") or "\0" in path:
        raise ValueError(f"it names no socket: {_FORMS}")
    try:
        length = len(os.fsencode(path))
    except UnicodeEncodeError:
        raise ValueError("the path of a UNIX socket is made of characters that the file system does not have") from None
    if length > _SOCKET_PATH:
        raise ValueError(f"the path of a UNIX socket has {_SOCKET_PATH} bytes at most")
    return path


def _file_name(path: str) -> str:
    return path.lstrip("\0").rpartition("/")[2]
