"""Compares the folders that hold configs with those that templates serve: where nothing is monitored, that is told."""

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
"""Folders, and ids of a type, that are named each; how many more there are is told."""


@dataclass
class Findings:
    """What was found: problems as those of a monitor, and notes.

    ``unsure``: configs that no schema places and no template serves, beside a template that finds none, may be its.
    """

    problems: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unsure: bool = False


class _Sorted:
    """The keys below the prefix of configs, by whose they are."""

    def __init__(
        self, keys: Iterable[str], keyspace: Keyspace, served: Collection[str], known: Collection[str]
    ) -> None:
        """Sort them.

        :param served: types whose resources are monitored.
        :param known: types that a schema places, or that have a template, those among them.
        """
        self.counts: Counter[str] = Counter()
        """Of types."""
        self.slashes: dict[str, list[str]] = {}
        """By type that is served: the keys below its folder whose id has a slash."""
        self.unknown: Counter[str] = Counter()
        """Of folders of which no schema says whose they are."""
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
    """Find what holds configs and is not monitored, and what is to be monitored and has none.

    :param keys: all that are below the prefixes of configs.
    :param served: the types that are served, with the id of their template and how many configs they have.
    :param templated: the types that have a template, served here or not.
    :param resources: how many are monitored.
    """
    placed = {type_ for type_, schema in catalog.schemas.items() if schema.place is not None}
    found = _Sorted(keys, keyspace, served, sorted({*placed, *templated}))
    findings = Findings()
    for type_, slashed in sorted(found.slashes.items()):
        findings.problems += _slashes(type_, slashed, keyspace.configs(type_))
    for type_, (template_id, configs) in sorted(served.items()):
        if not configs:
            _no_config(findings, type_, template_id, catalog, keyspace, found.unknown, resources)
        elif catalog.schemas.get(type_) is not None:
            findings.notes += _of_gohan(type_, catalog)
    if not resources and not findings.problems:
        why = "every config that one is for is marked for deletion" if served else "none of them is served"
        findings.problems.append(("templates", f"no resource is monitored by those in {keyspace.templates}: {why}"))
    unserved = {
        keyspace.configs(type_): (count, type_) for type_, count in found.counts.items() if type_ not in templated
    }
    unserved |= {folder: (count, "") for folder, count in found.unknown.items()}
    findings.notes += _unserved(unserved)
    return findings


def _slashes(type_: str, keys: list[str], folder: str) -> Iterator[tuple[str, str]]:
    for key in sorted(keys)[:SHOWN]:
        id_ = legible(key.removeprefix(folder))
        yield f"{type_}/{id_}", f"its id has a / in it, so it is not monitored: {legible(key)}"
    if len(keys) > SHOWN:
        yield f"type {type_}", f"{len(keys) - SHOWN} more ids have a / in them"


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
    words = f"there is no config of its type: {folder}"
    alike = [each for each in sorted(unknown) if _last(each) in {_last(f"/{type_}/"), _last(folder)}]
    if schema is not None and schema.unwritten:
        words += f"; {schema.unwritten}"
    elif alike:
        words += f"; configs are in {legible(alike[0])}: a schema file tells where a type has its own (--schema-file)"
    if alike or not resources or (schema is not None and schema.unwritten):
        findings.problems.append((f"template {template_id}", words))
    else:
        findings.notes.append(f"template {template_id}: {words}")
        findings.unsure = findings.unsure or bool(unknown)


def _last(folder: str) -> str:
    """Give the last segment of a folder as it may be spelled otherwise."""
    return folder.rstrip("/").rpartition("/")[2].lower().replace("-", "_")


def _of_gohan(type_: str, catalog: Catalog) -> Iterator[str]:
    """Say what gohan does not take up of a type, or only perhaps."""
    schema = catalog.schemas[type_]
    if schema.ignored:
        yield f"type {type_}: gohan takes up no status of it: {schema.ignored}"
    elif schema.place is not None and schema.place.body.plain:
        yield (
            f"type {type_}: its configs have no version (sync_plain): that of a record is how often the config was put,"
            " and gohan takes it up unless a config was put again without a change"
        )


def _unserved(folders: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    for folder, (count, type_) in sorted(folders.items())[:SHOWN]:
        whose = f" of type {type_}" if type_ else ""
        yield f"{legible(folder)}: no template is for its {count} config{'s' * (count != 1)}{whose}"
    if len(folders) > SHOWN:
        yield f"{len(folders) - SHOWN} more folders hold configs that no template is for"
