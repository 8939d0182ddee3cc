"""DDL on a live table: short lock waits, instant where it can be, and safe to run again after a kill."""

from __future__ import annotations

from collections.abc import Mapping

from twinrow.errors import SchemaBusy, Transient
from twinrow.failpoint import fail_point
from twinrow.flavour import Flavour
from twinrow.mysql import Connection, MySQLError
from twinrow.mysql_error import DUPLICATE_COLUMN
from twinrow.schema.column_type import render
from twinrow.schema.evolve import AddColumn, WidenColumn
from twinrow.schema.table import Column, TableSchema
from twinrow.sink import inspect, statements
from twinrow.sink.inspect import FoundColumn

LOCK_TRIES_MAX = 5
NO_INSTANT_CODES = frozenset({1845, 1846, 4092, 4157, 1235})
"""ALGORITHM=INSTANT cannot be had: row format, no row version left (64, on 9.x 254), row too large, unsupported."""
NO_ROOM_CODES = frozenset({1117, 1118})
"""Too many columns, too large a row: users have added some of their own."""
TABLE_EXISTS = 1050
DUPLICATE_INDEX = 1061


class NeedsRebuild(Transient):
    """The ALTER wants a person: it would rebuild too large a table, or has no room. Values stay in extra meanwhile."""


def create(connection: Connection, schema: TableSchema) -> None:
    """Make the table. Raises MySQLError 1050 when a table of that name is there already."""
    connection.execute(statements.create_table(schema, connection.flavour))
    fail_point("after-ddl")


def create_if_absent(connection: Connection, schema: TableSchema) -> None:
    """Make the table of a schema that is registered already: a killed run may have made it."""
    try:
        create(connection, schema)
    except MySQLError as error:
        if error.code != TABLE_EXISTS:
            raise


def apply(
    connection: Connection, schema: TableSchema, steps: list[AddColumn | WidenColumn], *, may_rebuild: bool
) -> None:
    """Add and widen columns; what a killed run did already is passed over.

    Raises Transient when the table's lock cannot be had in LOCK_TRIES_MAX short waits, SchemaBusy when another session
    has taken a name meanwhile, NeedsRebuild when the server would have to rebuild and `may_rebuild` is false.
    """
    adds = not_there(connection, schema, [step.column for step in steps if isinstance(step, AddColumn)])
    widen = [step.after for step in steps if isinstance(step, WidenColumn)]
    if adds:
        _add(connection, schema, adds, may_rebuild=may_rebuild)
    if widen:
        if not may_rebuild:
            raise NeedsRebuild(
                "widening rebuilds the table",
                remedy=f"twinrow schema {schema.table} --apply",
                commands=(f"twinrow schema {schema.table} --apply",),
            )
        run(connection, statements.widen_columns(schema, widen, connection.flavour))
    fail_point("after-ddl")


def is_done(step: AddColumn | WidenColumn, found: Mapping[str, FoundColumn], flavour: Flavour) -> bool:
    """Whether the server's table, whose columns are `found`, has the column, of the type that was asked for."""
    wanted = step.column if isinstance(step, AddColumn) else step.after
    there = found.get(wanted.column)
    return there is not None and there.is_of(wanted.type, flavour)


def not_there(connection: Connection, schema: TableSchema, columns: list[Column]) -> list[Column]:
    """Those that the table lacks; a column of that name but another type is somebody else's."""
    found = inspect.columns(connection, schema.into)
    return [
        column
        for column in columns
        if column.column not in found or not found[column.column].is_of(column.type, connection.flavour)
    ]


def _add(connection: Connection, schema: TableSchema, adds: list[Column], *, may_rebuild: bool) -> None:
    try:
        _add_anyhow(connection, schema, adds, may_rebuild=may_rebuild)
    except MySQLError as error:
        if error.code == DUPLICATE_COLUMN:
            _only_if_all_are_there(connection, schema, adds, error)
            return
        if error.code not in NO_ROOM_CODES:
            raise
        raise NeedsRebuild(
            "the MySQL table has no room for another column",
            remedy=f"drop columns of your own from `{schema.into}`, or make them smaller",
        ) from error


def _only_if_all_are_there(connection: Connection, schema: TableSchema, adds: list[Column], error: MySQLError) -> None:
    """An ALTER that was sent again had been done; else another session took a name, and the ALTER did nothing."""
    if not_there(connection, schema, adds):
        raise SchemaBusy(
            f"another session has added a column: {error.what}", where=f"MySQL table {schema.into}"
        ) from error


def _add_anyhow(connection: Connection, schema: TableSchema, adds: list[Column], *, may_rebuild: bool) -> None:
    try:
        run(connection, statements.add_columns(schema, adds, connection.flavour, instant=True))
    except MySQLError as error:
        if error.code not in NO_INSTANT_CODES:
            raise
        if not may_rebuild:
            raise NeedsRebuild(
                "adding a column rebuilds the table",
                remedy=f"twinrow schema {schema.table} --apply",
                commands=(f"twinrow schema {schema.table} --apply",),
            ) from error
        run(connection, statements.add_columns(schema, adds, connection.flavour, instant=False))


def run(connection: Connection, sql: str, tries_max: int = LOCK_TRIES_MAX) -> None:
    """Run an ALTER; raises Transient when the table's lock cannot be had in so many short waits, else MySQLError."""
    for tried in range(tries_max):
        try:
            connection.execute(sql)
        except Transient:
            if tried + 1 == tries_max or not connection.open:
                raise
        else:
            return


def add_key_index(connection: Connection, schema: TableSchema) -> None:
    """The index on the readable key columns, built after the first copy. Raises TransactionRetry without its lock.

    Nothing hangs on it: it is tried once, and again later, since all readers queue behind an ALTER that waits.
    """
    _add_index(connection, schema, statements.KEY_INDEX, statements.key_index(schema))


def add_index(connection: Connection, schema: TableSchema, name: str, column: str) -> None:
    """The same for an ordinary index on a column."""
    chosen = [known for known in schema.columns if known.column == column]
    _add_index(connection, schema, name, statements.index_on(schema, name, chosen))


def _add_index(connection: Connection, schema: TableSchema, name: str, sql: str) -> None:
    if not sql or inspect.has_index(connection, schema.into, name):
        return
    try:
        run(connection, sql, tries_max=1)
    except MySQLError as error:
        if error.code != DUPLICATE_INDEX:
            raise


def describe(step: AddColumn | WidenColumn, connection: Connection) -> tuple[str, str, str, str]:
    """(attribute, column, type, type before) of a step, for the schema's history."""
    if isinstance(step, AddColumn):
        return step.column.attribute, step.column.column, render(step.column.type, connection.flavour), ""
    return (
        step.after.attribute, step.after.column, render(step.after.type, connection.flavour),
        render(step.before.type, connection.flavour),
    )  # fmt: skip
