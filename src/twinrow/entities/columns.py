"""The parts of MySQL that a split makes beside the attributes' columns: names of tables, columns of parts, indexes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from twinrow.entities.part import Part
from twinrow.entities.split import ByValue, Entity, Split
from twinrow.entities.template import render_template
from twinrow.schema.naming import NAME_CHARACTERS_MAX, OWN_PREFIX, column_name, fold, valid_name

INDEX_PREFIX: Final = f"{OWN_PREFIX}index_"
NAMELESS: Final = "value"
"""The name for a text of which nothing is left in snake_case."""
_DIGITS_MIN: Final = 6
_DIGITS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class PartColumn:
    """A part and its column."""

    part: Part
    column: str


@dataclass(frozen=True, slots=True)
class PartIndex:
    """An ordinary index on one column; `shared`: a part that other entities have, too, which makes the JOIN quick."""

    name: str
    column: str
    shared: bool


def part_columns(parts: Sequence[Part], taken: Collection[str] = ()) -> tuple[PartColumn, ...]:
    """Return the parts with their columns, unequal to each other and to the names taken.

    A new table's parts are named before its attributes, so an attribute of the same name gets the suffix. In a table
    that is there the attributes keep their columns: `taken` are those.
    """
    names = set(taken)
    found = []
    for part in parts:
        name = column_name(part.name, names)
        names.add(name)
        found.append(PartColumn(part, name))
    return tuple(found)


def shared_parts(split: Split) -> frozenset[str]:
    """Return the names (folded) of the parts that two or more entities with tables have."""
    counts = Counter(
        fold(part.name) for entity in split.entities if entity.into is not None for part in entity.parts
    )  # fmt: skip
    return frozenset(name for name, count in counts.items() if count > 1)


def indexes(
    split: Split, entity: Entity, parts: Sequence[PartColumn], columns: Mapping[str, str]
) -> tuple[tuple[PartIndex, ...], tuple[str, ...]]:
    """Return the indexes of an entity's table, and the names in `index` that have no column yet.

    `columns` maps the attributes to their columns. A name in `index` is a part before it is an attribute.
    """
    shared = shared_parts(split)
    found = {
        part.column: PartIndex(index_name(part.column), part.column, True)
        for part in parts
        if fold(part.part.name) in shared
    }
    by_part = {part.part.name: part.column for part in parts}
    waiting = []
    for name in entity.index:
        column = by_part.get(name) or columns.get(name)
        if column is None:
            waiting.append(name)
        else:
            found.setdefault(column, PartIndex(index_name(column), column, False))
    return tuple(found.values()), tuple(waiting)


def index_name(column: str) -> str:
    """Return the name of the index on a column; a long one is cut, with a suffix that makes it unique."""
    name = INDEX_PREFIX + column
    return name if len(name) <= NAME_CHARACTERS_MAX else _with_suffix(name, column, ())


def value_table(split: ByValue, value: str, taken: Collection[str]) -> str:
    """Return the name of the table that `[tables.split]` makes for a text; `taken` are all tables of the copy.

    The name hangs on the tables that are there: whoever makes the table keeps which text it is for.
    """
    name = render_template(split.into, [snake_case(value) or NAMELESS])
    folded = {table.casefold() for table in taken}
    if (
        valid_name(name)
        and snake_case(value)
        and not fold(name).startswith(OWN_PREFIX)
        and name.casefold() not in folded
    ):
        return name
    if fold(name).startswith(OWN_PREFIX):
        name = name.lstrip("_")
    return _with_suffix(name, value, folded)


def _with_suffix(name: str, source: str, taken: Collection[str]) -> str:
    digits = blake2b(source.encode("utf-8", "surrogatepass"), digest_size=_DIGITS_MAX // 2).hexdigest()
    for length in range(_DIGITS_MIN, _DIGITS_MAX + 1):
        suffixed = f"{name[: NAME_CHARACTERS_MAX - length - 1].rstrip()}_{digits[:length]}"
        if suffixed.casefold() not in taken:
            return suffixed
    raise ValueError(f"no name is left for {source!r}")


def snake_case(text: str) -> str:
    """Return a text as a lower-case name: `OrderLine`, `order-line` and `ORDER_LINE` become `order_line`."""
    words: list[str] = []
    before = ""
    for n, character in enumerate(text):
        if not character.isalnum() or character > "\uffff":
            before = ""
            continue
        after = text[n + 1 : n + 2]
        begins = (
            not before
            or (character.isupper() and not before.isupper())
            or (character.isupper() and before.isupper() and after.islower())
        )
        if begins:
            words.append("")
        words[-1] += character.lower()
        before = character
    return "_".join(words)
