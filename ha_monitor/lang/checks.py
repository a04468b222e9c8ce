"""What an entry must have once it is rendered: a known type, its required properties, valid ids, usable times."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import check_id, id_text, is_id, quote

if TYPE_CHECKING:
    from ha_monitor.lang.kinds import Kind

_TIMES = ("timeout", "rise", "fall")
"""Properties that any entry may have: seconds."""

_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")

Blame = Callable[[str, str], Iterable[str]]
"""Returns the parameters that are null and feed a property, of the names of an entry and of the property."""


def check_entry(name: str, props: dict[str, object], kinds: Mapping[str, Kind], blame: Blame) -> Kind:
    """Return the kind of an entry that is as it must be; defaults are put into ``props``, and times as numbers.

    Raises:
        Problem: it is not; the words name entry, property and what feeds it.
    """
    type_ = props["type"]
    kind = kinds.get(type_) if isinstance(type_, str) else None
    if kind is None:
        raise Problem(f"entry {quote(name)} has the unknown type {quote(type_)}")
    for prop, value in kind.defaults.items():
        if props.get(prop) is None:
            props[prop] = value
    if kind.served:
        _check_props(name, props, kind, blame)
    for prop in _TIMES:
        if props.get(prop) is not None:
            props[prop] = _seconds(name, prop, props[prop])
    return kind


def _check_props(name: str, props: Mapping[str, object], kind: Kind, blame: Blame) -> None:
    """See that the required properties are there, and that ids are ids."""
    for prop in kind.required:
        if props.get(prop) in (None, ""):
            nulls = [repr(parameter) for parameter in blame(name, prop)]
            why = f", because {' and '.join(nulls)} {'is' if len(nulls) == 1 else 'are'} null" if nulls else ""
            what = "is empty" if prop in props else "is missing"
            raise Problem(f"entry {quote(name)} ({props['type']}): its {prop} {what}{why}")
    for prop in kind.ids:
        value = props.get(prop)
        if value is not None and not (isinstance(value, str) and is_id(value)):  # hardly any, and without a call more
            _check_id(name, prop, props)


def _check_id(name: str, prop: str, props: Mapping[str, object]) -> None:
    """See that a property is an id."""
    try:
        check_id(id_text(props[prop]))
    except Problem as problem:
        raise Problem(f"entry {quote(name)} ({props['type']}): its {prop}: {problem}") from problem


def _seconds(name: str, prop: str, value: object) -> float:
    """Return a time in seconds."""
    number = float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) is not None else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number) or number < 0:
        raise Problem(f"entry {quote(name)}: its {prop} is {quote(value)}, not a number of seconds from 0 on")
    return number
