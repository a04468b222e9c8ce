"""What a template may consume while it renders: steps, and the size of every value it makes.

Counted, not timed, so that the same template with the same values is refused always or never.
"""

from __future__ import annotations

from collections.abc import Mapping

from ha_monitor.errors import Problem
from ha_monitor.lang.pattern import Pattern, compile_pattern

MAX_STEPS = 50_000
"""Steps of one rendering; measured: 25 ms in CPython 3.11, and 500 times what the largest real template needs."""

MAX_TEXT = 65_536
"""Characters of any one text, the rendered document included; chosen: 20 times the largest real one."""

MAX_ITEMS = 10_000
"""Elements of a list or range that a template makes; chosen."""

MAX_BITS = 63
"""Size of an integer that a template computes, so that it fits everywhere."""

_MAX_DEPTH = 32  # lists within lists of a value; chosen, as for documents
_PATTERN_STEPS = 50  # steps that compiling one character of the slowest patterns takes; measured
_TEXT_STEP = 256  # characters that are handled in the time of about one step; measured, rounded down


class Fuel:
    """What is left to one rendering."""

    __slots__ = ("_patterns", "left")

    def __init__(self) -> None:
        self.left = MAX_STEPS
        self._patterns: dict[str, Pattern] = {}

    def spend(self, steps: int) -> None:
        """Take ``steps`` away.

        Raises:
            Problem: none are left.
        """
        self.left -= steps
        if self.left < 0:
            raise Problem(f"the template takes more than {MAX_STEPS} steps")

    def weigh(self, value: object, depth: int = 0) -> None:
        """Spend as much as walking through ``value`` takes: to compare it, print it, or search it."""
        if isinstance(value, str):
            self.spend(1 + len(value) // _TEXT_STEP)
        elif isinstance(value, (list, tuple, Mapping)):
            if depth >= _MAX_DEPTH:
                raise Problem(f"a value is nested more than {_MAX_DEPTH} deep")
            self.spend(1 + len(value))
            for item in value.items() if isinstance(value, Mapping) else value:
                self.weigh(item, depth + 1)
        elif isinstance(value, int):
            self.spend(1 + value.bit_length() // MAX_BITS)
        else:
            self.spend(1)

    def text(self, value: object) -> str:
        """Return a value as text: nothing for ``None``, everything else as Jinja2 prints it."""
        self.weigh(value)
        if value is None:
            return ""
        text = value if isinstance(value, str) else str(value)
        return self.made(text)

    def made(self, text: str) -> str:
        """Let a text pass that a template made.

        Raises:
            Problem: it is longer than 65,536 characters, or no steps are left.
        """
        self.room(len(text))
        self.spend(len(text) // _TEXT_STEP)
        return text

    def pattern(self, text: str) -> Pattern:
        """Return a compiled pattern; it costs steps the first time.

        Raises:
            Problem: it is none, or no steps are left.
        """
        compiled = self._patterns.get(text)
        if compiled is None:
            self.spend(len(text) * _PATTERN_STEPS)
            compiled = self._patterns[text] = compile_pattern(text)
        return compiled

    def room(self, characters: int) -> None:
        """Let a text of that length be made.

        Raises:
            Problem: it would be longer than 65,536 characters.
        """
        if characters > MAX_TEXT:
            raise Problem(f"a text grows longer than {MAX_TEXT} characters")

    def items(self, count: int) -> None:
        """Spend what a list of ``count`` elements takes to make.

        Raises:
            Problem: that is more than 10,000 elements, or no steps are left.
        """
        if count > MAX_ITEMS:
            raise Problem(f"a list grows longer than {MAX_ITEMS} elements")
        self.spend(count)
