"""Where a type's keys are and what its fields point to: gohan's schemas, with a built-in table behind them.

Reading and decoding schema files is the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ha_monitor.lang.ids import quote
from ha_monitor.lang.relations import builtin_relations

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEFAULT_PREFIX = "/v2.0/"
_GATEWAY_ID = "_gw_id"
_REMEMBERED = 1_000  # types; chosen: more than any site has, and no room for all that strangers may think of
_VERSION = re.compile(r"/v\d+(\.\d+)*$")


def plural(noun: str) -> str:
    """Return the English plural of ``noun``, by its ending alone: ``policy`` -> ``policies``."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    return f"{noun}s"


class Catalog:
    """The types of a site: prefixes and relations. Immutable."""

    __slots__ = ("_prefixes", "_relations", "_types")

    def __init__(self, prefixes: Mapping[str, str], relations: Mapping[str, Mapping[str, str]]) -> None:
        self._prefixes = dict(prefixes)
        self._types = {prefix: type_ for type_, prefix in prefixes.items()}
        self._relations: dict[str, dict[str, str]] = builtin_relations()
        for type_, fields in relations.items():
            self._relations.setdefault(type_, {}).update(fields)

    @classmethod
    def builtin(cls) -> Catalog:
        """Return the catalog of a site that shows no schemas."""
        return cls({}, {})

    @classmethod
    def from_schemas(cls, documents: Iterable[object]) -> Catalog:
        """Return the catalog of decoded gohan schema documents, ``{"schemas": [{id, plural, prefix, schema}, …]}``.

        What a document says wins over the built-in table, a later document over an earlier one. Of a ``prefix``
        that ends in a version (``/v2.0``, as upstream gohan writes it) the plural is the last segment.

        Raises:
            ValueError: a document has another shape; the words name the schema and what is wrong.
        """
        prefixes: dict[str, str] = {}
        relations: dict[str, dict[str, str]] = {}
        for document in documents:
            schemas = document.get("schemas") if isinstance(document, Mapping) else None
            if not isinstance(schemas, (list, tuple)):
                raise ValueError('a schema document is {"schemas": [...]}, not ' + quote(document))
            for schema in schemas:
                type_, prefix, fields = _read_schema(schema)
                if prefix is not None:
                    prefixes[type_] = prefix
                relations.setdefault(type_, {}).update(fields)
        return cls(prefixes, relations)

    def prefix(self, type_: str) -> str:
        """Return the path above the ids of ``type_``, such as ``/v2.0/ha_interfaces``, without a slash at its end."""
        prefix = self._prefixes.get(type_)
        if prefix is None:
            prefix = _DEFAULT_PREFIX + plural(type_)
            if len(self._prefixes) < _REMEMBERED:  # it is asked for again with each resource
                self._prefixes[type_] = prefix
        return prefix

    def type_of(self, prefix: str) -> str | None:
        """Return the type whose schema names ``prefix``; ``None`` where no schema does."""
        return self._types.get(prefix)

    def relation(self, type_: str, field: str) -> str | None:
        """Return the type that ``field`` of ``type_`` points to; ``None`` where nobody knows.

        The schema of the type wins, then the built-in table, then the rule that ``<service>_gw_id`` points to
        ``<service>_gateway``.
        """
        fields = self._relations.get(type_)
        if fields is not None and field in fields:
            return fields[field]
        if field.endswith(_GATEWAY_ID) and len(field) > len(_GATEWAY_ID):
            return f"{field.removesuffix(_GATEWAY_ID)}_gateway"
        return None


def _read_schema(schema: Any) -> tuple[str, str | None, dict[str, str]]:
    """Return type, prefix (``None``: not said) and relations of one schema."""
    if not isinstance(schema, Mapping) or not isinstance(schema.get("id"), str) or not schema["id"]:
        raise ValueError(f"a schema has no id: {quote(schema)}")
    type_: str = schema["id"]
    return type_, _read_prefix(type_, schema), _read_relations(type_, schema)


def _read_prefix(type_: str, schema: Mapping[str, Any]) -> str | None:
    """Return the schema's prefix without a slash at its end."""
    prefix, name = schema.get("prefix"), schema.get("plural")
    if name is not None and not isinstance(name, str):
        raise ValueError(f"schema {type_}: plural is {quote(name)}, not text")
    if prefix is None:
        return _DEFAULT_PREFIX + name if name else None
    if not isinstance(prefix, str) or not prefix.startswith("/") or not prefix.strip("/"):
        raise ValueError(f"schema {type_}: prefix is {quote(prefix)}, not a path that starts with /")
    prefix = prefix.rstrip("/")
    return f"{prefix}/{name or plural(type_)}" if _VERSION.search(prefix) else prefix


def _read_relations(type_: str, schema: Mapping[str, Any]) -> dict[str, str]:
    """Return ``{field: target type}`` of the schema's properties."""
    body = schema.get("schema") or {}
    properties = (body.get("properties") or {}) if isinstance(body, Mapping) else None
    if not isinstance(properties, Mapping):
        raise ValueError(f"schema {type_}: its schema has no object of properties")
    relations: dict[str, str] = {}
    for field, fact in properties.items():
        if not isinstance(fact, Mapping):
            raise ValueError(f"schema {type_}: property {field} is {quote(fact)}, not an object")
        target = fact.get("relation")
        if target is None or target == "":
            continue
        if not isinstance(target, str):
            raise ValueError(f"schema {type_}: the relation of {field} is {quote(target)}, not the name of a type")
        relations[str(field)] = target
    return relations
