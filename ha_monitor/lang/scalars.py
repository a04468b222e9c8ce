"""What a plain scalar of YAML means: the core schema of YAML 1.2, whatever parser read it.

More careful than the schema in two things, so that an id is not changed by looking like a number: an integer with a
superfluous zero before it (``010``) stays text, as does one of more than 18 digits.
"""

from __future__ import annotations

import re

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_OCTAL_OR_HEXADECIMAL = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+|\.[0-9]+[eE][-+]?[0-9]+)")
_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})
_MAX_NUMBER = 64  # characters of a number; chosen


def is_null(text: str) -> bool:
    """Tell whether a plain scalar is YAML's null."""
    return text in _NULLS


def resolve(text: str) -> object:
    """Return the value of a plain scalar: ``None``, a boolean, an integer, a float, or the text itself."""
    if text in _NULLS:
        return None
    if text[0].isalpha():
        return _BOOLEANS.get(text, text)
    if len(text) > _MAX_NUMBER:
        return text
    if _INTEGER.fullmatch(text) is not None:
        return int(text)
    if _FLOAT.fullmatch(text) is not None:
        return float(text)
    return _rare_number(text)


def _rare_number(text: str) -> object:
    """Return the value of a plain scalar that may be a number of a rare form."""
    if _OCTAL_OR_HEXADECIMAL.fullmatch(text) is not None:
        return int(text, 0)
    if _INFINITE.fullmatch(text) is not None:
        return float(text.replace(".", ""))
    return float("nan") if text in _NOT_A_NUMBER else text
