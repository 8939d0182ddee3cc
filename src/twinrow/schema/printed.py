"""A row as the server prints it, cell by cell: what a digest made by the server of a stored row is compared with.

Equal digests mean equal cells. The reverse does not hold: a server prints some values in a way of its own (a double, a
JSON text with odd numbers), so rows with unequal digests are compared by their values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from twinrow.flavour import Flavour
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import BLOB_BYTES_MAX, ColumnType
from twinrow.schema.table import TableSchema

DIGEST_HEX: Final = 32
"""128 bits of SHA-256: chance makes two rows equal no more than it does two fingerprints."""
_NOTHING: Final = "-"

Printer = Callable[[Any], str]


def digest_sql(schema: TableSchema, flavour: Flavour) -> str:
    """The SQL expression that digests a stored row: its columns in the schema's order, then extra."""
    texts = [_sql(quote(column.column), column.type, flavour) for column in schema.columns]
    parts = ", ".join(
        f"IFNULL(CONCAT(LENGTH({text}), ':', {text}), '{_NOTHING}')" for text in [*texts, "_twinrow_extra"]
    )
    return f"LEFT(SHA2(CONCAT({parts}), 256), {DIGEST_HEX})"


def _is_binary(kind: ColumnType) -> bool:
    return kind.name == "VARBINARY" or kind.name in BLOB_BYTES_MAX


def _sql(name: str, kind: ColumnType, flavour: Flavour) -> str:
    if _is_binary(kind):
        return f"HEX({name})"
    return f"CAST({name} AS CHAR)" if kind.name == "JSON" and flavour == "mysql" else name


def page_digests(columns: Sequence[Sequence[str | None]], extras: Sequence[str | None] | None, rows: int) -> list[str]:
    """The digests that the server makes of a page's rows, once stored; from their cells' printed texts by column."""
    parts = [_all_prefixed(texts) for texts in columns]
    parts.append([_NOTHING] * rows if extras is None else _all_prefixed(extras))
    return [sha256("".join(row).encode()).hexdigest()[:DIGEST_HEX] for row in zip(*parts, strict=True)]


def _all_prefixed(texts: Sequence[str | None]) -> list[str]:
    try:
        if "".join(texts).isascii():  # type: ignore[arg-type]
            return [f"{len(text)}:{text}" for text in texts]  # type: ignore[arg-type]
    except TypeError:
        pass  # some are NULL
    return [_NOTHING if text is None else _prefixed(text) for text in texts]


def _prefixed(text: str) -> str:
    """With its length in bytes before it, so that no two rows of cells give one text."""
    return f"{len(text) if text.isascii() else len(text.encode())}:{text}"


def printer(kind: ColumnType, flavour: Flavour) -> Printer:
    """The function that prints a cell of this type, NULL excepted."""
    if _is_binary(kind):
        return lambda value: str(value.hex().upper())
    if kind.name == "DECIMAL":
        pattern = f".{kind.scale or 0}f"
        return lambda value: format(value, pattern)
    return _json_of_mysql if kind.name == "JSON" and flavour == "mysql" else str


def _json_of_mysql(text: str) -> str:
    """A JSON text in MySQL's own form: white space behind commas and colons, shorter keys first."""
    return _spaced(msgspec.json.decode(text))


def _spaced(value: Any) -> str:
    if isinstance(value, dict):
        named = sorted((len(raw), raw, name) for name in value for raw in (name.encode(),))
        return "{" + ", ".join([f"{_scalar(name)}: {_spaced(value[name])}" for _, _, name in named]) + "}"
    if isinstance(value, list):
        return "[" + ", ".join([_spaced(member) for member in value]) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    return msgspec.json.encode(value).decode()
