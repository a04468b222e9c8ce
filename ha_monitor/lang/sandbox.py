"""Jinja2 templates, bounded: nothing in one can run code, hang the caller or eat the memory.

Jinja2 parses; rendering is a walk over its syntax tree by closures of our own (:mod:`ha_monitor.lang.expressions`),
so that what is not allowed by name does not exist. Every step is counted (:mod:`ha_monitor.lang.fuel`).

Apart from Jinja2: ``None`` prints as nothing, wherever it turns into text; and a printed value with a line break or
control character in it is refused, since it would change the structure of the document around it.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.ext import Extension

from ha_monitor.errors import Problem
from ha_monitor.lang.frame import Frame
from ha_monitor.lang.ids import quote
from ha_monitor.lang.statements import CRASHES, Compiler, Located, crash_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2.lexer import Token, TokenStream

MAX_TEMPLATE = 65_536
"""Characters of a template; chosen: 20 times the largest real one."""

MAX_TOKENS = 20_000
"""Tokens of a template; measured: Jinja2 parses that many in 0.1 s."""


class _TokenLimit(Extension):
    """Stops the parser before a template of too many tokens takes it too long."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Pass the tokens on, and count them."""
        for count, token in enumerate(stream):
            if count > MAX_TOKENS:
                raise Problem(f"the template has more than {MAX_TOKENS} words and signs")
            yield token


class JinjaTemplate:
    """A compiled template. Immutable; a rendering keeps all it changes in its own :class:`Frame`."""

    __slots__ = ("_id", "_lines", "_run", "names", "pieces", "text")

    def __init__(self, template_id: str, text: str, tree: nodes.Template) -> None:
        self._id = template_id
        self._lines = text.splitlines()
        self.text = text
        #: Names of parameters that the template mentions.
        self.names = frozenset(node.name for node in tree.find_all(nodes.Name) if node.ctx == "load")
        #: ``(is a parameter, text or name)`` in order, where there is nothing but these; else ``None``.
        self.pieces = _pieces(tree)
        self._run = Compiler(self._located).block(tree.body, 0)

    def render(self, parameters: Mapping[str, object]) -> str:
        """Return the document.

        Raises:
            Problem: the template can't be rendered with these parameters; the words name template, line and reason.
        """
        frame = Frame(parameters)
        try:
            self._run(frame)
        except Located:
            raise
        except Problem as problem:
            raise Problem(f"template {self._id}: {problem}") from problem
        except CRASHES as error:
            raise Problem(f"template {self._id}: {crash_words(error)}") from error
        return "".join(frame.out)

    def _located(self, line: int, problem: Exception) -> Problem:
        """Return a problem with its place in the template."""
        source = self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
        return Located(f"template {self._id}, line {line}: {problem}: {quote(source)}")


def compile_text(template_id: str, text: object) -> JinjaTemplate:
    """Compile the text of a template.

    Raises:
        Problem: it is no text, too long, no Jinja2, or has something in it that templates may not use; the words
            name the template, and the line with its text where there is one.
    """
    if not isinstance(text, str):
        raise Problem(f"template {template_id}: its text is {quote(text)}, not text")
    if len(text) > MAX_TEMPLATE:
        raise Problem(f"template {template_id} is longer than {MAX_TEMPLATE} characters")
    environment = Environment(extensions=[_TokenLimit], autoescape=False)  # noqa: S701  # YAML, no HTML
    try:
        with warnings.catch_warnings():
            # the lexer decodes '\d' in a pattern with a codec that newer Pythons warn about
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = environment.parse(text)
        return JinjaTemplate(template_id, text, tree)
    except TemplateSyntaxError as error:
        lines = text.splitlines()
        source = lines[error.lineno - 1].strip() if 0 < error.lineno <= len(lines) else ""
        raise Problem(f"template {template_id}, line {error.lineno}: {error.message}: {quote(source)}") from error
    except Located:
        raise
    except Problem as problem:
        raise Problem(f"template {template_id}: {problem}") from problem
    except (*CRASHES, SyntaxError) as error:
        raise Problem(f"template {template_id} can't be parsed: {crash_words(error)}") from error


def _pieces(tree: nodes.Template) -> tuple[tuple[bool, str], ...] | None:
    """Return the pieces of a template that is only text and printed parameters."""
    pieces = []
    for statement in tree.body:
        if not isinstance(statement, nodes.Output):
            return None
        for node in statement.nodes:
            if isinstance(node, nodes.TemplateData):
                pieces.append((False, node.data))
            elif isinstance(node, nodes.Name):
                pieces.append((True, node.name))
            else:
                return None
    return tuple(pieces)
