"""A notebook made from a page: its first paragraph, and its Python, a cell for each thing that is shown."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any


def notebook(page: str) -> str:
    """The notebook (nbformat 4.5) of a page with one fenced Python block. Raises ValueError where there is none."""
    found = re.search(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError("the page has no Python")
    title = page.partition("\n")[0]
    texts = [("markdown", title), *(("code", source) for source in cells(found[1]))]
    made = {
        "cells": [_cell(kind, f"cell-{number}", text) for number, (kind, text) in enumerate(texts)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def cells(code: str) -> Iterator[str]:
    """The code in pieces: each ends with the statement that shows something, or with the last import or definition."""
    lines, first = code.splitlines(), 0
    statements = ast.parse(code).body
    for statement, after in zip(statements, [*statements[1:], None], strict=True):
        imports = isinstance(statement, ast.Import | ast.ImportFrom)
        over = imports and not isinstance(after, ast.Import | ast.ImportFrom)
        if after is None or over or isinstance(statement, ast.FunctionDef) or _shows(statement):
            end = statement.end_lineno or len(lines)
            yield "\n".join(lines[first:end]).strip("\n")
            first = end


def _shows(statement: ast.stmt) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "print" for one in ast.walk(statement))


def _cell(kind: str, name: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": text.splitlines(keepends=True)}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell
