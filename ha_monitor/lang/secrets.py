"""What must not be shown: which parameters hold secrets, and how they look wherever somebody may read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

REDACTED = "redacted"
"""Stands for a secret: a word that a template may print wherever the secret may stand."""

SECRET_FIELDS = ("password", "passwd", "passphrase", "secret", "token", "private_key", "api_key")
"""Parts of names of fields that hold secrets, unless a setting says otherwise."""

_SHORTEST = 4  # what is shorter than this is no secret, and would blot out half of a text


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


def blot_out(words: str, secrets: Iterable[object]) -> str:
    """Give words without the secrets that they quote, whole or cut off."""
    texts = {text for secret in secrets for text in _texts(secret)}
    shown = {form for text in texts for form in (text, repr(text)[1:-1], text[:60], repr(text)[1:60])}
    for form in sorted(shown, key=len, reverse=True):
        if len(form) >= _SHORTEST:
            words = words.replace(form, REDACTED)
    return words


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
