"""Parses gohan's schemas: the keys of each type, the relations of its fields, and errors as messages.

Two forms are supported: files as gohan loads them, with namespaces and inheritance, and responses of gohan's API, in
which both are resolved. The rules are gohan's (github.com/cloudwan/gohan: ``schema/manager.go``, ``schema/schema.go``).
Nothing here opens a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from ha_monitor.lang.ids import quote
from ha_monitor.lang.places import Body, Place, gohan_finds_ids, key_template

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VERSION = re.compile(r"/v\d+(\.\d+)*$")
_ABSTRACT = "abstract"


class Source(NamedTuple):
    """Decoded schema documents that belong together: of one file, a folder, or a gohan's configuration.

    ``is_gohans``: they are files that gohan loads, so none is an API response with whole URLs in ``prefix``.
    """

    documents: Sequence[object]
    is_gohans: bool = False


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of a type. ``place`` is ``None`` if the schema does not define its keys.

    ``relations`` maps fields to the types that they point to. The others are reasons, empty if they do not apply:
    ``unserved``: the type can't be monitored; ``unwritten``: gohan writes no configs of it; ``ignored``: gohan ignores
    the published status of its resources.
    """

    place: Place | None
    relations: Mapping[str, str]
    unserved: str = ""
    unwritten: str = ""
    ignored: str = ""


@dataclass(slots=True)
class Schemas:
    """Schemas by type; errors, each as location and message; and notes on valid schemas that are not supported."""

    types: dict[str, Schema] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Unsupported(ValueError):
    """A form that gohan accepts and that can't be monitored."""


def plural(noun: str) -> str:
    """Return the English plural of ``noun``, by its ending alone: ``policy`` -> ``policies``."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{noun[:-1]}ies"
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    return f"{noun}s"


def read_schemas(sources: Iterable[Source]) -> Schemas:
    """Parse all schemas. An error in one is reported for that type and does not affect the others.

    A later source takes precedence over an earlier one. Within a source gohan's rule applies to schemas with the same
    id: the first file, and within a file the last schema.

    Raises:
        ValueError: a document is not ``{"schemas": […]}``.
    """
    reader = _Reader()
    for source in sources:
        reader.collect(source)
    return reader.read()


class _Reader:
    """Parser in two passes: collect all schemas, then resolve bases and namespaces, which may be in other files."""

    def __init__(self) -> None:
        self._raw: dict[str, Mapping[str, Any]] = {}
        self._whole_urls: set[str] = set()
        """Types whose ``prefix`` is their whole URL, as in the responses of older versions of gohan's API."""
        self._namespaces: dict[str, Mapping[str, Any]] = {}
        self._schemas = Schemas()

    # -- collecting

    def collect(self, source: Source) -> None:
        """Take the schemas and namespaces of a source."""
        files = [{str(raw["id"]): raw for raw in self._items(document)} for document in source.documents]
        found: dict[str, Mapping[str, Any]] = {}
        for of_file, whole_urls in zip(files, _are_answers(files), strict=True):
            new = {type_: raw for type_, raw in of_file.items() if type_ not in found}
            found.update(new)
            self._whole_urls.difference_update(new)
            if whole_urls and not source.is_gohans:
                self._whole_urls.update(new)
        self._raw.update(found)

    def _items(self, document: object) -> Iterator[Mapping[str, Any]]:
        schemas, namespaces = check_document(document)
        for namespace in namespaces:
            if isinstance(namespace, Mapping) and isinstance(namespace.get("id"), str):
                self._namespaces[namespace["id"]] = namespace
            else:
                self._blame("namespaces", f"a namespace has no id: {quote(namespace)}")
        for raw in schemas:
            if isinstance(raw, Mapping) and isinstance(raw.get("id"), str) and raw["id"]:
                yield raw
            else:
                self._blame("schemas", f"a schema has no id: {quote(raw)}")

    def _blame(self, where: str, words: str) -> None:
        self._schemas.problems.append((where, words))

    # -- reading

    def read(self) -> Schemas:
        """Read what was collected."""
        for type_, raw in self._raw.items():
            self._schemas.types[type_] = self._schema(type_, raw)
        self._compare_forms()
        return self._schemas

    def _compare_forms(self) -> None:
        """Report types that have the same keys, and values of another form: a key does not say which it is of."""
        first: dict[tuple[str, bool], tuple[str, Place]] = {}
        for type_, schema in self._schemas.types.items():
            if schema.place is not None:
                other, place = first.setdefault(
                    (schema.place.name(""), schema.place.skips_config_prefix), (type_, schema.place)
                )
                if place.body != schema.place.body:
                    words = f"its configs have the same keys as those of {other}, and values of another form"
                    self._blame(f"schema {type_}", words)

    def _schema(self, type_: str, raw: Mapping[str, Any]) -> Schema:
        if raw.get("type") == _ABSTRACT:
            return Schema(None, {}, unserved=f"schema {type_} is abstract, so it has no resources")
        try:
            raw = self._extended(raw)
            place = self._place(type_, raw)
        except ValueError as error:
            if isinstance(error, _Unsupported):
                self._schemas.notes.append(f"schema {type_}: {error}")
            else:
                self._blame(f"schema {type_}", str(error))
            return Schema(None, self._relations(type_, raw), unserved=f"schema {type_}: {error}")
        metadata = _mapping(raw.get("metadata"))
        unwritten = "gohan writes none, because its schema has nosync" if metadata.get("nosync") is True else ""
        return Schema(place, self._relations(type_, raw), "", unwritten, _ignored(metadata))

    def _extended(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a schema with inherited attributes; its own take precedence, then those of the first base."""
        extends = raw.get("extends")
        for base_id in extends if isinstance(extends, (list, tuple)) else ():
            base = self._raw.get(base_id) if isinstance(base_id, str) else None
            if base is None:
                raise ValueError(f"it extends {quote(base_id)}, which is in no schema file")
            if base.get("type") != _ABSTRACT:
                raise ValueError(f"it extends {quote(base_id)}, which is not abstract")
            body, below = _mapping(raw.get("schema")), _mapping(base.get("schema"))
            properties = {**_mapping(below.get("properties")), **_mapping(body.get("properties"))}
            raw = {
                **raw,
                **{name: raw.get(name) or base.get(name) for name in ("prefix", "parent", "namespace")},
                "metadata": {**_mapping(base.get("metadata")), **_mapping(raw.get("metadata"))},
                "schema": {**body, "properties": properties},
            }
        return raw

    def _place(self, type_: str, raw: Mapping[str, Any]) -> Place | None:
        metadata = _mapping(raw.get("metadata"))
        url = self._url(type_, raw)
        template = metadata.get("sync_key_template")
        skips, body = metadata.get("sync_skip_config_prefix") is True, _body(raw, metadata)
        if not isinstance(template, str):
            return None if url is None else Place(f"{url}/", None, skips, body)
        try:
            folder, path = key_template(template)
        except ValueError as error:
            raise _Unsupported(f"sync_key_template {quote(template)}: {error}") from error
        return Place(folder, path, skips, body)

    def _url(self, type_: str, raw: Mapping[str, Any]) -> str | None:
        """Return the URL of a type's resources; ``None`` if the schema does not define it."""
        url, prefix, name = raw.get("url"), raw.get("prefix"), raw.get("plural")
        for what, value in (("prefix", prefix), ("plural", name)):
            if value is not None and not isinstance(value, str):
                raise ValueError(f"{what} is {quote(value)}, not text")
        answered = url if isinstance(url, str) and url.startswith("/") else None
        if type_ in self._whole_urls or (answered is not None and prefix == answered):
            return str(prefix)
        try:
            base = self._namespace(raw.get("namespace"))
        except ValueError:
            if answered is None:
                raise
            return answered  # an API response has no definitions of namespaces
        if not name:
            if not prefix:
                return f"{base}/{plural(type_)}" if base else None
            whole = f"{base}/{prefix.strip('/')}"
            return f"{whole}/{plural(type_)}" if _VERSION.search(whole) else whole
        return f"{base}/{prefix.removeprefix('/')}/{name}" if prefix else f"{base}/{name}"

    def _namespace(self, name: object) -> str:
        """Return the full prefix of a namespace, including its parents; empty for none."""
        parts: list[str] = []
        seen = set[str]()
        while name:
            namespace = self._namespaces.get(name) if isinstance(name, str) else None
            if namespace is None:
                raise ValueError(f"its namespace {quote(name)} is in no schema file")
            if namespace["id"] in seen:
                raise ValueError(f"its namespace {quote(name)} is its own parent")
            seen.add(namespace["id"])
            prefix = namespace.get("prefix")
            parts.insert(0, f"/{prefix if isinstance(prefix, str) else ''}")
            name = namespace.get("parent")
        return "".join(parts)

    def _relations(self, type_: str, raw: Mapping[str, Any]) -> dict[str, str]:
        """Return ``{field: target type}`` of the schema's properties, that of its parent among them."""
        body = raw.get("schema") or {}
        properties = (body.get("properties") or {}) if isinstance(body, Mapping) else None
        relations: dict[str, str] = {}
        if not isinstance(properties, Mapping):
            self._blame(f"schema {type_}", "its schema has no object of properties")
            properties = {}
        for name, fact in properties.items():
            target = fact.get("relation") if isinstance(fact, Mapping) else None
            if not isinstance(fact, Mapping):
                self._blame(f"schema {type_}", f"property {name} is {quote(fact)}, not an object")
            elif target is not None and not isinstance(target, str):
                self._blame(f"schema {type_}", f"the relation of {name} is {quote(target)}, not the name of a type")
            elif target:
                relations[str(name)] = target
        parent = raw.get("parent")
        if isinstance(parent, str) and parent and f"{parent}_id" not in properties:
            relations[f"{parent}_id"] = parent
        return relations


def check_document(document: object) -> tuple[Sequence[Any], Sequence[Any]]:
    """Return the schemas and the namespaces of a document.

    Raises:
        ValueError: it is not ``{"schemas": […]}``, with ``"namespaces": […]`` beside or in the place of them.
    """
    schemas = document.get("schemas") if isinstance(document, Mapping) else None
    namespaces = document.get("namespaces") if isinstance(document, Mapping) else None
    if not isinstance(namespaces, (list, tuple)):
        namespaces = None
    if not isinstance(schemas, (list, tuple)) and (schemas is not None or namespaces is None):
        raise ValueError('a schema document is {"schemas": [...]}, not ' + quote(document))
    return schemas or (), namespaces or ()


def _are_answers(files: Sequence[Mapping[str, Mapping[str, Any]]]) -> Sequence[bool]:
    """Detect responses of an older API: all of their prefixes are whole URLs, and end in the plural.

    A single schema is ambiguous, so documents with one schema are classified together.
    """
    concrete = [[raw for raw in of_file.values() if raw.get("type") != _ABSTRACT] for of_file in files]
    single = all(_ends_in_plural(raws[0]) for raws in concrete if len(raws) == 1)
    return [single if len(raws) == 1 else all(map(_ends_in_plural, raws)) for raws in concrete]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _ends_in_plural(raw: Mapping[str, Any]) -> bool:
    prefix, name = raw.get("prefix"), raw.get("plural")
    texts = isinstance(prefix, str) and isinstance(name, str)
    return bool(texts and name) and "url" not in raw and str(prefix).endswith(f"/{name}")


def _body(raw: Mapping[str, Any], metadata: Mapping[str, Any]) -> Body:
    plain, name = metadata.get("sync_plain") is True, metadata.get("sync_property")
    if not isinstance(name, str) or not name:
        return Body(plain)
    fact = _mapping(_mapping(_mapping(raw.get("schema")).get("properties")).get(name))
    type_ = fact.get("type")
    return Body(plain, name, None if type_ is None else type_ == "string")


def _ignored(metadata: Mapping[str, Any]) -> str:
    """Return why gohan ignores the published status of a type's resources; empty if it does not."""
    template = metadata.get("sync_key_template")
    if metadata.get("state_versioning") is not True:
        return "its schema does not have state_versioning: true"
    if isinstance(template, str) and not gohan_finds_ids(template):
        return "{{id}} is not a path segment of its own in its sync_key_template"
    return ""
