"""A part: the text that a hole of a template took from a key, and the typed column that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal, get_args

from twinrow.decode.number import INT64_MAX, INT64_MIN, exact_decimal, number_parts
from twinrow.flavour import Flavour, SqlValue
from twinrow.schema.moment import moment_sql, read_moment
from twinrow.schema.sql_type import ColumnType, render

PartType = Literal["text", "int", "decimal", "date", "datetime", "epoch_s", "epoch_ms", "uuid"]

TYPES: Final[tuple[PartType, ...]] = get_args(PartType)
TEXT_CHARACTERS_MAX: Final = 2048
"""A key has at most 2,048 bytes. A part of another attribute may be longer: then its column is NULL, and it counts."""
INTEGER_CHARACTERS_MAX: Final = 40
"""No BIGINT is longer, leading zeros apart; Python refuses to read texts of thousands of digits."""
DECIMAL_DIGITS: Final = 38
DECIMAL_FRACTION_DIGITS: Final = 9
UUID_CHARACTERS: Final = 36

_UUID_GROUPS: Final = (8, 4, 4, 4, 12)
_HEX: Final = frozenset("0123456789abcdefABCDEF")
_COLUMN: Final[dict[PartType, ColumnType]] = {
    "text": ColumnType("VARCHAR", TEXT_CHARACTERS_MAX),
    "int": ColumnType("BIGINT"),
    "decimal": ColumnType("DECIMAL", DECIMAL_DIGITS, DECIMAL_FRACTION_DIGITS),
    "date": ColumnType("DATE"),
    "datetime": ColumnType("DATETIME", 6),
    "epoch_s": ColumnType("DATETIME", 0),
    "epoch_ms": ColumnType("DATETIME", 3),
    "uuid": ColumnType("CHAR", UUID_CHARACTERS),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an entity: the name that the configuration gives it, and its type."""

    name: str
    type: PartType = "text"


def column_type(kind: PartType) -> ColumnType:
    """Return the type of a part's column. CHAR is no type that an override may ask for; only a uuid has it."""
    return _COLUMN[kind]


def column_ddl(kind: PartType, flavour: Flavour) -> str:
    """Return the type as DDL. Texts have the collation of the key, or MySQL would use no index in the JOIN."""
    return render(_COLUMN[kind], flavour)


def read(kind: PartType, text: str) -> SqlValue:
    """Return what the column of this type shows for a text, or None where the text does not read as the type."""
    return _READ[kind](text)


def _text(text: str) -> str | None:
    if len(text) > TEXT_CHARACTERS_MAX:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:
        # A lone surrogate: MySQL takes no such text, and the statement would fail for all its rows.
        return None
    return text


def _int(text: str) -> int | None:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(text) <= INTEGER_CHARACTERS_MAX):
        return None
    number = int(text)
    return number if INT64_MIN <= number <= INT64_MAX else None


def _decimal(text: str) -> Decimal | None:
    try:
        _, digits, exponent = number_parts(text)
    except ValueError:
        return None
    if len(digits) + exponent > DECIMAL_DIGITS - DECIMAL_FRACTION_DIGITS or -exponent > DECIMAL_FRACTION_DIGITS:
        return None
    return exact_decimal(text)


def _date(text: str) -> str | None:
    # Exactly `2026-01-15`: the rest of a longer text would be lost without a word.
    return text if len(text) == 10 and read_moment(text, "iso8601") is not None else None


def _datetime(text: str) -> str | None:
    moment = read_moment(text, "iso8601")
    return None if moment is None else moment_sql(moment, 6)


def _epoch(source: Literal["epoch_s", "epoch_ms"], digits: int) -> Callable[[str], str | None]:
    def of(text: str) -> str | None:
        if _int(text) is None:
            return None
        moment = read_moment(text, source)
        return None if moment is None else moment_sql(moment, digits)

    return of


def _uuid(text: str) -> str | None:
    groups = text.split("-")
    if tuple(map(len, groups)) != _UUID_GROUPS or not all(_HEX.issuperset(group) for group in groups):
        return None
    return text


_READ: Final[dict[PartType, Callable[[str], SqlValue]]] = {
    "text": _text, "int": _int, "decimal": _decimal, "date": _date, "datetime": _datetime,
    "epoch_s": _epoch("epoch_s", 0), "epoch_ms": _epoch("epoch_ms", 3), "uuid": _uuid,
}  # fmt: skip
