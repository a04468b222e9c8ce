"""Lines for a terminal that are folded between words only: a key, or a command, stays whole to be copied."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from ha_monitor.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

_NARROWEST = 20  # columns left of an indent, however narrow the terminal is


def folded(words: str, columns: int) -> Sequence[str]:
    """Give words as lines of so many columns; a word that is longer has a line of its own."""
    width = max(columns, _NARROWEST)
    return textwrap.wrap(printable(words), width, break_long_words=False, break_on_hyphens=False) or [""]
