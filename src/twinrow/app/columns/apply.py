"""`schema --apply` runs what a sync leaves to a person: rebuilds of large tables, and columns dropped by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from twinrow.errors import Reason
from twinrow.flavour import Flavour
from twinrow.mysql import Connection
from twinrow.schema.column_type import render
from twinrow.schema.evolve import AddColumn, Evolution, WidenColumn, evolve, wanted_by
from twinrow.schema.naming import quote
from twinrow.schema.table import Column, TableSchema
from twinrow.sink import by_hand, ddl, inspect, statements
from twinrow.state import deferred, gap, lease
from twinrow.sync.start import steps_between
from twinrow.table.context import TableContext
from twinrow.write.cells import PutOff

ROWS_A_PAGE = 500
COLUMN_DROPPED = "COLUMN_DROPPED"


def pending(connection: Connection, schema: TableSchema, lost: list[AddColumn]) -> Evolution:
    """The steps that values in extra ask for; reads every row that has an extra, page by page.

    `lost` columns are not there to be read. Columns that users have added keep their names, except for a column that
    is just what is to be added: gh-ost has run the statements of `statements_of`.
    """
    gone = {step.column for step in lost}
    there = replace(schema, columns=tuple(column for column in schema.columns if column not in gone))
    grown = _grown(connection, schema, there, frozenset())
    known = {*inspect.OURS, *(column.column for column in schema.columns)}
    lacking = {column.column for column in ddl.not_there(connection, schema, list(grown.columns))}
    done = {column.column for column in grown.columns} - lacking
    theirs = frozenset(inspect.columns(connection, schema.into)) - done - known
    if theirs:
        grown = _grown(connection, schema, there, theirs)
    return Evolution(grown, steps_between(schema, grown, "values waited for it in extra"))


def _grown(connection: Connection, schema: TableSchema, there: TableSchema, taken: frozenset[str]) -> TableSchema:
    for page in _rows_with_extra(connection, there):
        schema = evolve(schema, [json.loads(row[4]) for row in page], taken).schema
    return schema


def missing(connection: Connection, schema: TableSchema) -> list[AddColumn]:
    """Columns that somebody dropped. Raises Broken when one of ours is among them, which no ALTER brings back."""
    found = inspect.columns(connection, schema.into)
    ours = [name for name in inspect.OURS if name not in found]
    if ours:
        raise by_hand.lacks_column(schema.table, ours[0])
    return [AddColumn(column, "was dropped by hand") for column in schema.columns if column.column not in found]


def statements_of(
    schema: TableSchema, evolution: Evolution, lost: list[AddColumn], connection: Connection
) -> list[str]:
    """The DDL that `apply` runs, for whom wants to run it by gh-ost instead."""
    flavour = connection.flavour
    adds = [step.column for step in (*lost, *evolution.steps) if isinstance(step, AddColumn)]
    adds = ddl.not_there(connection, schema, adds)
    widens = [step.after for step in evolution.steps if isinstance(step, WidenColumn)]
    statements_wanted = [statements.add_columns(schema, adds, flavour, instant=False)] if adds else []
    return statements_wanted + ([statements.widen_columns(schema, widens, flavour)] if widens else [])


def apply(context: TableContext, schema: TableSchema, evolution: Evolution, lost: list[AddColumn]) -> int:
    """Run it under the lease; how many rows show values by now that waited in extra.

    Dropped columns come back empty: a gap is recorded, and the next sync's reconcile fills them. Raises Transient when
    the table's lock cannot be had.
    """
    session, table = context.tenure.open_writer(), context.name
    if lost:
        gap.record(session, table, COLUMN_DROPPED, at=session.now())
        ddl.apply(session, schema, list(lost), may_rebuild=True)
    if evolution.steps:
        with session.transaction() as tx:  # before the ALTER: a kill in between leaves the walk to the next sync
            lease.lock(tx, context.tenure.lease, None)
            why = Reason("asked for by twinrow schema --apply")
            deferred.note(tx, table, wanted_by(evolution.steps), {}, why, schema.entity)
        context.live.change(evolution, forced=True)
    cells = PutOff(context)
    while cells.step():
        pass
    return cells.rewritten


def described(evolution: Evolution, lost: list[AddColumn], connection: Connection) -> list[str]:
    """The steps in words."""
    lines = [f"add {step.column.column} again: {step.why}" for step in lost]
    for step in evolution.steps:
        if isinstance(step, WidenColumn):
            before, after = (render(column.type, connection.flavour) for column in (step.before, step.after))
            lines.append(f"widen {step.after.column} from {before} to {after}: {step.why}")
        else:
            lines.append(f"add {step.column.column} {render(step.column.type, connection.flavour)}: {step.why}")
    return lines


def plain_type(column: Column, flavour: Flavour) -> str:
    """A column's type without its character set and collation."""
    return render(column.type, flavour).partition(" CHARACTER SET")[0].partition(" COLLATE")[0]


def _rows_with_extra(connection: Connection, schema: TableSchema) -> Iterator[list[tuple[Any, ...]]]:
    after = 0
    where = f"`row_id` > %s AND `_twinrow_extra` IS NOT NULL ORDER BY `row_id` LIMIT {ROWS_A_PAGE}"
    sql = statements.select_rows(schema, where)
    while page := connection.query(sql, (after,)):
        yield page
        after = page[-1][0]


def columns_left_out(connection: Connection, schema: TableSchema, rows: int) -> list[str]:
    """Attributes without a column that the newest `rows` rows hold in extra (beyond what a row has room for)."""
    found = connection.query(
        f"SELECT x.`_twinrow_extra` FROM (SELECT `_twinrow_extra` FROM {quote(schema.into)} ORDER BY `row_id` DESC "
        f"LIMIT {int(rows)}) x WHERE x.`_twinrow_extra` IS NOT NULL"
    )
    names = {name for (extra,) in found for name in json.loads(extra)}
    return sorted(names - schema.by_attribute.keys())
