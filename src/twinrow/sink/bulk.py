"""LOAD DATA LOCAL from memory: two to three times faster than INSERT, with every value as exact, or not at all.

The server bends what does not fit and skips duplicates with no more than a warning, so a single warning undoes the
load and the caller writes the slow way. Bytes travel as hex: as they are they would be taken for text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from twinrow.mysql import Connection, MySQLError
from twinrow.schema.load_text import NULL, LineRow, WritableRow, cell_text, quoted
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import BLOB_BYTES_MAX
from twinrow.schema.table import TableSchema
from twinrow.sink.alone import undo

ROWS_MIN: Final = 40
"""Below this one multi-row INSERT is faster: a load takes a round trip more."""
LOAD_BYTES_MAX: Final = 16_000_000
SAVEPOINT: Final = "twinrow_load"
FORMAT: Final = (
    "CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\\t' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY '' "
    "LINES TERMINATED BY '\\n'"
)
"""The form that `schema.load_text` writes."""


def can_load(connection: Connection, rows: int) -> bool:
    """Whether this server takes LOAD DATA LOCAL, and so many rows are worth it."""
    return connection.local_infile and rows >= ROWS_MIN


def text_of(rows: Iterable[WritableRow]) -> str:
    """The rows in the form that `FORMAT` describes: fingerprint, cells, extra.

    The csv module would take three times as long: it looks at every character.
    """
    lines = []
    for row in rows:
        if isinstance(row, LineRow):
            lines.append(row.line)
            continue
        cells = [
            quoted(value) if type(value) is str else NULL if value is None else cell_text(value) for value in row.values
        ]
        extra = NULL if row.extra is None else quoted(row.extra)
        lines.append("\t".join((row.key.hex(), *cells, extra)) + "\n")
    return "".join(lines)


@lru_cache(maxsize=64)
def load_sql(schema: TableSchema, into: str, *, with_row_id: bool = False) -> str:
    names, sets = [*(["`row_id`"] if with_row_id else []), "@h"], ["`_twinrow_key` = UNHEX(@h)"]
    for number, column in enumerate(schema.columns):
        if column.type.name == "VARBINARY" or column.type.name in BLOB_BYTES_MAX:
            names.append(f"@b{number}")
            sets.append(f"{quote(column.column)} = UNHEX(@b{number})")
        else:
            names.append(quote(column.column))
    listed = ", ".join([*names, "`_twinrow_extra`"])
    return f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {quote(into)} {FORMAT} ({listed}) SET {', '.join(sets)}"


def insert_new(tx: Connection, schema: TableSchema, rows: Sequence[WritableRow]) -> bool:
    """Load rows that nobody has written yet; False, and nothing is written, when a row is not taken as it is."""
    return load(tx, load_sql(schema, schema.into), text_of(rows).encode(), len(rows))


def insert_placed(tx: Connection, schema: TableSchema, rows: Sequence[WritableRow], ids: Mapping[bytes, int]) -> bool:
    """The same for rows whose ids are given."""
    data = "".join(f"{ids[row.key]}\t{text_of([row])}" for row in rows).encode()
    return load(tx, load_sql(schema, schema.into, with_row_id=True), data, len(rows))


def load_text(tx: Connection, schema: TableSchema, data: bytes, rows: int) -> bool:
    """`insert_new` for rows that are text already; where the table gives no ids, each stands behind its id."""
    return load(tx, load_sql(schema, schema.into, with_row_id=not schema.numbers_rows), data, rows)


def load(tx: Connection, sql: str, data: bytes, rows: int) -> bool:
    """Run a LOAD DATA of so many rows; False, and nothing is written, when a row is not taken as it is."""
    if len(data) > LOAD_BYTES_MAX:
        return False
    tx.execute(f"SAVEPOINT {SAVEPOINT}")
    try:
        affected, warnings = tx.load(sql, data)
    except MySQLError as error:
        undo(tx, SAVEPOINT, error)
        return False  # the slow way tells which row it is, and whose fault
    if affected == rows and not warnings:
        return True
    tx.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
    return False
