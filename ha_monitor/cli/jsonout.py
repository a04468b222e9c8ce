"""One JSON document on stdout."""

from __future__ import annotations

import json

import click


def print_json(value: object) -> None:
    """Print it in UTF-8, whatever stdout's encoding is: the escapes of the latter are none of JSON's.

    A byte of a key that is no UTF-8 is a question mark, as :func:`ha_monitor.text.legible` has it.
    """
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str).encode("utf-8", "replace"))
