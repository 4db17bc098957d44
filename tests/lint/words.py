"""Names in Python and YAML: the bare word ``conversions``, and who may read the clock.

Prose and strings are free: a platform's own field is a string there, and a sentence says whose
conversions it means.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import yaml

from tests.lint.sql_rules import BARE_WORD, Finding

CLOCK_HOME = "include/trueline/windows.py"
_CLOCK = {"now", "utcnow", "today"}


def check_python(text: str, path: str) -> list[Finding]:
    """Names that this file gives, and clocks that it reads."""
    found = []
    for node in ast.walk(ast.parse(text)):
        line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
        if "conversions" in _names_given(node):
            found.append(Finding(path, line, column, BARE_WORD))
        if path != CLOCK_HOME and path.startswith("include/") and _reads_clock(node):
            message = "only trueline.windows.utc_now reads the clock: take the time as a value"
            found.append(Finding(path, line, column, message))
    return sorted(found)


def check_yaml(text: str, path: str) -> list[Finding]:
    """Keys: column names, settings and the like."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return sorted(
        Finding(path, key.start_mark.line + 1, key.start_mark.column + 1, BARE_WORD)
        for key in (_keys(root) if root else ())
        if key.value == "conversions"
    )


def _names_given(node: ast.AST) -> set[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
        case ast.ClassDef(name=name):
            return {name.lower()}
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return {name}
        case ast.arg(arg=name):
            return {name}
        case ast.alias(asname=str(name)):
            return {name}
    return set()


def _reads_clock(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime" | "date"), attr=attr)):
            return attr in _CLOCK
        case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=attr)):
            return attr in _CLOCK
        case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr="time")):
            return True
    return False


def _keys(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key
            yield from _keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _keys(each)
