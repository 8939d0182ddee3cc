"""Columns that grow: which value widens which column, and to which type (pure).

A learned column of numbers grows along the ladder. A column of an override grows where the override says
`widen = true`, and only by steps that keep each stored value and the text that it stands for: numbers go on to the
ladder, texts to MEDIUMTEXT, times read from numbers get more digits of a second. A time read from text does not grow:
its cells would stand for other texts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from twinrow.change import AttributeValue
from twinrow.decode.kind import Kind
from twinrow.schema.cell import encode, moment_source
from twinrow.schema.column_type import (
    BIGINT,
    FRACTION,
    MIDDLE,
    NUMBER_TOP,
    WHOLE,
    ColumnType,
    join,
    least,
    on_ladder,
)
from twinrow.schema.sql_type import INTEGER_RANGES, SECOND_DIGITS_MAX, TEXT_BYTES_MAX
from twinrow.schema.table import Column

TEXT_TOP: Final = ColumnType("MEDIUMTEXT")
"""The type of learned texts: no text of DynamoDB is longer."""
_GROWING: Final[tuple[Kind, ...]] = ("N", "S")
_SECOND_DIGITS: Final = (0, 3, SECOND_DIGITS_MAX)
"""Digits of a second that a time read from a number grows through: seconds, milliseconds, microseconds."""


def grows(column: Column) -> bool:
    """Whether a value may still widen the column."""
    if column.overridden and not column.widen:
        return False
    return top(column) != column.type


def may_grow(ct: ColumnType) -> bool:
    """Whether a column of this type, of an override that says `widen`, may grow at all."""
    return any(top(Column("", "", kind, ct, False, True, True)) != ct for kind in _GROWING)


@lru_cache(maxsize=1024)
def top(column: Column) -> ColumnType:
    """The widest type that the column may grow to; its own where it does not grow."""
    ct = column.type
    if column.overridden and not column.widen:
        return ct
    if column.kind == "N" and rung(ct) is not None:
        return NUMBER_TOP
    if column.kind == "S" and _is_short_text(ct):
        return TEXT_TOP
    if _is_epoch(ct, column):
        return ColumnType("DATETIME", SECOND_DIGITS_MAX, None, ct.source)
    return ct


def widened(column: Column, value: AttributeValue, known: ColumnType | None = None) -> ColumnType:
    """The least type that a column which `grows` needs for a value too; `known`: what others have asked for before.

    A value of another kind than the column's asks for nothing.
    """
    ct = known or column.type
    if column.kind not in value:
        return ct
    if column.kind == "N" and on_ladder(ct):
        return join(ct, least("N", value))
    if encode(ct, column.kind, value, "mysql").exact:
        return ct
    if column.kind == "N" and ct.name == "DATETIME":
        return next((step for step in _finer(ct) if encode(step, "N", value, "mysql").exact), ct)
    step = rung(ct)
    if column.kind == "N" and step is not None:
        return join(step, least("N", value))
    return TEXT_TOP if _is_short_text(ct) else ct


def both(a: ColumnType, b: ColumnType) -> ColumnType:
    """The least type that holds all values of both. Raises ValueError for types between which no column grows."""
    if a == b:
        return a
    rungs = rung(a), rung(b)
    if rungs[0] is not None and rungs[1] is not None:
        return join(rungs[0], rungs[1])
    if _is_text(a) and _is_text(b):
        return TEXT_TOP
    if a.name == b.name == "DATETIME" and a.source == b.source:
        return max(a, b, key=lambda ct: ct.length or 0)
    return join(a, b)


def rung(ct: ColumnType) -> ColumnType | None:
    """The least type of the ladder that holds every number of a type; None where none does."""
    if on_ladder(ct):
        return ct
    if ct.name in INTEGER_RANGES:
        return MIDDLE if ct.name == "BIGINT UNSIGNED" else BIGINT
    if ct.name != "DECIMAL":
        return None
    scale = ct.scale or 0
    whole = (ct.length or 0) - scale
    if scale == 0 and whole <= 38:
        return BIGINT if whole <= 18 else MIDDLE if whole <= 29 else WHOLE
    if scale <= 9 and whole <= 29:
        return FRACTION
    return NUMBER_TOP if scale <= 27 and whole <= 38 else None


def _is_text(ct: ColumnType) -> bool:
    return ct.name == "VARCHAR" or ct.name in TEXT_BYTES_MAX


def _is_short_text(ct: ColumnType) -> bool:
    return _is_text(ct) and ct.name != "LONGTEXT" and ct != TEXT_TOP


def _is_epoch(ct: ColumnType, column: Column) -> bool:
    return ct.name == "DATETIME" and column.kind == "N" and moment_source(ct, "N") != "iso8601"


def _finer(ct: ColumnType) -> tuple[ColumnType, ...]:
    """The same time with more digits of a second."""
    known = ct.length or 0
    return tuple(ColumnType("DATETIME", digits, None, ct.source) for digits in _SECOND_DIGITS if digits > known)
