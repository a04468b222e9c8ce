"""Statements of a template, compiled into closures: output, if, for, set and with. Nothing else is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import nodes

from ha_monitor.errors import Problem
from ha_monitor.lang.expressions import compile_expression, name_of
from ha_monitor.lang.filters import elements
from ha_monitor.lang.frame import Expression, Frame
from ha_monitor.lang.fuel import MAX_TEXT
from ha_monitor.lang.ids import quote

CRASHES = (RecursionError, MemoryError, ArithmeticError, TypeError, ValueError, AttributeError, LookupError)
"""What an expression may fail with that has no words of its own."""

BROKEN = "has a line break or control character in it"
"""What is wrong with a value that does not stay on its line."""

_MAX_DEPTH = 16  # statements within statements; chosen
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

Statement = Callable[[Frame], None]


class Located(Problem):
    """A problem that already says where in the template it is."""


def crash_words(error: BaseException) -> str:
    """Return what a crash of the parser or of a rendering means."""
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return str(error) or type(error).__name__


class Compiler:
    """Compiles statements; an error of one gets its line from it."""

    def __init__(self, located: Callable[[int, Exception], Problem]) -> None:
        self._located = located
        self._statements: dict[type[nodes.Node], Callable[[Any, int], Statement]] = {
            nodes.Output: self._output,
            nodes.If: self._if,
            nodes.For: self._for,
            nodes.Assign: self._assign,
            nodes.With: self._with,
        }

    def block(self, statements: Iterable[nodes.Node], depth: int) -> Statement:
        """Compile statements that follow each other."""
        compiled = [self._statement(statement, depth) for statement in statements]

        def run(frame: Frame) -> None:
            for statement in compiled:
                statement(frame)

        return compiled[0] if len(compiled) == 1 else run

    def _statement(self, node: nodes.Node, depth: int) -> Statement:
        compiler = self._statements.get(type(node))
        if compiler is None:
            raise self._located(node.lineno, Problem(f"a template can't use this here: {name_of(node)}"))
        if depth > _MAX_DEPTH:
            raise self._located(node.lineno, Problem(f"statements are nested more than {_MAX_DEPTH} deep"))
        return compiler(node, depth + 1)

    def _expression(self, node: nodes.Node) -> Expression:
        """Compile an expression whose problems, then and when rendering, tell its line."""
        located, line = self._located, node.lineno
        try:
            expression = compile_expression(node)
        except Problem as problem:
            raise located(line, problem) from problem

        def evaluate(frame: Frame) -> object:
            try:
                frame.fuel.spend(1)
                return expression(frame)
            except (Problem, *CRASHES) as problem:
                raise located(
                    line, problem if isinstance(problem, Problem) else Problem(crash_words(problem))
                ) from problem

        return evaluate

    def _output(self, node: nodes.Output, depth: int) -> Statement:
        return self._joined([self._printed(part) for part in node.nodes])

    def _joined(self, parts: list[Callable[[Frame], str]]) -> Statement:
        def run(frame: Frame) -> None:
            for part in parts:
                text = part(frame)
                frame.size += len(text)
                if frame.size > MAX_TEXT:
                    raise Problem(f"the document grows longer than {MAX_TEXT} characters")
                frame.out.append(text)

        return run

    def _printed(self, node: nodes.Node) -> Callable[[Frame], str]:
        """Compile one part of an output: text of the template, or a printed value."""
        if isinstance(node, nodes.TemplateData):
            data = node.data

            def literal(frame: Frame) -> str:
                frame.fuel.spend(1)
                return data

            return literal
        expression, located, line = self._expression(node), self._located, node.lineno
        what = f"parameter {node.name!r}" if isinstance(node, nodes.Name) else "a printed value"

        def value(frame: Frame) -> str:
            try:
                return print_value(frame.fuel.text(expression(frame)), what)
            except Located:
                raise
            except (Problem, *CRASHES) as problem:
                raise located(line, problem) from problem

        return value

    def _if(self, node: nodes.If, depth: int) -> Statement:
        branches = [(self._expression(node.test), self.block(node.body, depth))]
        branches += [(self._expression(each.test), self.block(each.body, depth)) for each in node.elif_]
        otherwise = self.block(node.else_, depth)

        def run(frame: Frame) -> None:
            for test, body in branches:
                if test(frame):
                    body(frame)
                    return
            otherwise(frame)

        return run

    def _assign(self, node: nodes.Assign, depth: int) -> Statement:
        store, value = self._target(node.target), self._expression(node.node)
        return lambda frame: store(frame.scopes[-1], value(frame))

    def _with(self, node: nodes.With, depth: int) -> Statement:
        stores, values = [self._target(each) for each in node.targets], [self._expression(each) for each in node.values]
        body = self.block(node.body, depth)

        def run(frame: Frame) -> None:
            scope: dict[str, object] = {}
            for store, value in zip(stores, values, strict=True):
                store(scope, value(frame))
            frame.scopes.append(scope)
            body(frame)
            frame.scopes.pop()

        return run

    def _for(self, node: nodes.For, depth: int) -> Statement:
        if node.recursive:
            raise self._located(node.lineno, Problem("a template can't use this here: recursive for"))
        listed, store = self._expression(node.iter), self._target(node.target)
        located, line = self._located, node.lineno
        test = self._expression(node.test) if node.test is not None else None
        body, otherwise = self.block(node.body, depth), self.block(node.else_, depth)

        def bind(frame: Frame, item: object) -> dict[str, object]:
            scope: dict[str, object] = {}
            store(scope, item)
            frame.fuel.spend(1)
            return scope

        def run(frame: Frame) -> None:
            try:
                scopes = [bind(frame, item) for item in elements(frame.fuel, listed(frame))]
            except Located:
                raise
            except Problem as problem:
                raise located(line, problem) from problem
            if test is not None:
                scopes = [scope for scope in scopes if _within(frame, scope, test)]
            for place, scope in enumerate(scopes):
                scope["loop"] = _loop(place, len(scopes))
                _within(frame, scope, body)
            if not scopes:
                otherwise(frame)

        return run

    def _target(self, node: nodes.Node) -> Callable[[dict[str, object], object], None]:
        """Compile what a value is assigned to: a name, or names in a row."""
        if isinstance(node, nodes.Name):
            name = node.name
            return lambda scope, value: scope.__setitem__(name, value)
        located, line = self._located, node.lineno
        if not isinstance(node, nodes.Tuple) or not all(isinstance(item, nodes.Name) for item in node.items):
            raise located(line, Problem(f"a template can't use this here: assignment to {name_of(node)}"))
        names = [item.name for item in node.items if isinstance(item, nodes.Name)]

        def unpack(scope: dict[str, object], value: object) -> None:
            if not isinstance(value, (list, tuple)) or len(value) != len(names):
                raise located(line, Problem(f"{quote(value)} does not fit {', '.join(names)}"))
            scope.update(zip(names, value, strict=True))

        return unpack


def print_value(text: str, what: str) -> str:
    """Let a text pass that stays on its line.

    Raises:
        Problem: it has a line break or control character in it; the words name ``what``.
    """
    if _BREAKS.search(text) is not None:
        raise Problem(f"{what} {BROKEN}")
    return text


def _within(frame: Frame, scope: dict[str, object], run: Callable[[Frame], Any]) -> Any:
    """Run something with one more scope."""
    frame.scopes.append(scope)
    result = run(frame)
    frame.scopes.pop()
    return result


def _loop(place: int, length: int) -> dict[str, object]:
    """Return what a template sees as ``loop``."""
    return {
        "index": place + 1,
        "index0": place,
        "revindex": length - place,
        "revindex0": length - place - 1,
        "first": place == 0,
        "last": place == length - 1,
        "length": length,
    }
