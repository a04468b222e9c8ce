"""Etcd built from its own Go modules, as a ``go.mod`` and ``go.sum`` here pin them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from typing import TYPE_CHECKING

from tests.etcds.debian import unpacked
from tests.etcds.missing import Missing, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TOOLS = {"etcd": "server", "etcdctl": "etcdctl", "etcdutl": "etcdutl"}
_SUITE = "forky"  # the first Debian suite whose Go is new enough


def pinned(module: Path) -> str:
    """Return the version of etcd that a module pins, such as ``3.6.16``."""
    found = re.search(r"go\.etcd\.io/etcd/server/v3 v(\S+)", (module / "go.mod").read_text())
    assert found is not None, module
    return found[1]


def build(module: Path, target: Path) -> None:
    """Build the three binaries into a folder. Raises :class:`Missing` where there is no Go for it.

    :param module: folder of the ``go.mod``.
    """
    with _go(module) as go:
        for name, package in _TOOLS.items():
            line = [go, "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags=-s -w"]
            run([*line, "-o", str(target / name), f"go.etcd.io/etcd/{package}/v3"], module, _environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}  # without C, no compiler is needed


@contextlib.contextmanager
def _go(module: Path) -> Iterator[str]:
    """Give the path of a ``go`` that can build a module: this machine's, or Debian's, unpacked for the time of it."""
    found = shutil.which("go")
    if found is not None and _suits(found, module):
        yield found
        return
    needed = re.search(r"^go (\d+\.\d+)", (module / "go.mod").read_text(), re.MULTILINE)
    assert needed is not None, module
    packages = [f"golang-{needed[1]}-go", f"golang-{needed[1]}-src"]
    lacking = f"it is built with Go {needed[1]} or newer, and " + (
        "there is no go here" if found is None else f"{found} is older"
    )
    with contextlib.ExitStack() as stack:
        try:
            files = stack.enter_context(unpacked(_SUITE, packages))
        except Missing as error:
            raise Missing(f"{lacking}; Debian's can't be had either: {error}") from error
        yield str(files / "usr" / "lib" / f"go-{needed[1]}" / "bin" / "go")


def _suits(go: str, module: Path) -> bool:
    try:
        run([go, "list", "-m"], module, _environment())  # refuses a go.mod that asks for a newer one
    except Missing:
        return False
    return True
