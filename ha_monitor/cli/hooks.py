"""What hooks need, looked at before anything else starts, so that what is missing is told in words."""

from __future__ import annotations

import os
import shlex
import shutil
from typing import TYPE_CHECKING

import click

from ha_monitor.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from ha_monitor.settings import Settings


def check_hooks(settings: Settings) -> None:
    """Raise ``click.UsageError`` where a command can't be run, or a webhook can't be posted or signed."""
    if settings.hook is not None:
        _check_command(settings.hook)
    if settings.webhook is not None:
        _check_webhook(settings.webhook, settings.webhook_secret_file)


def _check_command(command: str) -> None:
    if not hasattr(os, "memfd_create"):
        raise click.UsageError("--hook needs Linux")
    program = shlex.split(command)[0]
    if shutil.which(program) is None:
        raise click.UsageError(f"--hook {program}: there is no such program, or it may not be run")


def _check_webhook(url: str, secret_file: Path | None) -> None:
    try:
        import httpx
    except ImportError as error:
        raise click.UsageError("--webhook needs the extra http: pip install 'ha-monitor[http]'") from error
    from ha_monitor.hooks.signature import read_secrets
    from ha_monitor.outward import open_client

    try:
        httpx.Request("POST", url)
        open_client(url)
    except (httpx.InvalidURL, ValueError, SettingsError) as error:
        raise click.UsageError(f"--webhook: {error}") from error
    if secret_file is not None:
        try:
            read_secrets(secret_file)
        except ValueError as error:
            raise click.UsageError(f"--webhook-secret-file {secret_file}: {error}") from error
