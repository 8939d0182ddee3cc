"""A change of columns of a copy that is there: the walk over its rows, and the moment in which the columns change.

Everything happens inside MySQL, beside the other work of the table. Rows keep their ids. A kill at any moment leaves a
state from which the next start goes on: the position is written with the rows, and a single ALTER makes the change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from twinrow import clock
from twinrow.errors import Reason, SchemaBusy, SchemaMoved, TransactionRetry, Transient, reason_of
from twinrow.failpoint import fail_point
from twinrow.mysql import MySQLError
from twinrow.schema.naming import quote
from twinrow.schema.reshape import after, dropped
from twinrow.schema.sql_type import plain
from twinrow.schema.table import Column, Reshape, TableSchema, to_json
from twinrow.sink import reshaping, statements
from twinrow.state import checkpoint, lease, mixed, schema_log, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.table import live_schema
from twinrow.table.context import TableContext
from twinrow.write import reshape_rows
from twinrow.write.cells import EXTRA_BYTES_A_STEP_MAX, LOCK_RETRY_S, bounded

PART: Final = "reshape"
"""The checkpoint that keeps the highest id of the rows that are filled."""
GIVEN_UP: Final = "given up"
"""In its place: the working columns are being dropped."""
ROWS_A_STEP: Final = 1_000
"""Rows filled under one lock: some 0.2 s on a near server, in which no other row of the table is written."""


class Reshaping:
    """Works off the change of columns of a table, a piece at a step."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._walked_to: int | None = None
        self._try_at = 0.0
        self.trouble = Reason()

    @property
    def settled(self) -> bool:
        """Whether no change is under way."""
        return self._context.live.rest.reshape is None

    def step(self) -> bool:
        """Do a piece; whether there was anything to do. A table without a change costs no query."""
        if self.settled or self._context.state.first_copy or clock.monotonic() < self._try_at:
            return False
        try:
            return self._walk()
        except SchemaMoved:
            self._context.live.load()
            return True
        except TransactionRetry:  # a deadlock, or a lock that somebody holds: the rows can wait
            self._try_at = clock.monotonic() + LOCK_RETRY_S
            return False

    def _walk(self) -> bool:
        context, session = self._context, self._context.tenure.open_writer()
        if self._walked_to is None:
            known = checkpoint.load(session, context.name, PART).get(PART)
            self._walked_to = int(known.position or 0) if known is not None else 0
        found = session.query(
            f"SELECT row_id, COALESCE(LENGTH(`_twinrow_extra`), 0) FROM {quote(context.live.rest.into)} "
            f"WHERE row_id > %s ORDER BY row_id LIMIT {ROWS_A_STEP}",
            (self._walked_to,),
        )
        if not found:
            return self._finish()
        chosen = bounded(found, EXTRA_BYTES_A_STEP_MAX)
        with context.tenure.row_transaction(context.live.version) as (tx, locked):
            reshape_rows.fill_ids(tx, context, chosen)
            fail_point("after-reshape-rows")
            checkpoint.save(tx, context.name, {PART: Checkpoint(str(chosen[-1]))})
            lease.leave(tx, context.tenure.lease, locked, rows_delta=0)
        context.tenure.committed(locked.generation)
        self._walked_to = chosen[-1]
        self.trouble = Reason(f"columns are changed: rows up to id {self._walked_to:,} are through")
        return True

    def _finish(self) -> bool:
        try:
            finish(self._context)
        except (SchemaBusy, Transient) as trouble:
            self.trouble = reason_of(trouble)
        except MySQLError as error:  # for example a generated column of a person's own that needs the old column
            self.trouble = Reason(f"the columns cannot be changed: {error.what}")
        else:
            self.trouble, self._walked_to = Reason(), None
            return True
        self._try_at = clock.monotonic() + live_schema.DDL_RETRY_S
        return False


def begin(context: TableContext, schema: TableSchema, reshape: Reshape) -> None:
    """Add the working columns to the table. The caller writes in a transaction that they count."""
    with context.live.ddl_session() as session:
        lease.check(session, context.tenure.lease, context.live.version)
        reshaping.add(session, schema, reshape)
    fail_point("after-reshape-columns")


def finish(context: TableContext) -> None:
    """Every row is filled: put the new columns in the place of the old ones, and take their schema.

    Raises SchemaBusy, Transient, MySQLError where the ALTER cannot be had now.
    """
    schema = context.live.rest
    with context.live.ddl_session() as session:
        lease.check(session, context.tenure.lease, context.live.version)
        gone = [column.column for column in dropped(schema)]
        ours = [name for name in reshaping.indexes_with(session, schema.into, gone) if name.startswith("_twinrow_")]
        reshaping.swap(session, schema, ours)
        fail_point("after-reshape-swap")
        enter(context, schema)
    context.live.owe_key_index(owed=statements.KEY_INDEX in ours or context.live.owes_key_index)


def resume(context: TableContext) -> None:
    """Take up a change at a start: a killed run may have changed the columns, or given the change up, and not said so.

    Raises SchemaBusy while another session changes the table.
    """
    schema = context.live.rest
    if schema.reshape is None:
        return
    known = checkpoint.load(context.tenure.open_writer(), context.name, PART).get(PART)
    with context.live.ddl_session() as session:  # an ALTER of the former process may still be running
        if known is not None and known.position == GIVEN_UP:
            reshaping.clear(session, schema.into)
            _without(context, schema)
        elif reshaping.is_swapped(session, schema):
            enter(context, schema)


def give_up(context: TableContext) -> None:
    """Drop the working columns of a change that the settings do not ask for any more."""
    schema = context.live.rest
    if schema.reshape is None:
        return
    checkpoint.save(context.tenure.open_writer(), context.name, {PART: Checkpoint(GIVEN_UP)})
    with context.live.ddl_session() as session:
        lease.check(session, context.tenure.lease, context.live.version)
        reshaping.clear(session, schema.into)
        fail_point("after-reshape-given-up")
        _without(context, schema)


def _without(context: TableContext, schema: TableSchema) -> None:
    """No change of columns is under way any more."""
    bare = replace(schema, reshape=None, version=schema.version + 1)
    with context.tenure.transaction() as tx:
        tables.update(tx, context.name, table_schema=to_json(bare))
        lease.raise_schema_version(tx, context.tenure.lease, bare.version)
        checkpoint.forget(tx, context.name, PART)
    context.live.take(bare)


def enter(context: TableContext, schema: TableSchema) -> None:
    """The table has its new columns: rows are written under their schema from now on."""
    new = after(schema)
    with context.tenure.transaction() as tx:
        at = float(tx.query("SELECT UNIX_TIMESTAMP(NOW(6))")[0][0])
        schema_log.note(tx, context.name, _history(schema, new, at))
        tables.update(tx, context.name, table_schema=to_json(new))
        lease.raise_schema_version(tx, context.tenure.lease, new.version)
        checkpoint.forget(tx, context.name, PART)
        mixed.count_anew(tx, context.name, [column.attribute for column in (*_shadowed(schema), *dropped(schema))])
    context.state.note_cells(owed=True)  # values for which a new column is too narrow are noted in extra
    context.live.take(new)


def _shadowed(schema: TableSchema) -> list[Column]:
    return [shadow.column for shadow in schema.reshape.shadows] if schema.reshape is not None else []


def _history(before: TableSchema, new: TableSchema, at: float) -> list[schema_log.SchemaChange]:
    known = before.by_attribute
    changes = [
        schema_log.SchemaChange(
            new.version, column.attribute, column.column, plain(column.type), plain(known[column.attribute].type),
            "its setting was changed", at,
        )
        for column in _shadowed(before)
    ]  # fmt: skip
    left_out = set(before.reshape.left_out) if before.reshape is not None else set()
    changes += [
        schema_log.SchemaChange(new.version, column.attribute, column.column, "", plain(column.type), "ignored", at)
        for column in dropped(before)
        if column.attribute in left_out
    ]
    return changes
