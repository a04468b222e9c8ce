"""The document of a template whose outputs differ in scalar values only, parsed once.

Where a template is text and printed parameters and nothing else, its YAML is parsed with placeholders, and a resource's
entries are made from that: no Jinja2 and no YAML a resource. A value that might mean more than itself in YAML makes
:meth:`Skeleton.build` give way to the plain way, whose document must then have the same structure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ha_monitor.errors import Problem
from ha_monitor.lang import yaml_tree
from ha_monitor.lang.composed import PLACEHOLDER, Composed, UnsafeValue, split
from ha_monitor.lang.document import Constructor, Document, TextProps, build_document, entry_type, is_entry, top_level
from ha_monitor.lang.fuel import MAX_TEXT
from ha_monitor.lang.ids import quote

_LONGEST = 1_024  # characters of a composed scalar that skips YAML; chosen

Maker = Callable[[Mapping[str, object]], Any]


class _NoSkeleton(Exception):
    """A parameter stands where it may change the document's structure."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """An object of the document: its constant values, and the makers of the others."""

    base: dict[str, object]
    makers: tuple[tuple[str, Maker], ...]

    def build(self, parameters: Mapping[str, object]) -> dict[str, object]:
        """Return the object; the constant values in it are shared."""
        built = self.base.copy()
        for key, make in self.makers:
            built[key] = make(parameters)
        return built


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A parsed template: the shapes of its entries and of the other keys, and the tree they came from."""

    entries: dict[str, _Shape]
    extras: _Shape
    root: yaml_tree.Node | None
    names: list[str]
    feeds: dict[tuple[str, str], tuple[str, ...]]
    """The parameters that a property of an entry is made of, by the names of both."""

    def build(self, parameters: Mapping[str, object]) -> Document | None:
        """Return the document; ``None`` where a value is not certain to mean itself in YAML."""
        try:
            entries = {name: shape.build(parameters) for name, shape in self.entries.items()}
            return Document(entries, self.extras.build(parameters))
        except UnsafeValue:
            return None

    def check_structure(self, tree: yaml_tree.Tree, parameters: Mapping[str, object]) -> None:
        """Let a document of the plain way pass that has the skeleton's structure.

        Raises:
            Problem: a value changed the structure; the words name where.
        """
        if tree.shared:
            raise Problem("a value puts an anchor or alias of YAML into the document")
        top_level(tree.root)
        self._check(self.root, tree.root, "its top", parameters)

    def _check(self, ours: object, theirs: object, place: str, parameters: Mapping[str, object]) -> None:
        if isinstance(ours, yaml_tree.Scalar):
            if not isinstance(theirs, yaml_tree.Scalar) and not self._may_be_collection(ours, parameters):
                raise Problem(f"a value changes the structure of the document at {place}")
            return
        pairs, other = _children(ours), _children(theirs)
        if type(ours) is not type(theirs) or [key for key, _ in pairs] != [key for key, _ in other]:
            raise Problem(f"a value changes the structure of the document at {place}")
        for (key, mine), (_, yours) in zip(pairs, other, strict=True):
            self._check(mine, yours, quote(key), parameters)

    def _may_be_collection(self, scalar: yaml_tree.Scalar, parameters: Mapping[str, object]) -> bool:
        """Tell whether a scalar is nothing but a parameter that is a list or an object itself."""
        literals, names = split(scalar.text, self.names)
        return literals == ("", "") and isinstance(parameters.get(names[0]), (list, tuple, Mapping))


def _children(node: object) -> list[tuple[str, yaml_tree.Node]]:
    """Return the nodes in a collection, each with its key or its place."""
    if isinstance(node, yaml_tree.Mapping):
        return [(key.text, value) for key, value in node.pairs]
    if isinstance(node, yaml_tree.Sequence):
        return [(str(place), item) for place, item in enumerate(node.items)]
    return []


def compile_skeleton(
    pieces: Sequence[tuple[bool, str]], parameters: Collection[str], text_props: TextProps
) -> Skeleton | None:
    """Return the skeleton of a template's pieces; ``None`` where its documents may differ in more than scalars.

    ``pieces`` are ``(is a parameter, text or name)``, ``parameters`` the names of all parameters there are.
    """
    names = [text for is_parameter, text in pieces if is_parameter]
    literal = sum(len(text) for is_parameter, text in pieces if not is_parameter)
    if not set(names) <= set(parameters) or any("\ue000" in text or "\ue001" in text for _, text in pieces):
        return None
    numbers = iter(range(len(names)))
    text = "".join(f"\ue000{next(numbers)}\ue001" if is_parameter else text for is_parameter, text in pieces)
    builder = _Builder(names, min(_LONGEST, (MAX_TEXT - literal) // max(len(names), 1)))
    try:
        tree = yaml_tree.parse_tree(text)
        build_document(tree.root, text_props)
        return None if tree.shared else builder.skeleton(tree.root, text_props)
    except (Problem, _NoSkeleton):
        # the plain way finds the words for it, with the values in place
        return None


@dataclass(slots=True)
class _Builder:
    """Builds a skeleton, and sees that every placeholder stands in a scalar that may change."""

    names: list[str]
    longest: int
    found: int = 0
    feeds: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    constructor: Constructor = field(default_factory=Constructor)

    def skeleton(self, root: yaml_tree.Node | None, text_props: TextProps) -> Skeleton:
        entries: dict[str, _Shape] = {}
        extras: list[tuple[str, object, Maker | None]] = []
        for key, node in top_level(root):
            if is_entry(node):
                entries[key.text] = self._entry(key, node, text_props)
            else:
                extras.append((self._key(key), *self._value(node, frozenset(), key.text)))
        shape = _shape(extras)
        if self.found != len(self.names):
            raise _NoSkeleton
        return Skeleton(entries, shape, root, self.names, self.feeds)

    def _entry(self, key: yaml_tree.Scalar, node: yaml_tree.Mapping, text_props: TextProps) -> _Shape:
        type_ = entry_type(key, node)
        name, texts = self._key(key), text_props(type_)
        parts = []
        for prop, value in node.pairs:
            if prop.text == "type" and PLACEHOLDER.search(getattr(value, "text", "")) is not None:
                raise _NoSkeleton
            self.feeds[name, prop.text] = tuple(self._names_in(value))
            parts.append((self._key(prop), *self._value(value, texts, prop.text)))
        return _shape(parts)

    def _names_in(self, node: yaml_tree.Node) -> list[str]:
        """Return the parameters in a node, each once."""
        if isinstance(node, yaml_tree.Scalar):
            return list(dict.fromkeys(split(node.text, self.names)[1]))
        return list(dict.fromkeys(name for _, child in _children(node) for name in self._names_in(child)))

    def _key(self, key: yaml_tree.Scalar) -> str:
        if "\ue000" in key.text:
            raise _NoSkeleton
        return key.text

    def _value(self, node: yaml_tree.Node, texts: frozenset[str], prop: str) -> tuple[object, Maker | None]:
        """Return a node's constant value, or a maker of its values."""
        if isinstance(node, yaml_tree.Scalar):
            if "\ue000" not in node.text:
                return self.constructor.prop(prop, node, texts), None
            return None, self._composed(node, prop in texts).value
        before = self.found
        if isinstance(node, yaml_tree.Sequence):
            items = [self._value(item, frozenset(), "") for item in node.items]
            constant: object = [value for value, _ in items]
            make: Maker = _list_maker(items)
        else:
            pairs = [(self._key(key), *self._value(value, frozenset(), "")) for key, value in node.pairs]
            shape = _shape(pairs)
            constant, make = shape.base, shape.build
        if self.found == before:
            return constant, None
        if node.flow:
            raise _NoSkeleton
        return None, make

    def _composed(self, node: yaml_tree.Scalar, text: bool) -> Composed:
        if not node.inline:
            raise _NoSkeleton
        literals, names = split(node.text, self.names)
        self.found += len(names)
        alone = names[0] if literals == ("", "") else None
        return Composed(literals, names, node.plain, text, self.longest, alone)


def _shape(parts: list[tuple[str, object, Maker | None]]) -> _Shape:
    """Return the shape of an object."""
    base = {key: value for key, value, _ in parts}
    if len(base) != len(parts):
        # of a key that stands there twice the last counts, but the value of the first may still be no YAML
        raise _NoSkeleton
    return _Shape(base, tuple((key, make) for key, _, make in parts if make is not None))


def _list_maker(items: list[tuple[object, Maker | None]]) -> Maker:
    return lambda parameters: [value if make is None else make(parameters) for value, make in items]
