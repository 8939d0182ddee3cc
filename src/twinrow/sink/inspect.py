"""The real state of MySQL: the copy's columns and indexes, from information_schema."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twinrow.errors import Transient
from twinrow.flavour import COLLATION, Flavour
from twinrow.mysql import Connection, MySQLError
from twinrow.mysql_error import NO_SUCH_TABLE
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import (
    BLOB_BYTES_MAX,
    BYTES_A_CHARACTER,
    INTEGER_RANGES,
    TEXT_BYTES_MAX,
    ColumnType,
)
from twinrow.schema.table import TableSchema

KEY_COLUMN = "_twinrow_key"
OURS = ("row_id", KEY_COLUMN, "_twinrow_extra", "_twinrow_updated_at", "_twinrow_deleted_at")

LOOKS_MAX = 200
LOOK_WAIT_S = 0.01


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column as information_schema tells it."""

    name: str
    column_type: str
    data_type: str
    length: int | None
    precision: int | None
    scale: int | None
    datetime_precision: int | None
    collation: str | None
    nullable: bool
    generated: bool

    @property
    def described(self) -> str:
        """The column in words."""
        return self.column_type.upper() + (" GENERATED" if self.generated else "" if self.nullable else " NOT NULL")

    def holds(self, ct: ColumnType, flavour: Flavour) -> bool:
        """Whether the column stores every value of `ct` as it is: it is of that type, or of a wider type."""
        if self.generated:
            return False
        if self.data_type.lower() == "double":  # DOUBLE(m,d) rounds
            return ct.name == "DOUBLE" and self.column_type.lower() == "double"
        return self.is_of(ct, flavour) or self._is_wider(ct)

    def _is_wider(self, ct: ColumnType) -> bool:
        ours, theirs = self._numbers(), _numbers(ct)
        if ours is not None and theirs is not None:
            (low, high, scale), (low_wanted, high_wanted, scale_wanted) = ours, theirs
            return low <= low_wanted and high_wanted <= high and scale_wanted <= scale
        name, length = self.data_type.upper(), self.length or 0
        if name == "DATETIME" == ct.name:
            return (self.datetime_precision or 0) >= (ct.length or 0)
        if name == "VARCHAR" == ct.name:
            return self._is_utf8mb4() and length >= (ct.length or 0)
        if name in TEXT_BYTES_MAX:
            wanted = TEXT_BYTES_MAX["MEDIUMTEXT"] if ct.name == "JSON" else _text_bytes(ct)
            return self._is_utf8mb4() and wanted is not None and TEXT_BYTES_MAX[name] >= wanted
        wanted = ct.length if ct.name == "VARBINARY" else BLOB_BYTES_MAX.get(ct.name)
        bytes_max = length if name == "VARBINARY" else BLOB_BYTES_MAX.get(name)
        return wanted is not None and bytes_max is not None and bytes_max >= wanted

    def _is_utf8mb4(self) -> bool:
        """Text of another character set loses characters; another collation compares otherwise, and stores the same."""
        return (self.collation or "").lower().startswith("utf8mb4_")

    def _numbers(self) -> tuple[int, int, int] | None:
        """The least and the highest whole number and the digits behind the point; None for what is no exact number."""
        unsigned = "unsigned" in self.column_type.lower()
        name = self.data_type.upper()
        if name == "DECIMAL":
            found = _numbers(ColumnType(name, self.precision, self.scale))
        else:
            found = (*INTEGER_RANGES[name], 0) if name in INTEGER_RANGES else None
        if found is None or not unsigned:
            return found
        low, high, scale = found
        return 0, high if name == "DECIMAL" else high - low, scale

    def is_of(self, ct: ColumnType, flavour: Flavour) -> bool:
        """Whether the column is of the very type that `render` makes of `ct`."""
        unsigned = " UNSIGNED" if "unsigned" in self.column_type.lower() else ""
        json = "JSON" if flavour == "mysql" else "LONGTEXT"
        wanted = {"BOOLEAN": "TINYINT", "JSON": json}.get(ct.name, ct.name)
        if self.data_type.upper() + unsigned != wanted:
            return False
        if wanted == "DECIMAL":
            return (self.precision, self.scale) == (ct.length, ct.scale)
        if wanted == "DATETIME":
            return self.datetime_precision == ct.length
        if wanted in ("VARCHAR", "VARBINARY") and self.length != ct.length:
            return False
        return self.collation in (None, COLLATION[flavour])


def _numbers(ct: ColumnType) -> tuple[int, int, int] | None:
    """See `FoundColumn._numbers`."""
    if ct.name == "BOOLEAN":
        return 0, 1, 0
    if ct.name == "DECIMAL":
        digits, scale = ct.length or 0, ct.scale or 0
        high = 10 ** (digits - scale) - 1
        return -high, high, scale
    return (*INTEGER_RANGES[ct.name], 0) if ct.name in INTEGER_RANGES else None


def _text_bytes(ct: ColumnType) -> int | None:
    return (ct.length or 0) * BYTES_A_CHARACTER if ct.name == "VARCHAR" else TEXT_BYTES_MAX.get(ct.name)


def look(connection: Connection, sql: str, table: str) -> list[tuple[Any, ...]]:
    """The rows of information_schema for a table (`%s`); empty when there is no such table. Raises Transient.

    To a session that holds a lock (GET_LOCK is one) MariaDB leaves out every table that an ALTER has locked right now.
    """
    for _ in range(LOOKS_MAX):
        found = connection.query(sql, (table,))
        if found or not _exists(connection, table):
            return found
        time.sleep(LOOK_WAIT_S)
    raise Transient("the MySQL table is being changed by another session", where=f"MySQL table {table}")


def _exists(connection: Connection, table: str) -> bool:
    """Whether there is such a table, waiting for its lock. Raises Transient when that takes too long."""
    try:
        connection.query(f"SELECT 1 FROM {quote(table)} LIMIT 0")
    except MySQLError as error:
        if error.code == NO_SUCH_TABLE:
            return False
        raise
    return True


def columns(connection: Connection, table: str) -> dict[str, FoundColumn]:
    """The columns of a table, by name; empty when there is none. Raises Transient while it is being changed."""
    found = look(
        connection,
        "SELECT column_name, column_type, data_type, character_maximum_length, numeric_precision, numeric_scale, "
        "datetime_precision, collation_name, is_nullable, COALESCE(generation_expression, '') "
        "FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
        table,
    )
    return {
        str(row[0]): FoundColumn(
            str(row[0]), str(row[1]), str(row[2]), row[3], row[4], row[5], row[6], row[7], row[8] == "YES", bool(row[9])
        )
        for row in found
    }


def is_ours(found: Mapping[str, FoundColumn]) -> bool:
    """Whether a table with these columns was made by Twinrow."""
    return KEY_COLUMN in found


def has_index(connection: Connection, table: str, name: str) -> bool:
    """Whether the table has an index of that name."""
    sql = (
        "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
        "AND table_name = %s"
    )
    return (name,) in look(connection, sql, table)


def columns_without_default(connection: Connection, schema: TableSchema) -> list[str]:
    """Columns that somebody added, which want a value of every INSERT."""
    ours = {*OURS, *(column.column for column in schema.columns)}
    found = connection.query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s "
        "AND is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%%GENERATED%%' "
        "AND extra NOT LIKE '%%auto_increment%%'",
        (schema.into,),
    )
    return [str(name) for (name,) in found if name not in ours]
