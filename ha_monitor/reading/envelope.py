"""Reads what gohan writes under ``/config``: an envelope around a body, in every form that occurs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec

from ha_monitor.errors import Problem
from ha_monitor.reading.decoded import decode

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENVELOPE = frozenset({"body", "version", "marked_for_deletion"})


class Envelope(msgspec.Struct, frozen=True):
    """A config or a template: its body and the version to publish with. ``ended``: it is marked for deletion."""

    body: Mapping[str, Any]
    version: int
    ended: bool = False


def read_envelope(value: bytes, puts: int) -> Envelope:
    """Read a value under ``/config``.

    The body may be an object or a JSON string that holds one (gohan writes the latter). Without an envelope
    (gohan's ``sync_plain``) the value is the body itself; its version is then its own ``version``, where that is a
    whole number, or the number of times the key was put, which counts as gohan's ``config_version`` does.

    :param puts: etcd's version of the key.

    Raises :class:`~ha_monitor.errors.Problem` in words for anything else.
    """
    outer = _object(value, "the config")
    if outer.get("marked_for_deletion") is True:
        return Envelope({}, 0, ended=True)
    if "body" not in outer or "id" in outer:  # a resource has an id and may have a body, an envelope has no id
        if _ENVELOPE.issuperset(outer):
            raise Problem("the config's envelope has no body")
        version = outer.get("version")
        return Envelope(outer, version if _is_whole(version) else puts)
    body = outer["body"]
    if isinstance(body, str):
        body = _object(body.encode(), "the config's body")
    if not isinstance(body, dict):
        raise Problem(f"the config's body is {_kind(body)}, not an object")
    return Envelope(body, _version(outer.get("version")))


def read_plain(value: bytes, puts: int) -> Envelope:
    """Decode a config without an envelope (``sync_plain``); raises as :func:`read_envelope`.

    It contains no version: a field ``version`` is the resource's own. The number of puts is used, since gohan's config
    version counts the creation and updates of a resource, each of which is one put.
    """
    body = _object(value, "the config")
    if body.get("marked_for_deletion") is True:
        return Envelope({}, 0, ended=True)
    return Envelope(body, puts)


def read_property(value: bytes, puts: int, field: str, *, plain: bool, is_text: bool | None) -> Envelope:
    """Decode a config whose body is the value of one field (``sync_property``).

    :param puts: etcd's version of the key.
    :param plain: there is no envelope; the version is as in :func:`read_plain`.
    :param is_text: without an envelope, the value is text without quotes; ``None``: it is unless it is valid JSON.

    Raises :class:`~ha_monitor.errors.Problem` for an invalid one.
    """
    if plain:
        return Envelope({field: _bare(value, is_text=is_text)}, puts)
    outer = _object(value, "the config")
    if outer.get("marked_for_deletion") is True:
        return Envelope({}, 0, ended=True)
    if "body" not in outer:
        raise Problem("the config's envelope has no body")
    body = outer["body"]
    if isinstance(body, str):
        try:
            body = decode(body.encode(), "the config's body")
        except ValueError as error:
            raise Problem(str(error)) from error
    return Envelope({field: body}, _version(outer.get("version")))


def read_outputs(value: bytes) -> Mapping[str, Any]:
    """Read a key of the stack outputs: ``{output_key: output_value}``. Raises ``Problem`` for another form."""
    output = _object(value, "the stack").get("output")
    if not isinstance(output, list):
        raise Problem("the stack has no list of outputs")
    return {
        item["output_key"]: item.get("output_value")
        for item in output
        if isinstance(item, dict) and isinstance(item.get("output_key"), str)
    }


def _object(value: bytes, what: str) -> dict[str, Any]:
    try:
        decoded = decode(value, what)
    except ValueError as error:
        raise Problem(str(error)) from error
    if not isinstance(decoded, dict):
        hint = ", encoded twice?" if isinstance(decoded, str) else ""
        raise Problem(f"{what} is {_kind(decoded)}, not an object{hint}")
    return decoded


def _bare(value: bytes, *, is_text: bool | None) -> object:
    try:
        return value.decode() if is_text else decode(value, "the config")
    except UnicodeDecodeError as error:
        raise Problem(f"the config is not UTF-8: {error}") from error
    except ValueError as error:
        if is_text is None:
            return _bare(value, is_text=True)
        raise Problem(str(error)) from error


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _version(value: object) -> int:
    if _is_whole(value):
        return value
    shown = msgspec.json.encode(value).decode()[:40]
    raise Problem(f"the config's version is {shown}, not a whole number")


def _kind(value: object) -> str:
    names = {str: "a string", list: "a list", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
