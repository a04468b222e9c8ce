"""What must not be shown: which parameters hold secrets, and how they look wherever somebody may read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REDACTED = "redacted"
"""Stands for a secret: a word that a template may print wherever the secret may stand."""

SECRET_FIELDS = ("password", "passwd", "passphrase", "secret", "token", "private_key", "api_key")
"""Parts of names of fields that hold secrets, unless a setting says otherwise."""


def holds_secret(names: Iterable[str], secret_fields: Sequence[str]) -> bool:
    """Tell whether one of the names has one of the parts in it, in whatever case."""
    return any(part.lower() in name.lower() for name in names for part in secret_fields)


def masked(value: object) -> object:
    """Give a value's form, with every text and number in it redacted; nothing stays nothing."""
    if isinstance(value, Mapping):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    return value if value is None or value == "" or isinstance(value, bool) else REDACTED
