"""A monitoring template: compiled once, then rendered for each resource. A problem of a resource is a value here.

One way leads from a resource's config to its entries, whoever asks: mappings, then the document by its skeleton or by
Jinja2 and YAML, then the checks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from ha_monitor.errors import Problem
from ha_monitor.lang.checks import check_entry
from ha_monitor.lang.document import Document, build_document
from ha_monitor.lang.ids import is_id, quote
from ha_monitor.lang.mapping import compile_mapping
from ha_monitor.lang.node import Hint, Node
from ha_monitor.lang.sandbox import JinjaTemplate, compile_text
from ha_monitor.lang.scope import MAX_TYPES, Lookup, Ref, Scope
from ha_monitor.lang.secrets import SECRET_FIELDS, holds_secret, masked
from ha_monitor.lang.skeleton import compile_skeleton
from ha_monitor.lang.statements import BROKEN
from ha_monitor.lang.yaml_tree import parse_tree

if TYPE_CHECKING:
    from ha_monitor.lang.catalog import Catalog
    from ha_monitor.lang.kinds import Kind

SUFFIX = "_monitoring"
"""Template ``<type>_monitoring`` belongs to the resources of ``<type>``."""

MAX_PARAMETERS = 1_000
"""Parameters of a template; chosen: 50 times the largest real one."""


class Entry(Struct, frozen=True):
    """A rendered resource: ``props`` are its properties with its type, ``served`` whether this service evaluates it."""

    name: str
    type: str
    served: bool
    props: Mapping[str, object]


class Rendering(Struct, frozen=True):
    """What a template makes of one resource.

    ``parameters`` lacks those whose mapping has a problem. ``entries`` are in template order, those before a problem
    included; ``extras`` are the other top-level keys. ``reads`` are the configs and stack outputs that were read or
    looked for, the own config left out, and ``refers`` the configs that fields point to. ``problem`` is ``None``, or
    in words why the resource can't be evaluated; then neither ``entries`` nor ``extras`` are to be acted on.
    """

    parameters: dict[str, object]
    entries: tuple[Entry, ...]
    extras: Mapping[str, object]
    reads: tuple[Ref, ...]
    refers: tuple[Ref, ...]
    problem: str | None


class Shown(NamedTuple):
    """What a resource renders to, for people: parameters, document (``None``: none) and entries without secrets."""

    parameters: Mapping[str, object]
    document: str | None
    entries: tuple[Entry, ...]


class Template:
    """A compiled template. Immutable.

    ``config_types`` and ``outputs_types`` are the types whose configs and stack outputs its mappings read, as far as
    its text tells for the resources its id belongs to; ``own_outputs`` whether it reads the resource's own stack
    outputs; ``read_types`` the ``etcd_type`` values in it that are the same for every resource. ``served_names`` are
    the names of its entries where they are the same for every resource and this service evaluates all of them, else
    ``None``. ``secrets`` are the parameters that nobody may be shown.
    """

    def __init__(
        self,
        template_id: str,
        handler: str | None,
        jinja: JinjaTemplate,
        mappings: Mapping[str, Node],
        kinds: Mapping[str, Kind],
        catalog: Catalog,
        constants: Mapping[str, object],
        secret_fields: Sequence[str],
    ) -> None:
        self.id = template_id
        self.handler = handler
        self._jinja = jinja
        self._mappings = tuple(mappings.items())
        self._kinds = kinds
        self._catalog = catalog
        self._constants = constants
        self.secrets = frozenset(
            name for name, node in mappings.items() if holds_secret((name, *node.names()), secret_fields)
        )
        self._skeleton = None if jinja.pieces is None else compile_skeleton(jinja.pieces, mappings, self._text_props)
        type_ = template_id.removesuffix(SUFFIX)
        hints = {hint for node in mappings.values() for hint in node.hints(type_, catalog)}
        self.config_types = frozenset(hint.type for hint in hints if hint.kind == "config")
        self.own_outputs = Hint("outputs", type_) in hints
        self.outputs_types = frozenset(hint.type for hint in hints if hint.kind == "outputs" and hint.type != type_)
        self.read_types = self._constant_types()
        if len(self.config_types | self.outputs_types | self.read_types) > MAX_TYPES:
            raise Problem(f"the template names more than {MAX_TYPES} types")
        self.served_names = self._names_if_served()

    def render(self, type_: str, id_: str, body: Mapping[str, object], lookup: Lookup) -> Rendering:
        """Render the template for one resource; raises nothing but what ``lookup`` raises."""
        scope = Scope(type_, id_, body, lookup, self._catalog, self._constants)
        parameters: dict[str, object] = {}
        problems: list[str] = []
        for name, node in self._mappings:
            try:
                parameters[name] = node.evaluate(scope)
            except Problem as problem:
                problems.append(f"parameter {name!r}: {problem}")
        entries: list[Entry] = []
        extras: Mapping[str, object] = {}
        if not problems:
            extras, problems = self._made_of(parameters, entries)
            if problems and self.secrets and problems != self._made_of(self._masked(parameters), [])[1]:
                problems = [self._redacted(problems[0])]
        words = _summary(problems) if problems else None
        return Rendering(parameters, tuple(entries), extras, tuple(scope.reads), tuple(scope.refers), words)

    def shown(self, rendering: Rendering) -> Shown:
        """Return what may be shown of a rendering of this template, as much of it as there is."""
        parameters, document = self._masked(rendering.parameters), None
        entries = () if self.secrets else rendering.entries
        with contextlib.suppress(Problem):  # which one it is says the rendering; a mask that meets a condition is none
            document = self._jinja.render(parameters)
            if self.secrets:
                found: list[Entry] = []
                self._made_of(parameters, found)
                entries = tuple(found)
        return Shown(parameters, document, entries)

    def sources(
        self, type_: str, id_: str, body: Mapping[str, object], lookup: Lookup
    ) -> Mapping[str, tuple[Ref, ...]]:
        """Return what each parameter read of other resources, in order, or looked for; the last is where it ended."""
        found = {}
        for name, node in self._mappings:
            scope = Scope(type_, id_, body, lookup, self._catalog, self._constants)
            with contextlib.suppress(Problem):
                node.evaluate(scope)
            found[name] = tuple(scope.reads)
        return found

    def _masked(self, parameters: Mapping[str, object]) -> dict[str, object]:
        return {name: masked(value) if name in self.secrets else value for name, value in parameters.items()}

    def _redacted(self, problem: str) -> str:
        """Say that there is a problem whose words are others without the secrets, and so may have one in them."""
        named = sorted(self.secrets & self._jinja.names)
        for name in named:  # a key in PEM, the most frequent one
            if (broken := f"parameter {name!r} {BROKEN}") in problem:
                return broken
        secrets = " and ".join(repr(name) for name in named)
        return f"template {self.id} can't be used with what is in {secrets}: what is wrong is redacted, as that is"

    def _made_of(
        self, parameters: Mapping[str, object], entries: list[Entry]
    ) -> tuple[Mapping[str, object], list[str]]:
        """Put the entries of a document into ``entries``; return its other keys, and what is wrong with it."""
        try:
            document = self._build(parameters)
        except Problem as problem:
            return {}, [str(problem)]
        return document.extras, self._check(document, parameters, entries)

    def _build(self, parameters: Mapping[str, object]) -> Document:
        """Return the rendered document, without YAML where that is certain to give the same."""
        if self._skeleton is not None:
            document = self._skeleton.build(parameters)
            if document is not None:
                return document
        tree = parse_tree(self._jinja.render(parameters))
        if self._skeleton is not None:
            self._skeleton.check_structure(tree, parameters)
        return build_document(tree.root, self._text_props)

    def _check(self, document: Document, parameters: Mapping[str, object], entries: list[Entry]) -> list[str]:
        """Put the entries that are as they must be into ``entries``, and return what is wrong with the others."""

        def blame(entry: str, prop: str) -> list[str]:
            feeds = parameters if self._skeleton is None else self._skeleton.feeds.get((entry, prop), ())
            return [name for name in feeds if parameters[name] is None and name in self._jinja.names]

        if not document.entries:
            return [f"template {self.id} renders no entry"]
        problems = []
        for name, props in document.entries.items():
            try:
                kind = check_entry(name, props, self._kinds, blame)
                entries.append(Entry(name, str(props["type"]), kind.served, props))
            except Problem as problem:
                problems.append(str(problem))
        return problems

    def _text_props(self, type_: str) -> frozenset[str]:
        kind = self._kinds.get(type_)
        return frozenset() if kind is None else kind.text

    def _names_if_served(self) -> tuple[str, ...] | None:
        """Return the names of the skeleton's entries where this service evaluates all of them."""
        shapes = {} if self._skeleton is None else self._skeleton.entries
        kinds = [self._kinds.get(str(shape.base.get("type"))) for shape in shapes.values()]
        return tuple(shapes) if kinds and all(kind is not None and kind.served for kind in kinds) else None

    def _constant_types(self) -> frozenset[str]:
        """Return the constant ``etcd_type`` values of the skeleton's entries."""
        shapes = self._skeleton.entries.values() if self._skeleton is not None else ()
        values = (shape.base.get("etcd_type") for shape in shapes)
        return frozenset(value for value in values if isinstance(value, str) and is_id(value))


def _summary(problems: list[str]) -> str:
    """Return the first problem and how many follow it."""
    more = len(problems) - 1
    return problems[0] if not more else f"{problems[0]} (and {more} more problem{'s' if more > 1 else ''})"


def compile_template(
    template_id: str,
    body: Mapping[str, object],
    kinds: Mapping[str, Kind],
    catalog: Catalog,
    constants: Mapping[str, object],
    secret_fields: Sequence[str] = SECRET_FIELDS,
) -> Template:
    """Compile the body of a template's config.

    ``kinds`` maps the names of all entry types there are, those of other workers included; ``constants`` are the
    site's values for constants, ``secret_fields`` parts of the names of fields whose values nobody may be shown.

    Raises:
        Problem: it is no template; the words name the template, and line or parameter with the offending text.
    """
    specs = body.get("parameter_mappings")
    if specs is None:
        specs = {}
    if not isinstance(specs, Mapping) or len(specs) > MAX_PARAMETERS:
        what = quote(specs) if not isinstance(specs, Mapping) else f"{len(specs)} of them"
        raise Problem(f"template {template_id}: parameter_mappings is {what}, not an object of up to {MAX_PARAMETERS}")
    mappings = {}
    for name, spec in specs.items():
        try:
            mappings[str(name)] = compile_mapping(spec)
        except Problem as problem:
            # no secret is told that stands in the template itself
            hidden = holds_secret((str(name),), secret_fields)
            words = "its mapping is wrong; what is, is redacted" if hidden else problem
            raise Problem(f"template {template_id}: parameter {str(name)!r}: {words}") from problem
    if "template_file" not in body:
        raise Problem(f"template {template_id} has no template_file")
    handler = body.get("handler")
    jinja = compile_text(template_id, body["template_file"])
    return Template(
        template_id,
        handler if isinstance(handler, str) else None,
        jinja,
        mappings,
        kinds,
        catalog,
        constants,
        secret_fields,
    )
