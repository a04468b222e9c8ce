"""Loads schema files: single files, folders, and the files listed in gohan's own configuration.

:mod:`ha_monitor.lang.schemas` parses the schemas. A file given by the setting has to be valid. An invalid file in a
folder, or listed in another file, is reported, and the others are loaded.
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
    """Load the catalog of a site from files, folders and gohan's configurations; later paths take precedence.

    Raises:
        ValueError: a path can't be read, or contains no schemas; the message names it.
    """
    problems: list[tuple[str, str]] = []
    notes: list[str] = []
    schemas = read_schemas([_Reader(problems, notes).source(path) for path in paths])
    schemas.problems[:0] = problems
    return Catalog(schemas, notes)


class _Reader:
    """Loader of the documents of one path."""

    def __init__(self, problems: list[tuple[str, str]], notes: list[str]) -> None:
        self._problems = problems
        self._notes = notes
        self._read: set[Path] = set()
        self._is_gohans = False

    def source(self, path: Path) -> Source:
        """Load a path of the setting. Raises ``ValueError`` if it is invalid."""
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
        """Load a file found in a folder, which need not contain schemas."""
        document = self._told(file)
        if _has_schemas(document):
            yield from self._told_documents(file, document, base)

    def _told_documents(self, file: Path, document: object, base: Path) -> Iterator[object]:
        try:
            yield from self._documents(file, document, base)
        except ValueError as error:
            self._problems.append((f"schema-file {file}", str(error)))

    def _told(self, file: Path) -> object:
        """Decode a file; ``None`` if it was loaded before, or is invalid, which is reported."""
        if file.resolve() not in self._read:
            try:
                return _decoded(file)
            except ValueError as error:
                self._problems.append((f"schema-file {file}", str(error)))
        return None

    def _documents(self, file: Path, document: object, base: Path) -> Iterator[object]:
        """Yield a document, after those of the files listed in it.

        :param base: the folder that listed paths are relative to: gohan's working directory is its configuration's.
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
        """Load a file that is listed in another one."""
        if _ELSEWHERE.match(name):
            why = "it is part of gohan's binary" if name.startswith("embed:") else "only files are read"
            self._notes.append(f"schema-file {file}: skipping {name}: {why}")
        elif _ENVIRONMENT.search(name):
            self._problems.append(
                (f"schema-file {file}", f"{name} depends on gohan's environment: pass that file with --schema-file")
            )
        elif name:
            path = base / name.removeprefix("file://")
            document = self._told(path)
            if _has_schemas(document) or not isinstance(document, (Mapping, NoneType)):
                yield from self._told_documents(path, document, base)


def _has_schemas(document: object) -> bool:
    """Whether a document contains schemas; gohan also lists files of policies and extensions."""
    return isinstance(document, Mapping) and bool(document.keys() & {"schemas", "namespaces"})


def _files(folder: Path) -> Sequence[Path]:
    return [file for file in sorted(folder.rglob("*")) if file.suffix in _SUFFIXES and file.is_file()]


def _decoded(file: Path) -> object:
    """Decode a JSON or YAML file. Raises ``ValueError``; the message does not name the file."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(error.strerror) from error
    if file.suffix == ".json":
        return json.loads(text)
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 1)  # as gohan's parser: yes and on are booleans
    yaml.allow_duplicate_keys = True
    try:
        return yaml.load(text)
    except (YAMLError, ValueError) as error:
        # gohan's configuration is a Go template, and need not be valid YAML before its environment is substituted.
        plain = _ACTION.sub(r"<\1>", text)
        if plain != text:
            try:
                return yaml.load(plain)
            except (YAMLError, ValueError):
                pass
        raise ValueError(str(error)) from error
