"""Columns of the copy that somebody has changed by hand, so that rows no longer fit: the table stops, rows stay."""

from __future__ import annotations

from collections.abc import Mapping

from twinrow.errors import Broken
from twinrow.flavour import Flavour
from twinrow.mysql import Connection
from twinrow.schema.naming import quote
from twinrow.schema.sql_type import ColumnType, render
from twinrow.schema.table import TableSchema
from twinrow.sink import inspect, statements
from twinrow.sink.inspect import FoundColumn

OURS_HOLD = {"_twinrow_extra": ColumnType("MEDIUMTEXT"), "_twinrow_deleted_at": ColumnType("DATETIME", 0)}
"""The least that Twinrow's own columns must hold: an item has up to 400 KB, several times that as JSON."""


def stop_changed(connection: Connection, schema: TableSchema, *, nulls: bool = False) -> None:
    """Raise Broken when the table is gone, lacks a column, or has a column that holds less than the schema notes.

    `nulls`: whether a column must take NULL, too. The key column of a table that somebody has partitioned takes no
    NULL, which harms no row until an item has no value for it.
    """
    found = inspect.columns(connection, schema.into)
    if not found:
        raise _gone(schema)
    for name in (*inspect.OURS, *(column.column for column in schema.columns)):
        if name not in found:
            raise lacks_column(schema.table, name)
    changed = changed_columns(found, schema, connection.flavour, nulls=nulls)
    if changed:
        raise _holds_less(schema, found, changed, connection.flavour)


def stop_unfit(connection: Connection, schema: TableSchema) -> None:
    """As `stop_changed`; raises Broken also for a column of somebody's own that wants a value of every row."""
    stop_changed(connection, schema)
    wanting = inspect.columns_without_default(connection, schema)
    if wanting:
        raise wants_a_value(schema.table, wanting[0])


def changed_columns(
    found: Mapping[str, FoundColumn], schema: TableSchema, flavour: Flavour, *, nulls: bool
) -> dict[str, str]:
    """The definition that each column should have which does not hold every value that the schema notes."""
    wanted = {column.column: (column.type, statements.column_definition(column, flavour)) for column in schema.columns}
    ours = statements.own_definitions(flavour)
    wanted |= {name: (ct, ours[name]) for name, ct in OURS_HOLD.items()}
    return {
        name: text
        for name, (ct, text) in wanted.items()
        if not found[name].holds(ct, flavour) or (nulls and not found[name].nullable)
    }


def _gone(schema: TableSchema) -> Broken:
    return Broken(
        "the MySQL table is gone", where=f"table {schema.table}",
        remedy=f"restore `{schema.into}`, or `twinrow reset {schema.table} --yes` and copy it anew",
        commands=(f"twinrow reset {schema.table} --yes",),
    )  # fmt: skip


def lacks_column(table: str, column: str) -> Broken:
    """The error for a column that somebody dropped; no ALTER brings back the values of a column of Twinrow's own."""
    if column in inspect.OURS:
        return Broken(
            f"the MySQL table lacks the column {column!r}", where=f"table {table}",
            remedy=f"it is Twinrow's own and cannot be added again: twinrow reset {table} --yes, then twinrow sync "
            "--adopt-links", commands=(f"twinrow reset {table} --yes",),
        )  # fmt: skip
    return Broken(
        f"the MySQL table lacks the column {column!r}", where=f"table {table}",
        remedy=f"twinrow schema {table} --apply adds it again", commands=(f"twinrow schema {table} --apply",),
    )  # fmt: skip


def wants_a_value(table: str, column: str) -> Broken:
    """The error for a column that somebody added, NOT NULL and without a default: no row can be made any more."""
    return Broken(
        f"the column {column!r} that somebody added takes no NULL and has no default", where=f"table {table}",
        remedy=f"give it a DEFAULT, or let it be NULL; then start `twinrow sync {table}` again",
        commands=(f"twinrow sync {table}",),
    )  # fmt: skip


def _holds_less(
    schema: TableSchema, found: Mapping[str, FoundColumn], changed: Mapping[str, str], flavour: Flavour
) -> Broken:
    """The error for columns that somebody narrowed or made others."""
    types = {column.column: column.type for column in schema.columns} | OURS_HOLD
    listed = ", ".join(f"{name!r} is {found[name].described}, not {render(types[name], flavour)}" for name in changed)
    alter = f"ALTER TABLE {quote(schema.into)} {', '.join(f'MODIFY COLUMN {text}' for text in changed.values())}"
    again, repair = f"twinrow sync {schema.table}", f"twinrow repair {schema.table} --execute"
    return Broken(
        f"somebody has changed columns, which no longer hold every value: {listed}", where=f"table {schema.table}",
        remedy=f"run {alter}; then {again}, and {repair} for the values that the change has cut",
        commands=(again, repair),
    )  # fmt: skip
