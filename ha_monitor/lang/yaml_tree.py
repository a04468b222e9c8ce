"""YAML text to a small tree of nodes, from ruamel.yaml's events: bounded, and before any value is given a type.

What a plain scalar means is :mod:`ha_monitor.lang.scalars`'s, what the tree means :mod:`ha_monitor.lang.document`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML, events
from ruamel.yaml.error import YAMLError

from ha_monitor.errors import Problem
from ha_monitor.lang.ids import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 32
"""Collections within collections; chosen."""

MAX_EVENTS = 5_000
"""Events of a document: its scalars, and both ends of its collections; measured: 0.1 s of the parser's time."""

_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_TEXT_TAG = "tag:yaml.org,2002:str"


@dataclass(slots=True)
class Scalar:
    """A scalar: ``plain`` where it has neither quotes nor a tag; ``inline`` where it is no block and on one line."""

    text: str
    plain: bool
    inline: bool
    line: int


@dataclass(slots=True)
class Sequence:
    """A list of nodes; ``flow`` where it is written in brackets."""

    items: list[Node]
    flow: bool
    line: int


@dataclass(slots=True)
class Mapping:
    """Keys and values in the order of the text, keys that stand there twice included."""

    pairs: list[tuple[Scalar, Node]]
    flow: bool
    line: int


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class Tree:
    """A parsed document: its root (``None``: an empty one), and whether any node of it stands at several places."""

    root: Node | None
    shared: bool


def parse_tree(text: str) -> Tree:
    """Parse one YAML document.

    Raises:
        Problem: it is no YAML, more than one document, too deep or too large, or has a tag or a key that documents
            may not have; the words name the line and the offending text.
    """
    _check_brackets(text)
    parser = YAML(typ="safe", pure=True)
    builder = _Builder(parser.parse(text))
    try:
        return builder.document()
    except YAMLError as error:
        raise Problem(_words(error, text)) from error
    except (RecursionError, ValueError, LookupError) as error:
        raise Problem(f"the document is no YAML: {error or type(error).__name__}") from error
    finally:
        builder.events = iter(())
        _take_apart(parser)


def _take_apart(parser: YAML) -> None:
    """Have the parts of a parser forget each other: the collector would have to find them, document by document."""
    parts = [part for part in vars(parser).values() if hasattr(part, "loader")]
    for part in (*parts, parser):
        vars(part).clear()


def _check_brackets(text: str) -> None:
    """Refuse deep flow collections before the scanner sees them: it takes quadratic time for what it looks ahead."""
    depth = 0
    for character in text:
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise Problem(f"the document has more than {MAX_DEPTH} brackets open at once")
        elif character in "]}":
            depth = max(depth - 1, 0)


def _words(error: YAMLError, text: str) -> str:
    """Return a parser's error with line and offending text."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).partition("\n")[0]
    if mark is None:
        return f"the document is no YAML: {reason}"
    lines = text.splitlines()
    source = lines[mark.line].strip() if mark.line < len(lines) else ""
    return f"the document is no YAML, line {mark.line + 1}: {reason}: {quote(source)}"


@dataclass(slots=True)
class _Builder:
    """Builds the tree of one document from its events."""

    events: Iterator[Any]
    count: int = 0
    shared: bool = False
    anchors: dict[str, Node] = field(default_factory=dict)

    def document(self) -> Tree:
        """Return the tree, and see that nothing follows it."""
        root: Node | None = None
        documents = 0
        while not isinstance(event := self._next(), events.StreamEndEvent):
            if isinstance(event, events.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Problem(f"line {event.start_mark.line + 1} starts a second document")
            elif not isinstance(event, (events.StreamStartEvent, events.DocumentEndEvent)):
                root = self._node(event, 0)
        return Tree(root, self.shared)

    def _next(self) -> Any:
        self.count += 1
        if self.count > MAX_EVENTS:
            raise Problem(f"the document has more than {MAX_EVENTS} values and keys")
        return next(self.events)

    def _node(self, event: Any, depth: int) -> Node:
        """Return the node that starts with ``event``."""
        line = event.start_mark.line + 1
        if isinstance(event, events.AliasEvent):
            self.shared = True
            if event.anchor not in self.anchors:
                raise Problem(f"line {line} has the alias {quote(event.anchor)}, whose anchor is not above it")
            return self.anchors[event.anchor]
        if depth > MAX_DEPTH:
            raise Problem(f"the document is nested more than {MAX_DEPTH} deep in line {line}")
        _check_tag(event, line)
        node = self._collection(event, line, depth)
        # noted once it is complete, so that no alias leads a node into itself
        if event.anchor is not None:
            self.shared = True
            self.anchors[event.anchor] = node
        return node

    def _collection(self, event: Any, line: int, depth: int) -> Node:
        if isinstance(event, events.ScalarEvent):
            return _scalar(event, line)
        flow = bool(event.flow_style)
        if isinstance(event, events.SequenceStartEvent):
            items = []
            while not isinstance(inner := self._next(), events.SequenceEndEvent):
                items.append(self._node(inner, depth + 1))
            return Sequence(items, flow, line)
        pairs = []
        while not isinstance(inner := self._next(), events.MappingEndEvent):
            key = self._node(inner, depth + 1)
            if not isinstance(key, Scalar):
                raise Problem(f"line {key.line} has a list or an object as a key")
            pairs.append((key, self._node(self._next(), depth + 1)))
        return Mapping(pairs, flow, line)


def _scalar(event: Any, line: int) -> Scalar:
    """Return the node of a scalar; the tags ``!`` and ``!!str`` make it text, as quotes do."""
    inline = event.tag is None and event.style not in ("|", ">") and event.start_mark.line == event.end_mark.line
    plain = not event.style if event.tag is None else event.tag not in ("!", _TEXT_TAG)
    return Scalar(event.value if event.value.isascii() else _characters(event.value, line), plain, inline, line)


def _characters(text: str, line: int) -> str:
    """Return text whose escapes are characters: one beyond 16 bits is two escapes in JSON, which is YAML as well."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise Problem(f"line {line} has an escape that is half a character") from error


def _check_tag(event: Any, line: int) -> None:
    if event.tag is not None and event.tag != "!" and event.tag not in _TAGS:
        raise Problem(f"line {line} has the tag {quote(event.tag)}: a document is plain data")
