"""Rows in the form that LOAD DATA takes: one line a row, of its fingerprint, cells and extra.

Text is always quoted, with its quotes doubled, so a bare NULL is NULL and nothing else needs to be escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from twinrow.flavour import SqlValue
from twinrow.schema.row import FINGERPRINT_BYTES, Row
from twinrow.schema.sql_type import BLOB_BYTES_MAX, INTEGER_RANGES
from twinrow.schema.table import Column

NULL: Final = "NULL"


@dataclass(frozen=True, slots=True)
class LoadText:
    """A page's rows as LOAD DATA takes them, made under one version of the schema; `keys` are their fingerprints.

    `in_extra`: rows of which some value stands exactly only in extra.
    """

    schema_version: int
    keys: bytes
    data: bytes
    in_extra: int

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.keys) // FINGERPRINT_BYTES

    @property
    def size(self) -> int:
        """The bytes of the rows."""
        return len(self.data)

    def fingerprints(self) -> list[bytes]:
        """The lines of the rows, row by row."""
        return [self.keys[at : at + FINGERPRINT_BYTES] for at in range(0, len(self.keys), FINGERPRINT_BYTES)]


def joined(texts: Sequence[LoadText]) -> LoadText:
    """The rows of some pages, made under one version of the schema, as one text."""
    if len(texts) == 1:
        return texts[0]
    version = texts[0].schema_version
    keys, data = b"".join(text.keys for text in texts), b"".join(text.data for text in texts)
    return LoadText(version, keys, data, sum(text.in_extra for text in texts))


class LineRow(msgspec.Struct, frozen=True, gc=False):
    """A row as its line; its cells are made of the item's JSON only where they are asked for."""

    key: bytes
    line: str
    extra: str | None
    item: msgspec.Raw
    to_row: Callable[[msgspec.Raw], Row]

    @property
    def values(self) -> tuple[SqlValue, ...]:
        """The cells in the order of the schema's columns."""
        return self.to_row(self.item).values

    @property
    def unshown(self) -> tuple[str, ...]:
        """None: a page that fits the schema has no value of another type than its column."""
        return ()


WritableRow = Row | LineRow


def is_bare(column: Column) -> bool:
    """Whether the column's cells stand without quotes: numbers, and bytes as hexadecimal digits."""
    name = column.type.name
    return name in INTEGER_RANGES or name in BLOB_BYTES_MAX or name in ("DECIMAL", "DOUBLE", "BOOLEAN", "VARBINARY")


def cell_text(value: SqlValue) -> str:
    """A cell without its quotes: bytes as hex, numbers without an exponent where they are exact."""
    if type(value) is str:
        return value
    if type(value) is Decimal:
        return format(value, "f")
    return value.hex() if isinstance(value, bytes) else repr(value)


def quoted(text: str) -> str:
    """A text between quotes, its own doubled."""
    return '"' + text.replace('"', '""') + '"'


def lines(
    keys: Sequence[str],
    columns: Sequence[tuple[Column, Sequence[str | None]]],
    extras: Sequence[str | None] | None,
) -> list[str]:
    """The rows of a page, from the fingerprints in hexadecimal and the texts of the cells by column."""
    parts: list[Sequence[str]] = [keys]
    places = ["%s"]
    for column, texts in columns:
        part, place = _bare(texts) if is_bare(column) else _quoted(texts)
        parts.append(part)
        places.append(place)
    if extras is None:
        places.append(NULL)
    else:
        part, place = _quoted(extras)
        parts.append(part)
        places.append(place)
    line = "\t".join(places) + "\n"
    return [line % cells for cells in zip(*parts, strict=True)]


def _bare(texts: Sequence[str | None]) -> tuple[Sequence[str], str]:
    return [NULL if text is None else text for text in texts], "%s"


def _quoted(texts: Sequence[str | None]) -> tuple[Sequence[str], str]:
    """The cells, and the place that they take in a line: the quotes stand there when every cell has some."""
    if None in texts:
        return [NULL if text is None else quoted(text) for text in texts], "%s"
    known: list[str] = [text for text in texts if text is not None]
    together = "\0".join(known)
    if '"' in together:
        if together.count("\0") == len(known) - 1:
            known = together.replace('"', '""').split("\0")
        else:
            known = [text.replace('"', '""') for text in known]
    return known, '"%s"'
