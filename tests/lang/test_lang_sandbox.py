"""The sandbox: what real templates use works, and nothing else does, at no price."""

from __future__ import annotations

import time

import pytest

from ha_monitor.errors import Problem
from ha_monitor.lang import compile_text

PARAMETERS: dict[str, object] = {
    "name": "ae0",
    "number": 7,
    "none": None,
    "list": ["b", "a"],
    "objects": [{"vrid": 1}, {"vrid": 2}],
    "object": {"k": "v", "get": 1},
    "owner": "compute:nova",
    "big": "x" * 65_000,
    "huge": 10**2000,
    "evil": "a\nb: c",
}


def render(text: str) -> str:
    return compile_text("t", text).render(PARAMETERS)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{{name}}/{{ number }}", "ae0/7"),
        ("[{{ none }}]", "[]"),
        ("{{ list }}", "['b', 'a']"),
        ("dp0s{{ number + 3 }}", "dp0s10"),
        ("{% for o in objects %}{{ o.vrid }},{% endfor %}", "1,2,"),
        ("{% for o in list %}{{ loop.index }}{{ o }}{% if not loop.last %};{% endif %}{% endfor %}", "1b;2a"),
        ("{% for k, v in object.items() %}{{ k }}{{ v }}{% endfor %}", "kvget1"),
        ("{% for x in list if x == 'a' %}{{ x }}{% else %}no{% endfor %}", "a"),
        ("{% for x in [] %}{{ x }}{% else %}no{% endfor %}", "no"),
        ("{% if number == 0 %}0/1{% elif number > 5 %}1/{{ number }}{% else %}x{% endif %}", "1/7"),
        ("{% if name and none %}a{% else %}b{% endif %}", "b"),
        ("{{ owner | replace(':', '-') }}", "compute-nova"),
        ("{% if owner | match('compute') %}y{% endif %}{{ owner | match('nova') }}", "yFalse"),
        ("{% for i in range(200) %}{{ 'y' if owner | match('compute|nova') }}{% endfor %}", "y" * 200),
        (r"{{ name | match('\w+\d') }}", "True"),
        ("{{ none | match('.') }}", "False"),
        ("{{ 'yes' if owner is match('comp') else 'no' }}", "yes"),
        ("{{ missing | default('d') }}{{ object.x | d('e') }}{{ none | default('f', true) }}", "def"),
        ("{{ missing is defined }}{{ name is defined }}{{ none is none }}", "FalseTrueTrue"),
        ("{{ object.k }}{{ object['k'] }}{{ object.get('z', 1) }}{{ list[-1] }}{{ name[:2] }}", "vv1aae"),
        ("{{ list | sort | join('-') }} {{ list | length }} {{ list | first }}{{ list | last }}", "a-b 2 ba"),
        ("{{ [1, 1, 2] | unique | list }} {{ '3' | int + 1 }} {{ 2.567 | round(1) }} {{ -3 | abs }}", "[1, 2] 4 2.6 3"),
        ("{{ name.upper() }}{{ name.startswith('ae') }}{{ 'a,b'.split(',') | last }}", "AE0Trueb"),
        ("{% set x = 1 %}{% for i in range(3) %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "1231"),
        ("{% with y = 2 %}{{ y }}{% endwith %}", "2"),
        ("{{ name ~ none ~ 1 }} {{ 1 < 2 < 3 }} {{ 'a' in list }} {{ 'z' not in list }}", "ae01 True True True"),
        ("{{ 7 // 2 }} {{ 7 % 4 }} {{ 2 ** 10 }} {{ 7 / 2 }} {{ -number }}", "3 3 1024 3.5 -7"),
        ("{{ {'a': 1} }}{# comment #}{% raw %}{{ x }}{% endraw %}", "{'a': 1}{{ x }}"),
    ],
)
def test_what_real_templates_use_works(text: str, result: str) -> None:
    """Loops, conditions, filters, comparison and arithmetic render as Jinja2 renders them."""
    assert render(text) == result


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ name.__init__.__globals__ }}",
    "{{ (1).__class__ }}",
    "{{ [].__class__.__base__ }}",
    "{{ object.__class__ }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ config }}",
    "{{ request }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__.os }}",
    "{{ joiner }}",
    "{{ namespace() }}",
    "{{ dict(a=1) }}",
    "{{ range.__self__ }}",
    "{{ name.format(1) }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ '{0.__class__}'.format_map({}) }}",
    "{{ '%s' % name }}",
    "{{ name | attr('__class__') }}",
    "{{ name | attr('upper') }}",
    "{{ list | map('upper') }}",
    "{{ objects | map(attribute='__class__') }}",
    "{{ objects | selectattr('vrid') }}",
    "{{ objects | groupby('vrid') }}",
    "{{ object | xmlattr }}",
    "{{ '%s' | format(name) }}",
    "{{ list.append(1) }}",
    "{{ list.sort() }}",
    "{{ object.update({}) }}",
    "{{ object.pop('k') }}",
    "{{ object.setdefault('k', 1) }}",
    "{{ name.encode() }}",
    "{{ name.translate({}) }}",
    "{{ loop }}",
    "{{ missing }}",
    "{{ missing.x | upper }}",
    "{{ name() }}",
    "{{ list[0]() }}",
    "{{ object.items }}",
    "{{ name.upper(*list) }}",
    "{{ name.upper(**object) }}",
    "{{ name | upper(*list) }}",
    "{% include 'x' %}",
    "{% import 'x' as x %}",
    "{% from 'x' import y %}",
    "{% extends 'x' %}",
    "{% block b %}{% endblock %}",
    "{% macro m() %}{% endmacro %}",
    "{% call name() %}{% endcall %}",
    "{% filter upper %}a{% endfilter %}",
    "{% set x %}a{% endset %}",
    "{% set ns.x = 1 %}",
    "{% for i in list recursive %}{{ loop(list) }}{% endfor %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% do list.append(1) %}",
    "{% break %}",
    "{% trans %}a{% endtrans %}",
    "{% debug %}",
    "{{ evil }}",
    "{{ 'a\\nb' }}",
    "{{ '\\x00' }}",
    "{{ '\\u2028' }}",
    "{{ list | join('\\n') }}",
    "{{ 'a' if none }}",
    "{{ name + 1 }}",
    "{{ name < 1 }}",
    "{{ 1 in 5 }}",
    "{{ 1 / 0 }}",
    "{{ 1 | nofilter }}",
    "{{ 1 is notest }}",
    "{{ none | first }}",
    "{% for x in number %}{% endfor %}",
    "{% for a, b in list %}{% endfor %}",
    "{{ name | match('(') }}",
    "{{ name | match('(?=a)') }}",
    "{{ name | replace }}",
    "{{ 5 is divisibleby(0) }}",
    "{{ 5 is divisibleby('a') }}",
    "{{",
    "{{ a b }}",
    "{% if %}",
    "{% endfor %}",
    "{{ 'a }}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_everything_else_is_refused_and_named(text: str) -> None:
    """What reaches for Python, changes values, breaks lines or is no Jinja2 is a problem that names the template."""
    with pytest.raises(Problem, match=r"^template t"):
        render(text)


DOUBLING = "{% set x = 'xxxxxxxx' %}"
BOMBS = [
    "{% for i in range(1000000000) %}x{% endfor %}",
    "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}",
    "{% for i in range(10000) %}" * 3 + "x" + "{% endfor %}" * 3,
    "{% for i in range(10000) %}{% set z = range(10000) | list %}{% endfor %}",
    "{% for i in range(10000) %}{% set z = range(100) | join %}{% endfor %}",
    "{{ range(10 ** 18) }}",
    "{{ range(-9223372036854775807, 9223372036854775807) | length }}",
    "{{ 'x' * 1000000000 }}",
    "{{ 1000000000 * [1] }}",
    "{{ [1] * 1000000000 }}",
    "{{ [1, 2] * 9999 }}",
    DOUBLING + "{% set x = x ~ x %}" * 30,
    DOUBLING + "{% set x = x + x %}" * 30,
    DOUBLING + "{% set x = x * 8 %}" * 30,
    DOUBLING + "{% set x = x | replace('x', 'xxxxxxxx') %}" * 30,
    DOUBLING + "{% set x = x.replace('', x) %}" * 30,
    DOUBLING + "{% set x = [x, x] | join(x) %}" * 30,
    DOUBLING + "{% set x = [x, x] %}" * 40 + "{{ x }}",
    DOUBLING + "{% set x = [x, x] %}" * 25 + "{{ x == [x] }}",
    DOUBLING + "{% set x = {'a': x, 'b': x} %}" * 20 + "{{ x | string }}",
    "{% set x = [1] %}" + "{% set x = x + x %}" * 30,
    "{{ big ~ big }}",
    "{{ big }}{{ big }}",
    "{{ big | replace('x', 'yyyy') }}",
    "{{ big | join(big) }}",
    "{% for i in range(10000) %}{{ big }}{% endfor %}",
    "{% for i in range(10000) %}{% set z = big | upper %}{% endfor %}",
    "{% for i in range(10000) %}{% set z = big | replace('a', 'b') %}{% endfor %}",
    "{% for i in range(10000) %}{% set z = big == big ~ '' %}{% endfor %}",
    "{% for i in range(10000) %}{% set z = 'a' | match('(a{50}){20}' ~ i) %}{% endfor %}",
    "{% for i in range(10000) %}{{ big | match('(x+x+)+y') }}{% endfor %}",
    "{% for i in range(10000) %}{% set z = 'a' | match('" + r"\pL" * 150 + "' ~ i) %}{% endfor %}",
    "{% for i in range(10000) %}{{ big | match('" + "(" * 200 + ")" * 200 + "') }}{% endfor %}",
    "{{ 'a' | match('((a{1000}){1000}){1000}') }}",
    "{{ 'x'.ljust(1000000000) }}",
    "{{ 'x'.center(1000000000) }}",
    "{{ 'x'.zfill(1000000000) }}",
    "{{ 'x' | center(1000000000) }}",
    "{{ 'x' | indent(1000000000) }}",
    "{{ '\\t'.expandtabs(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ ','.join(['x'] * 1000000000) }}",
    "{{ list | batch(1000000000, 'x') | list }}",
    "{{ lipsum(1000000) }}",
    "{{ 10 ** 1000000000 }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{{ 2.0 ** 100000 }}",
    "{{ (0 - 8) ** 0.5 }}",
    "{{ 99999999999999999999 }}",
    "{{ 9223372036854775807 * 9223372036854775807 }}",
    "{{ huge + 1 }}",
    "{{ " + "9" * 60_000 + " }}",
    "{{ 0x" + "f" * 60_000 + " }}",
    "{{ 1 " + "+ 1 " * 15_000 + "}}",
    "{{ " + "(" * 30_000 + "1" + ")" * 30_000 + " }}",
    "{{ " + "[" * 500 + "]" * 500 + " }}",
    "{{ " + "not " * 5_000 + "1 }}",
    "{{ " + "-" * 30_000 + "1 }}",
    "{{ name" + ".a" * 5_000 + " }}",
    "{{ name" + "|upper" * 5_000 + " }}",
    "{% if 1 %}" * 3_000 + "{% endif %}" * 3_000,
    "{% for i in list %}" * 20 + "{% endfor %}" * 20,
    "{{ 1 if 1 else " * 3_000 + "2" + " }}",
    "{{a}}" * 13_000,
    "{{" * 32_000,
    "{%" * 32_000,
    "{" * 65_000,
    "x" * 65_537,
    "{% for i in list %}" + "x" * 60_000 + "{% endfor %}",
]


@pytest.mark.parametrize("text", BOMBS, ids=range(len(BOMBS)))
def test_bomb_is_refused_at_once(text: str) -> None:
    """No route to a long loop, a large text, list or number, or deep nesting takes a second; the next one is fine."""
    start = time.process_time()
    with pytest.raises(Problem, match=r"^template t"):
        render(text)
    assert time.process_time() - start < 0.9
    assert render("{{ name }}") == "ae0"


def test_problem_names_template_line_and_text() -> None:
    """An error reads like a compiler's."""
    words = "template t, line 3: parameter 'missing' is undefined: 'c: {{ missing }}'"
    with pytest.raises(Problem) as caught:
        render("a: 1\nb: 2\nc: {{ missing }}\n")
    assert str(caught.value) == words
    with pytest.raises(Problem, match=r"template t, line 2: .*'{% nonsense %}'"):
        render("a: 1\n{% nonsense %}\n")


@pytest.mark.parametrize("value", [None, 5, [], b"x"])
def test_template_that_is_no_text_is_refused(value: object) -> None:
    """A template's text is text."""
    with pytest.raises(Problem, match="template t: its text is"):
        compile_text("t", value)
