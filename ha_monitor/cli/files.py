"""Files that settings name, looked at before anything else starts, so that a wrong one is told in words."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ha_monitor.settings import setting_name

if TYPE_CHECKING:
    from ha_monitor.settings import Settings


def kept_file(option: str, path: Path | None) -> Path | None:
    """Give where a file really is that is replaced whole, so that a symbolic link to it stays one.

    Raises ``click.UsageError`` where there can't be one: to write or read what is no file may take for ever.
    """
    if path is None:
        return None
    real = Path(os.path.realpath(path))
    try:
        if not real.parent.is_dir():
            raise click.UsageError(f"{option} {path}: there is no folder {real.parent}")
        if not stat.S_ISREG(real.stat().st_mode):
            raise click.UsageError(f"{option} {path}: it is there, and is no regular file")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise click.UsageError(f"{option} {path}: {error.strerror}") from error
    return real


def check_access(settings: Settings) -> None:
    """Raise ``click.UsageError`` where a file can't be read that says who we are to etcd."""
    for name in ("etcd_ca", "etcd_cert", "etcd_key", "etcd_password_file"):
        path: Path | None = getattr(settings, name)
        try:
            if path is not None and not path.is_fifo():  # a pipe, such as a shell's <(...), gives what it has but once
                path.open("rb").close()
        except OSError as error:
            raise click.UsageError(f"--{setting_name(name)} {path}: {error.strerror}") from error
