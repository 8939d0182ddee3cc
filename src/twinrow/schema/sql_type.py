"""Column types: read from the configuration, printed as DDL, and weighed against what a MySQL row can hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from twinrow.flavour import COLLATION, Flavour

Source = Literal["epoch_s", "epoch_ms", "iso8601"]

SOURCES: Final[tuple[Source, ...]] = ("epoch_s", "epoch_ms", "iso8601")

INTEGER_RANGES: Final[dict[str, tuple[int, int]]] = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "MEDIUMINT": (-(2**23), 2**23 - 1),
    "INT": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
    "INT UNSIGNED": (0, 2**32 - 1),
    "BIGINT UNSIGNED": (0, 2**64 - 1),
}
INTEGER_BYTES: Final[dict[str, int]] = {
    "TINYINT": 1, "SMALLINT": 2, "MEDIUMINT": 3, "INT": 4, "BIGINT": 8, "INT UNSIGNED": 4, "BIGINT UNSIGNED": 8,
}  # fmt: skip

TEXT_BYTES_MAX: Final[dict[str, int]] = {
    "TINYTEXT": 2**8 - 1, "TEXT": 2**16 - 1, "MEDIUMTEXT": 2**24 - 1, "LONGTEXT": 2**32 - 1,
}  # fmt: skip
BLOB_BYTES_MAX: Final[dict[str, int]] = {
    "TINYBLOB": 2**8 - 1, "BLOB": 2**16 - 1, "MEDIUMBLOB": 2**24 - 1, "LONGBLOB": 2**32 - 1,
}  # fmt: skip

DECIMAL_DIGITS_MAX: Final = 65
DECIMAL_SCALE_MAX: Final = 30
"""The range that both servers take (MySQL manual, "DECIMAL Data Type Characteristics".

Only MariaDB takes a scale of 38).
"""
SECOND_DIGITS_MAX: Final = 6
BYTES_A_CHARACTER: Final = 4

VARCHAR_CHARACTERS_MAX: Final = 10_000
VARBINARY_BYTES_MAX: Final = 40_000
"""A row of VARCHAR and VARBINARY columns may take 65,535 bytes in all (MySQL manual, "Limits on Table Column Count and
Row Size"), and the two key columns may need 12,292 of them."""

_SYNONYMS: Final[dict[str, str]] = {
    "INTEGER": "INT", "BOOL": "BOOLEAN", "NUMERIC": "DECIMAL", "DOUBLE PRECISION": "DOUBLE",
    "INTEGER UNSIGNED": "INT UNSIGNED",
}  # fmt: skip
_ALLOWED: Final = (
    "TINYINT, SMALLINT, MEDIUMINT, INT, BIGINT (INT and BIGINT also UNSIGNED), DECIMAL(digits,scale), DOUBLE, BOOLEAN, "
    "VARCHAR(n), TINYTEXT, TEXT, MEDIUMTEXT, LONGTEXT, VARBINARY(n), TINYBLOB, BLOB, MEDIUMBLOB, LONGBLOB, JSON, DATE, "
    "DATETIME(digits)"
)
_SHAPE: Final = re.compile(r"([A-Z][A-Z ]*?)\s*(?:\(\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?\))?", re.ASCII)
_WHY_NOT: Final[dict[str, str]] = {
    "TIMESTAMP": "it depends on the session's time zone and ends in 2038; take DATETIME(6)",
    "CHAR": "it loses trailing spaces; take VARCHAR",
    "BINARY": "it pads with zero bytes; take VARBINARY",
    "FLOAT": "it keeps 6 digits; take DOUBLE or DECIMAL",
}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A MySQL type: `length` is characters, bytes, digits or digits of a second, whichever the type counts.

    `source` tells what a date is read from; None reads text as ISO-8601 and numbers as epoch seconds.
    """

    name: str
    length: int | None = None
    scale: int | None = None
    source: Source | None = None


def parse_type(text: str, source: str | None = None) -> ColumnType:
    """Read the type of an override. Raises ValueError that says what is wrong and what is allowed."""
    found = _SHAPE.fullmatch(text.strip().upper())
    name = " ".join(found[1].split()) if found else ""
    name = _SYNONYMS.get(name, name)
    if found is None or not _known(name):
        why = _WHY_NOT.get(name)
        raise ValueError(f"type {text!r} is not taken: {why}" if why else f"unknown type {text!r}; allowed: {_ALLOWED}")
    numbers = tuple(int(part) for part in (found[2], found[3]) if part is not None)
    length, scale = _check_numbers(text, name, numbers)
    if source is not None and source not in SOURCES:
        raise ValueError(f"unknown `from` {source!r}; allowed: {', '.join(SOURCES)}")
    if source is not None and name not in ("DATE", "DATETIME"):
        raise ValueError(f"`from` is for DATE and DATETIME, not for {text!r}")
    chosen: Source | None = next((known for known in SOURCES if known == source), None)
    return ColumnType(name, length, scale, chosen)


def _known(name: str) -> bool:
    others = ("DECIMAL", "DOUBLE", "BOOLEAN", "VARCHAR", "VARBINARY", "JSON", "DATE", "DATETIME")
    return name in INTEGER_RANGES or name in TEXT_BYTES_MAX or name in BLOB_BYTES_MAX or name in others


def _check_numbers(text: str, name: str, numbers: tuple[int, ...]) -> tuple[int | None, int | None]:
    """(length, scale) of a type whose parentheses hold `numbers`. Raises ValueError."""
    if name == "DECIMAL":
        digits, scale = (*numbers, 10, 0)[:2] if not numbers else (*numbers, 0)[:2]
        if not (1 <= digits <= DECIMAL_DIGITS_MAX and scale <= min(digits, DECIMAL_SCALE_MAX)):
            raise ValueError(
                f"type {text!r}: DECIMAL takes 1 to {DECIMAL_DIGITS_MAX} digits, of which up to {DECIMAL_SCALE_MAX} "
                "stand behind the point"
            )
        return digits, scale
    limits = {
        "VARCHAR": (1, VARCHAR_CHARACTERS_MAX, "longer text: MEDIUMTEXT"),
        "VARBINARY": (1, VARBINARY_BYTES_MAX, "longer binary: MEDIUMBLOB"),
        "DATETIME": (0, SECOND_DIGITS_MAX, "digits of a second"),
    }
    if name == "DATETIME" and not numbers:
        return 0, None
    if name in limits:
        low, high, hint = limits[name]
        if len(numbers) != 1 or not low <= numbers[0] <= high:
            raise ValueError(f"type {text!r}: write {name}(n) with n from {low} to {high} ({hint})")
        return numbers[0], None
    if numbers:
        raise ValueError(f"type {text!r}: {name} takes no length")
    return None, None


def render(ct: ColumnType, flavour: Flavour) -> str:
    """Return the type as DDL; text says its character set and collation, so that no server default bends it.

    JSON takes neither on MySQL; on MariaDB it is LONGTEXT with a json_valid check, in utf8mb4_bin, which pads, unless
    the collation (but no character set) is said: measured on 10.11.
    """
    text = ct.name
    if ct.name == "DECIMAL":
        text = f"DECIMAL({ct.length},{ct.scale})"
    elif ct.name in ("VARCHAR", "VARBINARY", "CHAR") or (ct.name == "DATETIME" and ct.length):
        text = f"{ct.name}({ct.length})"
    if ct.name == "JSON" and flavour == "mariadb":
        text += f" COLLATE {COLLATION[flavour]}"
    if ct.name in ("VARCHAR", "CHAR") or ct.name in TEXT_BYTES_MAX:
        text += f" CHARACTER SET utf8mb4 COLLATE {COLLATION[flavour]}"
    return text


def plain(ct: ColumnType) -> str:
    """The type as a person writes it, without character set and collation."""
    return render(ct, "mysql").partition(" CHARACTER SET")[0]


IN_ROW_TEXT_BYTES: Final = 41
"""InnoDB (DYNAMIC) keeps up to 40 bytes of a long column in the row, and a byte of length."""
LONG_COLUMN_BYTES_MIN: Final = 256
"""Columns that may be this long can be moved out of the row; shorter ones never are."""
_DECIMAL_LEFTOVER_BYTES: Final = (0, 1, 1, 2, 2, 3, 3, 4, 4)


def row_bytes(ct: ColumnType) -> int:
    """Return the most bytes that a value of this type takes inside an InnoDB row."""
    fixed = _fixed_bytes(ct)
    if fixed is not None:
        return fixed
    if ct.name in ("VARCHAR", "CHAR", "VARBINARY"):
        bytes_max = (ct.length or 0) * (1 if ct.name == "VARBINARY" else BYTES_A_CHARACTER)
        return bytes_max + 1 if bytes_max < LONG_COLUMN_BYTES_MIN else IN_ROW_TEXT_BYTES + 1
    return IN_ROW_TEXT_BYTES


def record_bytes(ct: ColumnType) -> int:
    """Return the bytes of this type that the server counts against its 65,535 a row."""
    fixed = _fixed_bytes(ct)
    if fixed is not None:
        return fixed
    if ct.name in ("VARCHAR", "CHAR", "VARBINARY"):
        return (ct.length or 0) * (1 if ct.name == "VARBINARY" else BYTES_A_CHARACTER) + 2
    # A pointer of 8 bytes and at most 4 of length (MySQL manual: "BLOB and TEXT … 9 to 12 bytes").
    return 12


def _fixed_bytes(ct: ColumnType) -> int | None:
    if ct.name in INTEGER_BYTES:
        return INTEGER_BYTES[ct.name]
    if ct.name == "DECIMAL":
        digits, scale = ct.length or 0, ct.scale or 0
        return sum(part // 9 * 4 + _DECIMAL_LEFTOVER_BYTES[part % 9] for part in (digits - scale, scale))
    if ct.name == "DATETIME":
        return 5 + ((ct.length or 0) + 1) // 2
    return {"DOUBLE": 8, "BOOLEAN": 1, "DATE": 3}.get(ct.name)
