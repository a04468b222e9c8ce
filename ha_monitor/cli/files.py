"""Files that settings name, looked at before anything else starts, so that a wrong one is told in words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click


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
