"""Functions take what they use: the bundle of all parts is for functions that use several of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

SOURCES: Final = Path(__file__).resolve().parents[2] / "src" / "twinrow"
OF_THE_TABLE: Final = frozenset({"table", "name", "settings"})
OF_A_PROTOCOL: Final = frozenset({"begin", "__call__", "work"})
"""Functions whose parameters are those of a protocol or of a callback."""


TAKE_TOO_MUCH = frozenset(
    {
        "app/prover.py:_verify",
        "aws_lambda.py:_keys",
        "aws_lambda.py:_note",
        "kinds/kinesis/follow_hints.py:stream_of",
        "sync/export_copy.py:_has_failed",
        "sync/page_source.py:_scan",
        "sync/table_work.py:readers",
    }
)
"""Functions that still take the whole context. The list may only get shorter."""


def uses(tree: ast.AST) -> Iterator[tuple[str, frozenset[str], bool]]:
    """Functions that take a context: the parts that each uses, and whether it passes the whole context on."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for argument in (*function.args.args, *function.args.kwonlyargs):
            if argument.annotation is None or ast.unparse(argument.annotation) != "TableContext":
                continue
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == argument.arg]
            of_it = [
                node
                for node in ast.walk(function)
                if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == argument.arg
            ]
            yield function.name, frozenset(node.attr for node in of_it), len(names) > len(of_it)


def too_much(tree: ast.AST) -> list[str]:
    """Functions that take a context and use nothing of it but its table."""
    return [
        name
        for name, parts, is_passed_on in uses(tree)
        if name not in OF_A_PROTOCOL and not is_passed_on and parts <= OF_THE_TABLE
    ]


def test_a_function_that_uses_only_the_table_takes_the_table() -> None:
    found = {
        f"{path.relative_to(SOURCES)}:{name}"
        for path in sorted(SOURCES.rglob("*.py"))
        for name in too_much(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert not found - TAKE_TOO_MUCH, "let these take a Table, Settings or a name"
    assert found >= TAKE_TOO_MUCH, "take those that were mended off TAKE_TOO_MUCH"


def test_the_measure_sees_what_it_measures() -> None:
    tree = ast.parse(
        "def a(context: TableContext): return context.settings\n"
        "def b(context: TableContext): return context.live.rest, context.name\n"
        "def c(context: TableContext): return a(context)\n"
        "def begin(self, context: TableContext): pass\n"
    )
    assert too_much(tree) == ["a"]
