"""Errors of msgspec about a configuration, in the file's own terms: which table, which values, which key was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

import msgspec

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP: Final = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<number>\d+|\.\.\.)\]")
_UNKNOWN: Final = re.compile(r"unknown field `(?P<name>[^`]*)`")
_TABLE: Final = re.compile(r"\.tables\[(\d+)\]")
_LIKENESS_MIN = 0.6
"""difflib's ratio: below it, a key is not taken for a slip of another."""


def in_file_terms(message: str, model: type, filled: Mapping[str, Any], override: str | None) -> str:
    """The message with the table's name, and with what may stand there; `override` is the attribute it is about."""
    found = _PLACE.search(message)
    path = found["path"] if found is not None else ""
    text = message[: found.start()] if found is not None else message
    text = text.replace("Object missing", "the file lacks the").replace("Object ", "the file ", 1)
    place = path.replace("[...]", f".{override}", 1) if override is not None else path
    at = f" - at `{place.removeprefix('.')}`{_table_name(path, filled)}" if place else ""
    return f"{text}{at}{_instead(text, path, model)}"


def _table_name(path: str, filled: Mapping[str, Any]) -> str:
    """The name of the table that a path leads into, where it has a name: nobody counts tables from 0."""
    found = _TABLE.match(path)
    if found is None:
        return ""
    table = filled["tables"][int(found[1])]
    name = table.get("name", table.get("match")) if isinstance(table, dict) else None
    return f" (table {name})" if isinstance(name, str) else ""


def _instead(text: str, path: str, model: type) -> str:
    """The remedy for that place: the allowed values, or the key that looks most like the unknown key."""
    there = list(_types(msgspec.inspect.type_info(model), path))
    unknown = _UNKNOWN.search(text)
    if unknown is not None:
        keys = [
            field.encode_name for kind in there if isinstance(kind, msgspec.inspect.StructType) for field in kind.fields
        ]
        near = get_close_matches(unknown["name"], keys, n=1, cutoff=_LIKENESS_MIN)
        return f": did you mean `{near[0]}`?" if near else f": it takes {', '.join(keys)}"
    if text.startswith("Invalid enum value"):
        values = [
            str(value) for kind in there if isinstance(kind, msgspec.inspect.LiteralType) for value in kind.values
        ]
        return f": it takes {', '.join(values)}"
    return ""


def _types(kind: msgspec.inspect.Type, path: str) -> Iterator[msgspec.inspect.Type]:
    """The types that may stand at the end of a path of msgspec's."""
    if isinstance(kind, msgspec.inspect.Metadata):
        yield from _types(kind.type, path)
        return
    if isinstance(kind, msgspec.inspect.UnionType):
        for shown_type in kind.types:
            yield from _types(shown_type, path)
        return
    step = _STEP.match(path)
    if step is None:
        yield kind
    elif isinstance(kind, msgspec.inspect.StructType):
        for inner in kind.fields:
            if inner.encode_name == step["name"]:
                yield from _types(inner.type, path[step.end() :])
    elif isinstance(kind, msgspec.inspect.ListType):
        yield from _types(kind.item_type, path[step.end() :])
    elif isinstance(kind, msgspec.inspect.DictType):
        yield from _types(kind.value_type, path[step.end() :])
