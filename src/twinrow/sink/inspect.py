"""What is really in MySQL: the copy's columns and indexes, from information_schema."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twinrow.errors import Broken, Transient
from twinrow.flavour import COLLATION, Flavour
from twinrow.mysql import Connection, MySQLError
from twinrow.mysql_error import NO_SUCH_TABLE
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import ColumnType
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


def look(connection: Connection, sql: str, table: str) -> list[tuple[Any, ...]]:
    """What information_schema tells of a table (`%s`); empty when there is no such table. Raises Transient.

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
        "datetime_precision, collation_name FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND table_name = %s",
        table,
    )
    return {str(row[0]): FoundColumn(str(row[0]), str(row[1]), str(row[2]), *row[3:]) for row in found}


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
    ours = {*OURS, *(one.column for one in schema.columns)}
    found = connection.query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s "
        "AND is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%%GENERATED%%' "
        "AND extra NOT LIKE '%%auto_increment%%'",
        (schema.into,),
    )
    return [str(name) for (name,) in found if name not in ours]


def missing_columns(connection: Connection, schema: TableSchema) -> list[str]:
    """Columns of the schema (and ours) that the MySQL table lacks. Raises Broken when the table is gone."""
    found = columns(connection, schema.into)
    if not found:
        raise Broken(
            "the MySQL table is gone", where=f"table {schema.table}",
            remedy=f"restore `{schema.into}`, or `twinrow reset {schema.table} --yes` and copy it anew",
            commands=(f"twinrow reset {schema.table} --yes",),
        )  # fmt: skip
    return [name for name in (*OURS, *(one.column for one in schema.columns)) if name not in found]
