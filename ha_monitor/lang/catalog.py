"""Where a type's keys are and what its fields point to: gohan's schemas, with a built-in table behind them.

Reading and decoding schema files is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ha_monitor.lang.places import Place
from ha_monitor.lang.relations import builtin_relations
from ha_monitor.lang.schemas import Schemas, Source, plural, read_schemas

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ha_monitor.lang.schemas import Schema

_DEFAULT_PREFIX = "/v2.0/"
_GATEWAY_ID = "_gw_id"
_REMEMBERED = 1_000  # types; chosen: more than any site has, and no room for all that strangers may think of


class Catalog:
    """The types of a site: prefixes and relations. Immutable."""

    __slots__ = ("_prefixes", "_relations", "_types", "notes", "problems", "schemas", "unserved_types")

    def __init__(self, schemas: Schemas, notes: Sequence[str] = ()) -> None:
        self.schemas: Mapping[str, Schema] = schemas.types
        """The schemas by type."""
        self.problems = tuple(schemas.problems)
        """Errors in the schemas, each as its location and a message."""
        self.notes = (*notes, *schemas.notes)
        """What was skipped while the schemas were read, as messages."""
        self.unserved_types = {type_: schema.unserved for type_, schema in schemas.types.items() if schema.unserved}
        """Types that can't be monitored, each with the reason: abstract ones, and those whose keys are unknown."""
        placed = {type_: schema.place for type_, schema in schemas.types.items() if schema.place is not None}
        self._prefixes = {type_: place.folder.removesuffix("/") for type_, place in placed.items()}
        self._types = {self._prefixes[type_]: type_ for type_, place in placed.items() if place.path is None}
        self._relations: dict[str, dict[str, str]] = builtin_relations()
        for type_, schema in schemas.types.items():
            self._relations.setdefault(type_, {}).update(schema.relations)

    @classmethod
    def builtin(cls) -> Catalog:
        """Return the catalog of a site that shows no schemas."""
        return cls(Schemas())

    @classmethod
    def from_schemas(cls, documents: Iterable[object]) -> Catalog:
        """Return the catalog of decoded gohan schema documents, ``{"schemas": [{id, plural, prefix, schema}, …]}``.

        A document takes precedence over the built-in table, a later document over an earlier one. Errors in a schema
        are among the ``problems``.

        Raises:
            ValueError: a document has another shape.
        """
        return cls(read_schemas(Source((document,)) for document in documents))

    def place(self, type_: str) -> Place:
        """Return where the resources of ``type_`` are."""
        schema = self.schemas.get(type_)
        if schema is not None and schema.place is not None:
            return schema.place
        return Place(f"{self.prefix(type_)}/")

    def prefix(self, type_: str) -> str:
        """Return the constant path above the ids of ``type_``, without its last slash: ``/v2.0/ha_interfaces``."""
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
