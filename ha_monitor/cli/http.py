"""The port for HTTP: bound before anything else starts, so that a wrong one is told in words; who may ask there."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence
    from pathlib import Path

    from ha_monitor.settings import Settings


def listener(listen: str) -> socket.socket | None:
    """Bind ``HOST:PORT``; empty: ``None``. Raises ``click.UsageError`` where it can't be had."""
    if not listen:
        return None
    try:
        from ha_monitor.web.server import bind
    except ImportError as error:
        raise click.UsageError(
            f"--listen {listen} needs the extra http ({error.name} is missing): pip install 'ha-monitor[http]',"
            " or turn HTTP off with --listen ''"
        ) from error
    try:
        return bind(listen)
    except OSError as error:
        raise click.UsageError(f"--listen {listen}: {error.strerror or error}") from error


def check_token(path: Path | None) -> None:
    """Look into the file of the token, so that one that can't be read or is empty is told at the start."""
    if path is None:
        return
    try:
        empty = not path.read_bytes().strip()
    except OSError as error:
        raise click.UsageError(f"--http-token-file {path}: {error.strerror}") from error
    if empty:
        raise click.UsageError(f"--http-token-file {path}: there is no token in it")


def hosts(listening: socket.socket, settings: Settings) -> Sequence[str] | None:
    """Give the names that are answered to; ``None``: any, since a token is asked for or others reach us anyway."""
    address = ipaddress.ip_address(listening.getsockname()[0].partition("%")[0])
    return settings.http_host if address.is_loopback and settings.http_token_file is None else None


def url(listening: socket.socket) -> str:
    """Give the URL of a bound port."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
