"""What stops an etcd from being brought, in words; and commands whose failure is one."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_SHOWN = 15  # last lines of a failed command


class Missing(Exception):
    """An etcd can't be brought on this machine; the text says what is missing or what failed."""


def run(line: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its output. Raises :class:`Missing` with what it printed where it fails."""
    ended = subprocess.run(
        line, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False,
    )  # fmt: skip
    if ended.returncode:
        said = "\n".join(f"    {each}" for each in ended.stdout.splitlines()[-_SHOWN:])
        raise Missing(f"`{' '.join(line)}` failed with {ended.returncode}:\n{said}")
    return ended.stdout
