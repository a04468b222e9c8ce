"""Opens schema files: those that are named, all in a folder, and those that gohan's own configuration names.

What the schemas in them say is read in :mod:`ha_monitor.lang.schemas`. A file that is named and can't be read is
refused; of those found in a folder, or named by another file, it is told, and the others are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ha_monitor.lang.catalog import Catalog
from ha_monitor.lang.schemas import Source, check_document, read_schemas

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_SUFFIXES = (".json", ".yaml", ".yml")
_ELSEWHERE = re.compile(r"(embed|https?)://")
_ACTION = re.compile(r"\{\{-? *(.*?) *-?\}\}")
_ENVIRONMENT = re.compile(r"\{\{|<\.\w+>")


def read_catalog(paths: Sequence[Path]) -> Catalog:
    """Read the catalog of a site from files, folders and configurations of gohan; a later one wins over an earlier.

    Raises:
        ValueError: one can't be read, or is none of these; the words name it.
    """
    problems: list[tuple[str, str]] = []
    notes: list[str] = []
    schemas = read_schemas([_Reader(problems, notes).source(path) for path in paths])
    schemas.problems[:0] = problems
    return Catalog(schemas, notes)


class _Reader:
    """Reads the documents of one source."""

    def __init__(self, problems: list[tuple[str, str]], notes: list[str]) -> None:
        self._problems = problems
        self._notes = notes
        self._read: set[Path] = set()
        self._is_gohans = False

    def source(self, path: Path) -> Source:
        """Read what the setting names. Raises ``ValueError`` where it can't be read."""
        if path.is_dir():
            found = [document for file in _files(path) for document in self._found(file, file.parent)]
            if not found:
                raise ValueError(f"schema-file {path}: no file in this folder (.json, .yaml, .yml) has schemas")
            return Source(found)
        try:
            documents = list(self._documents(path, _decoded(path), path.parent))
        except ValueError as error:
            raise ValueError(f"schema-file {path}: {error}") from error
        return Source(documents, self._is_gohans)

    def _found(self, file: Path, base: Path) -> Iterator[object]:
        """Read a file of a folder, which may be anything."""
        document = self._told(file)
        if _has_schemas(document):
            yield from self._told_documents(file, document, base)

    def _told_documents(self, file: Path, document: object, base: Path) -> Iterator[object]:
        try:
            yield from self._documents(file, document, base)
        except ValueError as error:
            self._problems.append((f"schema-file {file}", str(error)))

    def _told(self, file: Path) -> object:
        """Decode a file, once; ``None`` where it was read before, or can't be, which is told."""
        if file.resolve() not in self._read:
            try:
                return _decoded(file)
            except ValueError as error:
                self._problems.append((f"schema-file {file}", str(error)))
        return None

    def _documents(self, file: Path, document: object, base: Path) -> Iterator[object]:
        """Give a document, those first that it names.

        :param base: the folder that names in it are relative to: gohan works in that of its configuration.
        """
        self._read.add(file.resolve())
        named: Sequence[object] = ()
        if isinstance(document, Mapping):
            if isinstance(document.get("include"), str):  # a configuration of gohan that is in several files
                for part in _files(file.parent / document["include"]):
                    yield from self._found(part, base)
                if "schemas" not in document:
                    return
            schemas = document.get("schemas")
            if isinstance(schemas, list):
                named = [each for each in schemas if isinstance(each, str)]
                document = {**document, "schemas": [each for each in schemas if not isinstance(each, str)]}
        self._is_gohans = self._is_gohans or bool(named)
        for name in named:
            yield from self._named(str(name), base, file)
        check_document(document)
        yield document

    def _named(self, name: str, base: Path, file: Path) -> Iterator[object]:
        """Read a file that another one names."""
        if _ELSEWHERE.match(name):
            where = "it is inside gohan's program" if name.startswith("embed:") else "no file is fetched from there"
            self._notes.append(f"schema-file {file}: {name} is passed over: {where}")
        elif _ENVIRONMENT.search(name):
            self._problems.append(
                (f"schema-file {file}", f"{name} depends on gohan's environment: name that file, too")
            )
        elif name:
            path = base / name.removeprefix("file://")
            document = self._told(path)
            if _has_schemas(document) or not isinstance(document, (Mapping, NoneType)):
                yield from self._told_documents(path, document, base)


def _has_schemas(document: object) -> bool:
    """Tell whether a document is about schemas: files of policies and extensions lie beside them."""
    return isinstance(document, Mapping) and bool(document.keys() & {"schemas", "namespaces"})


def _files(folder: Path) -> Sequence[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.suffix in _SUFFIXES and file.is_file()]


def _decoded(file: Path) -> object:
    """Decode a file. Raises ``ValueError`` in words, without its name."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(error.strerror) from error
    if file.suffix == ".json":
        return json.loads(text)
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # gohan's: there, yes and on are booleans
    yaml.allow_duplicate_keys = True
    try:
        return yaml.load(text)
    except (YAMLError, ValueError) as error:
        # A configuration of gohan is a template of Go's: what its environment puts in need not be YAML before that.
        plain = _ACTION.sub(r"<\1>", text)
        if plain != text:
            try:
                return yaml.load(plain)
            except (YAMLError, ValueError):
                pass
        raise ValueError(str(error)) from error
