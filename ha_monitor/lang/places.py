"""The keys and values of a type in etcd: the path below each prefix, and the form of a config.

Nearly every type has the path ``FOLDER/ID``. gohan's ``sync_key_template`` defines another one, with fields of the
resource in it. :mod:`ha_monitor.lang.schemas` parses the schemas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_FIELD = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_ID = "id"


class Body(NamedTuple):
    """What gohan writes as a config.

    ``plain``: the body without its envelope (``sync_plain``). ``field``: the value of that one field is the whole body
    (``sync_property``). ``is_text``: that value is text, which ``plain`` leaves without quotes; ``None``: unknown.
    """

    plain: bool = False
    field: str | None = None
    is_text: bool | None = None


ENVELOPE = Body()
"""The whole body in an envelope, as nearly every type has it."""


class KeyPath:
    """The end of a path that is more than an id: ``{{device_id}}/virtual_machine/{{id}}``. Immutable.

    ``shape`` is equal for any two paths that match the same keys: ``*/virtual_machine/{id}``. ``needs_fields``: the id
    alone does not determine the path.
    """

    __slots__ = ("_pieces", "_regex", "needs_fields", "shape")

    def __init__(self, text: str) -> None:
        """Compile it.

        Raises:
            ValueError: the id is no path segment of its own, so a key does not identify its resource.
        """
        pieces = _FIELD.split(text)  # literal, field, literal, field, …, literal
        self._pieces = tuple(pieces)
        fields = pieces[1::2]
        for segment in _segments(pieces):
            if _ID in segment and len(segment) > 1:
                raise ValueError("its {{id}} is not a path segment of its own")
        if _ID not in fields:
            raise ValueError("it has no {{id}}, so a key does not identify its resource")
        self.needs_fields = any(field != _ID for field in fields)
        pattern, shape, found = [re.escape(pieces[0])], [pieces[0]], False
        for field, literal in zip(fields, pieces[2::2], strict=True):
            if field != _ID:
                pattern.append("[^/]*")
            else:
                pattern.append("(?P=id)" if found else "(?P<id>[^/]+)")
                found = True
            pattern.append(re.escape(literal))
            shape += ["{id}" if field == _ID else "*", literal]
        self._regex = re.compile("".join(pattern))
        self.shape = "".join(shape)

    def id_of(self, end: str) -> str | None:
        """Return the resource id of the end of a path; ``None`` if it does not match."""
        match = self._regex.fullmatch(end)
        return None if match is None else match["id"]

    def end_of(self, id_: str) -> str | None:
        """Return the end of a resource's path; ``None`` if that depends on fields of the resource."""
        return None if self.needs_fields else self.described(id_)

    def described(self, id_: str) -> str:
        """Return the end of a resource's path for display, with names in place of unknown fields."""
        pieces = list(self._pieces)
        pieces[1::2] = [id_ if field == _ID else f"{{{{{field}}}}}" for field in pieces[1::2]]
        return "".join(pieces)


def _segments(pieces: list[str]) -> list[list[str]]:
    """Return the fields of each path segment."""
    segments: list[list[str]] = [[]]
    for number, piece in enumerate(pieces):
        if number % 2:
            segments[-1].append(piece)
        else:
            segments += [[] for _ in range(piece.count("/"))]
    return segments


@dataclass(frozen=True, slots=True)
class Place:
    """The path of a type's keys below each prefix: ``folder`` and the id, or ``folder`` and ``path``.

    ``folder`` is the constant part of the path, and ends in a slash. ``skips_config_prefix``: configs have no config
    prefix; states and records have their prefixes as usual.
    """

    folder: str
    path: KeyPath | None = None
    skips_config_prefix: bool = False
    body: Body = ENVELOPE

    @property
    def is_plain(self) -> bool:
        """Whether keys and values are standard: an id below the folder, and a body in an envelope."""
        return self.path is None and self.body == ENVELOPE

    def name(self, root: str) -> str:
        """Return what identifies the keys below a prefix: the prefix of their ids, or the shape of their path."""
        return f"{root}{self.folder}{'' if self.path is None else self.path.shape}"

    def id_of(self, path: str) -> str | None:
        """Return the id of the resource at a path; ``None`` if the path is not of this type."""
        if not path.startswith(self.folder):
            return None
        end = path.removeprefix(self.folder)
        if self.path is not None:
            return self.path.id_of(end)
        return end if end and "/" not in end else None

    def overlaps(self, other: Place) -> bool:
        """Whether a path may belong to both."""
        ours, theirs = (place.folder + ("{id}" if place.path is None else place.path.shape) for place in (self, other))
        pairs = tuple(zip(ours.split("/"), theirs.split("/"), strict=False))
        return ours.count("/") == theirs.count("/") and all(_meet(one, another) for one, another in pairs)


def _meet(one: str, another: str) -> bool:
    """Whether a segment may match both patterns; two patterns with fields are assumed to overlap."""
    free = [any(mark in segment for mark in ("*", "{id}")) for segment in (one, another)]
    if not any(free):
        return one == another
    if all(free):
        return True
    shape, text = (one, another) if free[0] else (another, one)
    pattern = re.escape(shape).replace(r"\*", "[^/]*").replace(r"\{id\}", "[^/]+")
    return re.fullmatch(pattern, text) is not None


class Layout(NamedTuple):
    """The keys of a type below one prefix: the prefix to watch, and their place."""

    folder: str
    place: Place


def key_template(text: str) -> tuple[str, KeyPath | None]:
    """Read gohan's ``sync_key_template``: the constant folder, and what follows it (``None``: the id alone).

    Raises:
        ValueError: it has no constant folder to watch, or its keys do not identify their resource.
    """
    if "{%" in text or "{#" in text:
        raise ValueError("only {{field}} is supported, not {% or {#")
    folder = text[: text.find("{{")].rpartition("/")[0] + "/" if "{{" in text else ""
    if not folder.strip("/"):
        raise ValueError("it does not begin with a constant folder, which could be watched")
    end = text.removeprefix(folder)
    path = KeyPath(end)
    return folder, None if path.shape == "{id}" else path


def gohan_finds_ids(text: str) -> bool:
    """Whether gohan finds the resource of a status with such a key: it compares segments literally."""
    segments = text.split("/")
    return "{{id}}" in segments and all(segment.startswith("{{") for segment in segments if "{{" in segment)
