"""Packages of any Debian suite, unpacked into a folder: from the mirror of this machine's apt, nothing is installed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.etcds.missing import Missing, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@contextlib.contextmanager
def unpacked(suite: str, packages: Sequence[str]) -> Iterator[Path]:
    """Give a temporary folder that holds the files of these packages. Raises :class:`Missing`.

    It uses package lists and a cache of its own, so that neither root nor a change of the machine's lists is needed.
    """
    for needed in ("apt-get", "dpkg"):
        if shutil.which(needed) is None:
            raise Missing(f"it comes from Debian {suite}, and there is no {needed} here")
    mirror = _mirror()
    with tempfile.TemporaryDirectory(prefix="ha-monitor-debian-") as made:
        folder = Path(made)
        for part in ("lists/partial", "cache/archives/partial", "debs", "files"):
            (folder / part).mkdir(parents=True)
        (folder / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {mirror} {suite} main\n")
        apt = [
            "apt-get", "-qq",
            f"-oDir::Etc::sourcelist={folder}/sources.list", "-oDir::Etc::sourceparts=/dev/null",
            f"-oDir::State::Lists={folder}/lists", f"-oDir::Cache={folder}/cache",
            "-oAPT::Sandbox::User=root", "-oAPT::Update::Error-Mode=any",
        ]  # fmt: skip
        run([*apt, "update"])
        run([*apt, "download", *packages], cwd=folder / "debs")
        for deb in sorted((folder / "debs").glob("*.deb")):
            run(["dpkg", "-x", str(deb), str(folder / "files")])
        yield folder / "files"


def _mirror() -> str:
    """Return the URI from which this machine's apt takes Debian itself, not its security updates."""
    if not _KEYRING.exists():
        raise Missing(f"it comes from Debian, and there is no {_KEYRING} here (package debian-archive-keyring)")
    line = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(line, capture_output=True, text=True, check=False).stdout
    for uri in said.split():
        if uri.rstrip("/").endswith("/debian"):
            return uri
    raise Missing("it comes from Debian, and the apt of this machine has no mirror of Debian among its sources")
