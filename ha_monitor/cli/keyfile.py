"""A file of keys, ``{KEY: VALUE}`` as one JSON object: what ``load`` and ``plan`` change, and what questions go by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from io import TextIOWrapper


def read_changes(file: TextIOWrapper) -> dict[str, bytes | None]:
    """Give the keys of a file and what they are to become: a ``null`` deletes.

    Raises ``click.UsageError`` in words for a wrong file.
    """
    return {
        key: None if value is None else data
        for (key, value), (_, data) in ((item, _item(file.name, *item)) for item in _object(file).items())
    }


def read_keys(file: TextIOWrapper) -> dict[str, bytes]:
    """Give the keys that are there once a file was loaded into an empty etcd. Raises as :func:`read_changes`."""
    return {key: value for key, value in read_changes(file).items() if value is not None}


def _object(file: TextIOWrapper) -> dict[str, object]:
    try:
        items = json.load(file)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{file.name}: not JSON: {error}") from error
    if not isinstance(items, dict):
        raise click.UsageError(f"{file.name}: it has to hold one JSON object of keys and values")
    return items


def _item(name: str, key: str, value: object) -> tuple[str, bytes]:
    if not key:
        raise click.UsageError(f"{name}: a key is empty, which etcd does not allow")
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        key.encode()
        return key, text.encode()
    except UnicodeEncodeError as error:
        raise click.UsageError(f"{name}: {key!a}: half of a surrogate pair is no text") from error
