"""Compares the folders that contain configs with the folders that templates serve, and reports what is unmonitored."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ha_monitor.text import legible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from ha_monitor.keys import Keyspace
    from ha_monitor.lang.catalog import Catalog

SHOWN = 20
"""Folders, and ids of a type, that are listed by name; of the rest only the number is reported."""


@dataclass
class Findings:
    """What was found: problems, each with its location as in :meth:`HaMonitor.problems`, and notes.

    ``unsure``: a template finds no config, and there are configs of unknown type, which may be the missing ones.
    """

    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsure: bool = False


class _Inventory:
    """The config keys of an etcd, grouped by resource type."""

    def __init__(
        self, keys: Iterable[str], keyspace: Keyspace, served: Collection[str], known: Collection[str]
    ) -> None:
        """Group the keys.

        :param served: types whose resources are monitored.
        :param known: types that have a schema or a template; a superset of ``served``.
        """
        self.counts: Counter[str] = Counter()
        """Number of configs by type."""
        self.slashes: dict[str, list[str]] = {}
        """By monitored type: keys below its folder whose id contains a slash."""
        self.unknown: Counter[str] = Counter()
        """Number of configs by folder, for folders of no known type."""
        paths = [type_ for type_ in known if type_ in keyspace.paths]
        plain = {keyspace.configs(type_): type_ for type_ in known if type_ not in keyspace.paths}
        monitored = {folder: type_ for folder, type_ in plain.items() if type_ in served}
        roots = keyspace.config_roots
        for key in keys:
            folder = key[: key.rfind("/") + 1]
            if not key.startswith(roots) or folder == keyspace.templates:
                continue
            type_ = plain.get(folder) or next(
                (each for each in paths if keyspace.is_among(key, (keyspace.configs(each),))), None
            )
            above = None if type_ is not None else next((each for each in monitored if key.startswith(each)), None)
            if type_ is not None:
                self.counts[type_] += 1
            elif above is not None:
                self.slashes.setdefault(monitored[above], []).append(key)
            else:
                self.unknown[folder] += 1


def compare(
    keys: Iterable[str],
    keyspace: Keyspace,
    catalog: Catalog,
    *,
    served: Mapping[str, tuple[str, int]],
    templated: Collection[str],
    resources: int,
) -> Findings:
    """Find configs that are not monitored, and templates that find no config.

    :param keys: every key below ``keyspace.config_roots``.
    :param served: the monitored types, each with its template's id and its number of configs.
    :param templated: the types that have a template, monitored or not.
    :param resources: the number of monitored resources.
    """
    placed = {type_ for type_, schema in catalog.schemas.items() if schema.place is not None}
    found = _Inventory(keys, keyspace, served, sorted({*placed, *templated}))
    findings = Findings()
    for type_, slashed in sorted(found.slashes.items()):
        findings.problems += _slashes(type_, slashed, keyspace.configs(type_))
    for type_, (template_id, configs) in sorted(served.items()):
        if not configs:
            _no_config(findings, type_, template_id, catalog, keyspace, found.unknown, resources)
        elif catalog.schemas.get(type_) is not None:
            findings.notes += _of_gohan(type_, catalog)
    if not resources and not findings.problems:
        why = "all configs are marked for deletion" if served else f"no usable template in {keyspace.templates}"
        findings.problems.append(("templates", f"no resource is monitored: {why}"))
    unserved = {
        keyspace.configs(type_): (count, type_) for type_, count in found.counts.items() if type_ not in templated
    }
    unserved |= {folder: (count, "") for folder, count in found.unknown.items()}
    findings.notes += _unserved(unserved)
    return findings


def _slashes(type_: str, keys: list[str], folder: str) -> Iterator[tuple[str, str]]:
    for key in sorted(keys)[:SHOWN]:
        id_ = legible(key.removeprefix(folder))
        yield f"{type_}/{id_}", f"not monitored, because its id contains a /: {legible(key)}"
    if len(keys) > SHOWN:
        yield f"type {type_}", f"{len(keys) - SHOWN} more ids contain a /"


def _no_config(
    findings: Findings,
    type_: str,
    template_id: str,
    catalog: Catalog,
    keyspace: Keyspace,
    unknown: Mapping[str, int],
    resources: int,
) -> None:
    folder = keyspace.configs(type_)
    schema = catalog.schemas.get(type_)
    words = f"no config found in {folder}"
    alike = [each for each in sorted(unknown) if _last(each) in {_last(f"/{type_}/"), _last(folder)}]
    if schema is not None and schema.unwritten:
        words += f": {schema.unwritten}"
    elif alike:
        words += f", but in {legible(alike[0])}: pass gohan's schemas with --schema-file"
    if alike or not resources or (schema is not None and schema.unwritten):
        findings.problems.append((f"template {template_id}", words))
    else:
        findings.notes.append(f"template {template_id}: {words}")
        findings.unsure = findings.unsure or bool(unknown)


def _last(folder: str) -> str:
    """Return the last segment of a folder, normalized so that similar names compare equal."""
    return folder.rstrip("/").rpartition("/")[2].lower().replace("-", "_")


def _of_gohan(type_: str, catalog: Catalog) -> Iterator[str]:
    """Report why gohan ignores the published status of a type, or may ignore it."""
    schema = catalog.schemas[type_]
    if schema.ignored:
        yield f"type {type_}: gohan ignores its status: {schema.ignored}"
    elif schema.place is not None and schema.place.body.plain:
        yield (
            f"type {type_}: its configs have no version (sync_plain), so the number of puts is published: gohan ignores"
            " the status of a resource whose config was put again without a change"
        )


def _unserved(folders: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    for folder, (count, type_) in sorted(folders.items())[:SHOWN]:
        kind = f" of type {type_}" if type_ else ""
        yield f"{legible(folder)}: {count} config{'s' * (count != 1)}{kind} without a template"
    if len(folders) > SHOWN:
        yield f"{len(folders) - SHOWN} more folders contain configs without a template"
