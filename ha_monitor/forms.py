"""The forms that the values of settings have: taken apart and checked, in words for what is wrong."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from ha_monitor.endpoint import canonical, host_port


def split(value: object) -> object:
    """Take commas apart, wherever several values may stand."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, (list, tuple)):
        return values
    return tuple(
        part.strip() if isinstance(part, str) else part
        for item in values
        for part in (item.split(",") if isinstance(item, str) else (item,))
        if part != ""
    )


def pairs(value: object) -> object:
    """Take ``NAME=VALUE`` texts for a table."""
    values = split(value)
    if not isinstance(values, tuple):
        return value
    wrong = [item for item in values if not isinstance(item, str) or "=" not in item]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not NAME=VALUE")
    return dict(item.split("=", 1) for item in values)


def _webhook(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("it is not http://HOST/PATH or https://HOST/PATH")
    if "@" in parts.netloc:
        raise ValueError("user and password have no place in it: requests are signed, see webhook-secret-file")
    return url


def _cluster_id(text: str) -> str:
    if not re.fullmatch(r"(0[xX])?[0-9a-fA-F]{1,16}", text):
        raise ValueError(f"{text!r} is no id of a cluster: up to 16 hexadecimal digits, as etcd logs it")
    return text


def origin(url: str) -> str:
    """Give as much of a URL as may stand in logs: a path may be as good as a password."""
    return re.sub(r"^([a-zA-Z]+://)?(?:[^/@]*@)?([^/?#@]*).*", r"\1\2", url, flags=re.DOTALL)


def _file(path: Path) -> Path:
    if path.name in ("", ".."):
        raise ValueError("it names no file")
    return path


def _command(text: str) -> str:
    arguments = shlex.split(text)
    if not arguments or "\0" in text:
        raise ValueError("it names no program")
    return text


def without_password(text: str) -> str:
    """Blot out what stands before an ``@``: words on a wrong URL end up in logs."""
    return re.sub(r".*@", "***@", text, flags=re.DOTALL)


def _listen(text: str) -> str:
    if text:
        host_port(text, None)
    return text


def _domain(name: str) -> str:
    if not re.fullmatch(r"([A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?", name):
        raise ValueError("it is not the name of a domain")
    return name


def _nameserver(text: str) -> str:
    host, port = host_port(text, 53)
    address = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ip_address(address)
    except ValueError:
        raise ValueError("it is not ADDRESS:PORT, the address an IPv4 one or an IPv6 one in brackets") from None
    if ":" in host and address == host:
        raise ValueError("an IPv6 address has to be in brackets")
    if port == 0:
        raise ValueError("port '0' is not a number from 1 to 65535")
    return f"{host}:{port}"


def _name(host: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", host):
        raise ValueError("it is no name of a host, which has no port")
    return host.lower()


def _root(prefix: str) -> str:
    if not prefix.startswith("/") or prefix.endswith("/"):
        raise ValueError(f"{prefix!r} does not begin with / or ends with /")
    return prefix


def _root_or_none(prefix: str) -> str:
    return _root(prefix) if prefix else prefix


def _segment(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"{name!r} is not made of letters, digits, '.', '_' and '-'")
    return name


def no_flag(value: object) -> object:
    """Refuse ``true`` and ``false``: in a file they would count as numbers."""
    if isinstance(value, bool):
        raise ValueError("it has to be a number")
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("it has to be finite")
    return value


Seconds = Annotated[float, BeforeValidator(no_flag), Field(gt=0), AfterValidator(_finite)]
Span = Annotated[float, BeforeValidator(no_flag), Field(ge=0), AfterValidator(_finite)]
Names = Annotated[Sequence[str], BeforeValidator(split)]
Table = Annotated[Mapping[str, str], BeforeValidator(pairs)]
Spans = Annotated[Mapping[str, Span], BeforeValidator(pairs)]
Root = Annotated[str, AfterValidator(_root)]
Hosts = Annotated[Sequence[Annotated[str, AfterValidator(_name)]], BeforeValidator(split)]
ClusterId = Annotated[str, AfterValidator(_cluster_id)]
Endpoints = Annotated[Sequence[Annotated[str, AfterValidator(canonical)]], BeforeValidator(split)]
Paths = Annotated[Sequence[Path], BeforeValidator(split)]
Whole = Annotated[int, BeforeValidator(no_flag)]
RootOrNone = Annotated[str, AfterValidator(_root_or_none)]
Domain = Annotated[str, AfterValidator(_domain)]
Nameserver = Annotated[str, AfterValidator(_nameserver)]
Listen = Annotated[str, AfterValidator(_listen)]
Segment = Annotated[str, AfterValidator(_segment)]
File = Annotated[Path, AfterValidator(_file)]
Command = Annotated[str, AfterValidator(_command)]
Webhook = Annotated[str, AfterValidator(_webhook)]
