"""A rendered document: its entries and the other keys beside them, from the tree of its YAML.

Which properties stay text is told by the caller, for each entry type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from ha_monitor.errors import Problem
from ha_monitor.lang import yaml_tree
from ha_monitor.lang.ids import quote
from ha_monitor.lang.scalars import is_null, resolve
from ha_monitor.lang.yaml_tree import MAX_DEPTH, MAX_EVENTS, parse_tree

if TYPE_CHECKING:
    from typing import TypeGuard

TextProps = Callable[[str], frozenset[str]]
"""Returns, for an entry type, the properties whose plain scalars stay text."""

RESERVED = frozenset({"version"})
"""Names that no entry may have: the published record uses them."""


class Document(Struct, frozen=True):
    """``entries``: name to properties, in the order of the text. ``extras``: the other top-level keys."""

    entries: dict[str, dict[str, object]]
    extras: dict[str, object]


def parse_document(text: str, text_props: TextProps) -> Document:
    """Parse a rendered document.

    Raises:
        Problem: it is no YAML, not an object, has an entry without a type, of a reserved name or of a name that
            another entry has; the words say which and where.
    """
    return build_document(parse_tree(text).root, text_props)


def build_document(root: yaml_tree.Node | None, text_props: TextProps) -> Document:
    """Build the document of a tree; raises as :func:`parse_document` does."""
    constructor = Constructor()
    entries: dict[str, dict[str, object]] = {}
    extras: dict[str, object] = {}
    for key, node in top_level(root):
        if not is_entry(node):
            extras[key.text] = constructor.value(node, 1)
            continue
        entry = constructor.entry(node, text_props(entry_type(key, node)))
        if key.text in entries:
            raise Problem(f"two entries have the name {quote(key.text)}, the second in line {key.line}")
        entries[key.text] = entry
    return Document(entries, extras)


def top_level(root: yaml_tree.Node | None) -> list[tuple[yaml_tree.Scalar, yaml_tree.Node]]:
    """Return the pairs of a document's object; an empty document has none.

    Raises:
        Problem: the document is something else.
    """
    if isinstance(root, yaml_tree.Mapping):
        return root.pairs
    if root is None or (isinstance(root, yaml_tree.Scalar) and root.plain and is_null(root.text)):
        return []
    what = "a list" if isinstance(root, yaml_tree.Sequence) else f"the text {quote(root.text)}"
    raise Problem(f"the template renders to {what}, not to an object of entries")


def is_entry(node: yaml_tree.Node) -> TypeGuard[yaml_tree.Mapping]:
    """Tell whether a top-level value is an entry: an object with a type, or one that may have it by a merge."""
    return isinstance(node, yaml_tree.Mapping) and any(name.text in ("type", "<<") for name, _ in node.pairs)


def entry_type(key: yaml_tree.Scalar, node: yaml_tree.Mapping) -> str:
    """Return the type of a top-level object.

    Raises:
        Problem: it has none, or a name that no entry may have.
    """
    if key.text in RESERVED:
        raise Problem(f"no entry can have the name {quote(key.text)}: the published record uses it")
    type_: yaml_tree.Node | None = None
    for name, value in node.pairs:
        if name.text == "type":
            type_ = value
    if type_ is None:
        raise Problem(f"entry {quote(key.text)} has no type")
    if isinstance(type_, yaml_tree.Scalar):
        text = resolve(type_.text) if type_.plain else type_.text
        if isinstance(text, str) and text:
            return text
    raise Problem(f"entry {quote(key.text)} has a type that is no text, in line {type_.line}")


class Constructor:
    """Makes values of nodes, and counts them: a node that aliases repeat is made as often as it stands there."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_EVENTS

    def entry(self, node: yaml_tree.Mapping, text_props: frozenset[str]) -> dict[str, object]:
        """Return the properties of an entry; of a key that stands there twice the last."""
        return {key.text: self.prop(key.text, value, text_props) for key, value in node.pairs}

    def prop(self, name: str, node: yaml_tree.Node, text_props: frozenset[str]) -> object:
        """Return the value of one property; one that stays text is ``None`` only where it is YAML's null."""
        if name in text_props and isinstance(node, yaml_tree.Scalar):
            return None if node.plain and is_null(node.text) else node.text
        return self.value(node, 2)

    def value(self, node: yaml_tree.Node, depth: int) -> object:
        """Return the value of a node.

        Raises:
            Problem: aliases make it too large or too deep.
        """
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise Problem("the aliases of the document make it too large")
        if isinstance(node, yaml_tree.Scalar):
            return resolve(node.text) if node.plain else node.text
        if isinstance(node, yaml_tree.Sequence):
            return [self.value(item, depth + 1) for item in node.items]
        return {key.text: self.value(value, depth + 1) for key, value in node.pairs}
