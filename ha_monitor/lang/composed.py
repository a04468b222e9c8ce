"""Scalars of a document that are made of literal text and parameters, and when their value is known without YAML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ha_monitor.lang.scalars import is_null, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER = re.compile("\ue000([0-9]+)\ue001")
"""Stands for the n-th printed parameter in a skeleton's text: private-use characters, printable in YAML."""

# Nothing in it starts or ends anything in YAML, quoted or not: colons and a blank only before a letter or digit, and no
# dots that end a document where they begin a line.
_SAFE = re.compile(r"(?!\.{3}(?: |\Z))[A-Za-z0-9_/.][A-Za-z0-9_/.@+-]*(?:(?:::?| )[A-Za-z0-9_/.][A-Za-z0-9_/.@+-]*)*")


class UnsafeValue(Exception):
    """A value that only YAML can tell the meaning of: take the plain way."""


@dataclass(frozen=True, slots=True)
class Composed:
    """A scalar: literal texts and, between two of them each, the names of parameters.

    ``plain`` where it is not in quotes, ``text`` where its property stays text, ``longest`` the characters that its
    text may have for the whole document to stay within its bound, ``alone`` the one parameter that is all of it.
    """

    literals: tuple[str, ...]
    names: tuple[str, ...]
    plain: bool
    text: bool
    longest: int
    alone: str | None

    def value(self, parameters: Mapping[str, object]) -> object:
        """Return the scalar's value.

        Raises:
            UnsafeValue: the text is not certain to mean itself.
        """
        if self.alone is not None:
            text = _printed(parameters[self.alone])
        else:
            text = self.literals[0]
            for name, literal in zip(self.names, self.literals[1:], strict=True):
                text += _printed(parameters[name]) + literal
        if not text:
            return None if self.plain else ""
        if len(text) > self.longest or _SAFE.fullmatch(text) is None:
            raise UnsafeValue
        if not self.plain:
            return text
        if self.text:
            return None if is_null(text) else text
        return resolve(text)


def _printed(value: object) -> str:
    """Return a parameter as the template prints it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, (bool, float)) or (isinstance(value, int) and value.bit_length() <= 64):
        return str(value)
    raise UnsafeValue


def split(text: str, names: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the literal texts of a scalar and the parameters between them; ``names`` are all printed ones in order."""
    parts = PLACEHOLDER.split(text)
    return tuple(parts[::2]), tuple(names[int(number)] for number in parts[1::2])
