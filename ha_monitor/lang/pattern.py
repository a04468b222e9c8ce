"""Regular expressions of templates and mappings: RE2, so that a match takes linear time whatever the pattern."""

from __future__ import annotations

from typing import Protocol, cast

import re2

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import quote

MAX_PATTERN = 500
"""Characters of a pattern; chosen: 20 times the longest real one. Measured: the worst of that length take RE2 12 ms."""

_MAX_MEMORY = 1 << 17  # bytes for a compiled pattern and its automaton, of which the library keeps 128; chosen


class Pattern(Protocol):
    """A compiled pattern."""

    def match(self, text: str) -> object:
        """Return something true where ``text`` starts with the pattern, as ``re.match`` does."""


def compile_pattern(text: str) -> Pattern:
    """Compile a pattern.

    Raises:
        Problem: it is no pattern of RE2 (which knows neither look-around nor back-references), or longer than
            500 characters.
    """
    if len(text) > MAX_PATTERN:
        raise Problem(f"the pattern {quote(text)} is longer than {MAX_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        return cast("Pattern", re2.compile(text, options))
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else "it can't be read"
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise Problem(f"the pattern {quote(text)} is wrong: {shown}") from error


def matches(pattern: Pattern, text: str) -> bool:
    """Tell whether ``text`` starts with ``pattern``; text that is no valid Unicode starts with nothing."""
    try:
        return bool(pattern.match(text))
    except UnicodeEncodeError:
        return False
