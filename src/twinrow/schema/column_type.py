"""The ladder of column types: the least type that holds a value, and the least that holds two types' values.

`join` makes the types of each kind a semilattice (commutative, associative, idempotent), so that the type learned from
a batch does not depend on the order of its items. For numbers:

    BIGINT < DECIMAL(29,0) < DECIMAL(38,0) < DECIMAL(65,27)      integers of 19, 29, then 38 digits
    BIGINT < DECIMAL(29,0) < DECIMAL(38,9) < DECIMAL(65,27)      29 digits, with 9 fraction digits behind them

No column is DECIMAL(29,0): what a batch leaves there is `settled` as DECIMAL(38,0), since fractions may never come. A
widening along the ladder bends no value: DECIMAL(65,27) has 38 integer digits. Numbers beyond it stand at its top, and
their cells are not exact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from twinrow.change import AttributeValue
from twinrow.decode.kind import Kind
from twinrow.decode.number import INT64_MAX, INT64_MIN, number_parts
from twinrow.schema.cell import Encoded, decode, encode, same_stored
from twinrow.schema.sql_type import ColumnType, Source, parse_type, record_bytes, render, row_bytes

__all__ = [
    "NUMBER_TOP", "ColumnType", "Encoded", "Source", "decode", "encode", "join", "least",
    "on_ladder", "parse_type", "record_bytes", "render", "row_bytes", "same_stored", "settled",
]  # fmt: skip

BIGINT: Final = ColumnType("BIGINT")
MIDDLE: Final = ColumnType("DECIMAL", 29, 0)
WHOLE: Final = ColumnType("DECIMAL", 38, 0)
FRACTION: Final = ColumnType("DECIMAL", 38, 9)
NUMBER_TOP: Final = ColumnType("DECIMAL", 65, 27)
"""The widest type that a number's column grows to."""

NUMBERS: Final = (BIGINT, WHOLE, FRACTION, NUMBER_TOP)
"""The types of numbers' columns."""
_HEIGHT: Final = {BIGINT: 0, MIDDLE: 1, WHOLE: 2, FRACTION: 2, NUMBER_TOP: 3}
_OTHERS: Final[dict[str, ColumnType]] = {
    "S": ColumnType("MEDIUMTEXT"),
    "B": ColumnType("MEDIUMBLOB"),
    "BOOL": ColumnType("BOOLEAN"),
    **dict.fromkeys(("M", "L", "SS", "NS", "BS"), ColumnType("JSON")),
}


def settled(ct: ColumnType) -> ColumnType:
    """The type that a column has where values have asked for `ct`."""
    return WHOLE if ct == MIDDLE else ct


def least(kind: Kind, value: AttributeValue) -> ColumnType:
    """Return the lowest type that holds a value of this kind exactly, or the top: to be joined, then `settled`.

    Raises ValueError for the kind NULL, which has no column, and for what is no number.
    """
    if kind == "N":
        return _least_number(value["N"])
    if kind == "NULL":
        raise ValueError("NULL has no column type: it says nothing of the values to come")
    return _OTHERS[kind]


def on_ladder(ct: ColumnType) -> bool:
    """Whether numbers widen a column of this type."""
    return ct in _HEIGHT


@lru_cache(maxsize=4096)
def _least_number(text: str) -> ColumnType:
    """Return `least` of a number's text. Raises ValueError if it is no number."""
    negative, digits, exponent = number_parts(text)
    fraction_digits, whole_digits = max(0, -exponent), len(digits) + exponent
    if fraction_digits == 0:
        if whole_digits <= len(str(INT64_MAX)):
            number = int(f"{'-' if negative else ''}{digits or 0}{'0' * exponent}")
            if INT64_MIN <= number <= INT64_MAX:
                return BIGINT
        if whole_digits <= 29:
            return MIDDLE
        return WHOLE if whole_digits <= 38 else NUMBER_TOP
    return FRACTION if fraction_digits <= 9 and whole_digits <= 29 else NUMBER_TOP


def join(a: ColumnType, b: ColumnType) -> ColumnType:
    """Return the least type on the ladder that holds all values of both exactly.

    Raises ValueError for types off the ladder (overrides never widen) and for two types of different kinds.
    """
    if a in _HEIGHT and b in _HEIGHT:
        if _HEIGHT[a] == _HEIGHT[b]:
            return a if a == b else NUMBER_TOP
        return max(a, b, key=_HEIGHT.__getitem__)
    if a == b and a in _OTHERS.values():
        return a
    raise ValueError(f"no join of {a.name} and {b.name}: not on one ladder")
