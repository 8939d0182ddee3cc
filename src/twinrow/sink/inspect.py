"""What is really in MySQL: the copy's columns and indexes, from information_schema."""

from __future__ import annotations

from dataclasses import dataclass

from twinrow.errors import Broken, StartRefused
from twinrow.mysql import Connection
from twinrow.schema.table import TableSchema

OURS = ("row_id", "_twinrow_key", "_twinrow_extra", "_twinrow_updated_at", "_twinrow_deleted_at")


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


def columns(connection: Connection, table: str) -> dict[str, FoundColumn]:
    """The columns of a table, by name; empty when there is no such table."""
    found = connection.query(
        "SELECT column_name, column_type, data_type, character_maximum_length, numeric_precision, numeric_scale, "
        "datetime_precision FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = %s",
        (table,),
    )
    return {str(row[0]): FoundColumn(str(row[0]), str(row[1]), str(row[2]), *row[3:]) for row in found}


def unique_indexes(connection: Connection, table: str) -> list[str]:
    """UNIQUE indexes that are not ours: an upsert would hit them and overwrite another item's row."""
    found = connection.query(
        "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() "
        "AND table_name = %s AND non_unique = 0 AND index_name NOT IN ('PRIMARY', '_twinrow_key')",
        (table,),
    )
    return [str(row[0]) for row in found]


def has_index(connection: Connection, table: str, name: str) -> bool:
    """Whether the table has an index of that name."""
    return bool(
        connection.query(
            "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = %s "
            "AND index_name = %s LIMIT 1",
            (table, name),
        )
    )


def refuse_unique_indexes(connection: Connection, table: str) -> None:
    """Raise StartRefused when somebody put a UNIQUE index of their own on the copy."""
    names = unique_indexes(connection, table)
    if names:
        raise StartRefused(
            f"has the UNIQUE index {names[0]!r} not made by Twinrow; an upsert would overwrite another item's row",
            where=f"MySQL table {table}", remedy=f"ALTER TABLE `{table}` DROP INDEX `{names[0]}` or make it not unique",
        )  # fmt: skip


def missing_columns(connection: Connection, schema: TableSchema) -> list[str]:
    """Columns of the schema (and ours) that the MySQL table lacks. Raises Broken when the table is gone."""
    found = columns(connection, schema.into)
    if not found:
        raise Broken(
            "the MySQL table is gone", where=f"table {schema.table}",
            remedy=f"restore `{schema.into}`, or `twinrow reset {schema.table} --yes` and copy it anew",
        )  # fmt: skip
    return [name for name in (*OURS, *(one.column for one in schema.columns)) if name not in found]
