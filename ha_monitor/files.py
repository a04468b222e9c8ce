"""A file of ours that is replaced whole: who reads it never reads half of it, and what goes wrong is said once."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)


class KeptFile:
    """One such file. A failure is a warning, and so is its end; in between nothing is said of it."""

    def __init__(self, path: Path, called: str, mode: int) -> None:
        """Prepare; nothing is touched yet.

        :param called: what it is called in log lines.
        :param mode: its permissions, whatever the umask.
        """
        self.path = path
        self._called = called
        self._mode = mode
        self._next = path.with_name(f".{path.name}.next")
        self._failing = False

    def replace(self, content: bytes) -> None:
        """Put another one in its place. Raises ``OSError``."""
        descriptor = os.open(self._next, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, self._mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, self._mode)
            file.write(content)
        self._next.replace(self.path)

    def attempt(self, work: Callable[[], None]) -> bool:
        """Do something with it; tells whether that went well."""
        try:
            work()
        except OSError as error:
            if not self._failing:
                log.warning("%s %s: %s", self._called, self.path, error.strerror or error)
            self._failing = True
            return False
        if self._failing:
            log.warning("%s %s: written again", self._called, self.path)
        self._failing = False
        return True
