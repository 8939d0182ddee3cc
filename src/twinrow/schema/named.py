"""The attributes that settings name: paths into maps, which a setting for whole attributes does not follow (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from twinrow.change import Item
from twinrow.schema.table import TableSchema

NEAR_MIN: Final = 0.6
"""How alike two names are, by difflib, for a name to be taken for the other."""


def path_into_map(name: str, maps: Collection[str], there: Collection[str]) -> str | None:
    """The map that a name would lead into, were it a path; None where an attribute of that name is there.

    `maps` are the attributes that hold maps or lists, `there` all attributes that are known.
    """
    if name in there:
        return None
    parts = name.split(".")
    heads = (".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
    return next((head for head in heads if head in maps), None)


def seen_in(items: Iterable[Item]) -> tuple[frozenset[str], frozenset[str]]:
    """(the attributes of some items, those of them that hold a map or a list anywhere)."""
    there, maps = set[str](), set[str]()
    for item in items:
        there |= item.keys()
        maps |= {name for name, value in item.items() if "M" in value or "L" in value}
    return frozenset(there), frozenset(maps)


def seen_by(schema: TableSchema) -> tuple[frozenset[str], frozenset[str]]:
    """The same of a copy: the attributes that have a column, and those of them that are maps or lists."""
    maps = frozenset(column.attribute for column in schema.columns if column.kind in ("M", "L"))
    return frozenset(schema.by_attribute), maps


def nearest(name: str, there: Collection[str]) -> str | None:
    """The attribute that was perhaps meant."""
    folded: Mapping[str, str] = {known.casefold(): known for known in sorted(there, reverse=True)}
    near = folded.get(name.casefold())
    return near if near is not None else next(iter(get_close_matches(name, sorted(there), n=1, cutoff=NEAR_MIN)), None)
