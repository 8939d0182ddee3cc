"""Cells that are put off: rows written while their column was missing or too narrow are rebuilt once it is there.

Such rows hold the value exactly in extra, so everything happens inside MySQL: a walk in bounded pieces reads extra and
sets the cells. A row keeps its id. Each piece is a transaction under the lease's lock, which reads its rows anew, so
that no newer write is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence

from twinrow import clock
from twinrow.decode.kind import Kind
from twinrow.errors import Reason, SchemaBusy, SchemaMoved, TransactionRetry
from twinrow.failpoint import fail_point
from twinrow.flavour import SqlValue
from twinrow.mysql import Connection
from twinrow.schema.column_type import BIGINT, NUMBERS, ColumnType, on_ladder
from twinrow.schema.evolve import Evolution, Wanted, WidenColumn, evolve_to, wanted_by
from twinrow.schema.json_cell import compact
from twinrow.schema.naming import quote
from twinrow.schema.row import key_of, rebuilt_cells, to_item
from twinrow.schema.table import TableSchema
from twinrow.schema.widening import both
from twinrow.sink import inspect, statements
from twinrow.sink.alone import taken
from twinrow.state import deferred, lease, recheck, tables
from twinrow.state.deferred import Deferred
from twinrow.table import live_schema
from twinrow.table.context import TableContext
from twinrow.table.live_schema import Asked

ROWS_LOOKED_AT_MAX = 20_000
"""Rows that one step of the walk passes. It looks at them before the lock; few of them hold anything in extra."""
ROWS_A_STEP_MAX = 500
"""Rows rewritten under one lock: some 0.2 s on a near server, in which no other row of the table is written."""
LOCKED_S_MAX = 0.5
"""A step ends after so long, since a far server takes a round trip for each row."""
EXTRA_BYTES_A_STEP_MAX = 4_000_000
"""Extra of one row may be as long as its item, 400 KB."""
LOCK_RETRY_S = 1.0
SAVEPOINT = "twinrow_cells"
CELL_RULES = 1
"""The version of the rules by which cells are written today."""


def note_rows_of_before(context: TableContext) -> None:
    """Rows of a Twinrow that kept no such notes are looked through once; whether some were left behind nobody knows."""
    registered = tables.load(context.tenure.open_writer(), context.name)
    if registered is not None and registered.cell_rules == CELL_RULES:
        return
    with context.tenure.transaction() as tx:
        every: Wanted = {deferred.EVERY: ("N", BIGINT)}
        deferred.note(tx, context.name, every, {}, Reason("rows of an earlier version are looked through"))
        note_rules(tx, context.name)


def note_rules(tx: Connection, table: str) -> None:
    """All rows are written by today's rules, or noted."""
    tables.update(tx, table, cell_rules=CELL_RULES)


class PutOff:
    """Works off what is put off in one table: tries the ALTER again, then rebuilds the cells, a piece at a step."""

    def __init__(self, context: TableContext) -> None:
        self._context = context
        self._try_at = 0.0
        self._wants_person = False
        self.rewritten = 0

    @property
    def settled(self) -> bool:
        """Whether nothing is put off, but for what only a person can allow (see `rebuild_rows_max`)."""
        return not self._context.state.owes_cells or self._wants_person

    def step(self) -> bool:
        """Do a piece; whether there was anything to do. A table to which nothing is owed costs no query."""
        context = self._context
        if not context.state.owes_cells or clock.monotonic() < self._try_at:
            return False
        if context.live.rest.reshape is not None:  # its rows are being rebuilt for other columns; they come first
            return False
        entries = deferred.of_table(context.tenure.open_writer(), context.name)
        context.state.note_cells(owed=bool(entries))
        self._wants_person = False
        if not entries:
            context.live.nothing_waits()
            return False
        asked = [
            context.live.asked_before(_wanted_of(entries, entity), entity)
            for entity in dict.fromkeys(entry.entity for entry in entries)
        ]
        waiting = {
            (wish.entity, name) for wish in asked for name in (*wanted_by(wish.evolution.steps), *wish.put_off)
        }  # fmt: skip
        ready = [entry for entry in entries if (entry.entity, entry.attribute) not in waiting]
        try:
            return self._walk(ready[0]) if ready else self._alter(asked)
        except SchemaMoved:
            context.live.load()
            return True
        except TransactionRetry:  # a deadlock, or a lock that somebody holds: the rows can wait
            self._try_at = clock.monotonic() + LOCK_RETRY_S
            return False

    def _alter(self, asked: Sequence[Asked]) -> bool:
        """Try to get the columns: a hand may have widened them by now, or the reader in the way has gone."""
        context, before = self._context, self._context.live.catalogue
        for wish in asked:
            by_hand = self._widened_by_hand(wish)
            if by_hand:
                self._enter(evolve_to(before.entities[wish.entity], by_hand))
            elif wish.evolution.steps:
                context.live.change(wish.evolution)
            if context.live.catalogue is not before:
                return True
        self._wants_person = context.live.wants_person
        self._try_at = clock.monotonic() + live_schema.DDL_RETRY_S
        return False

    def _widened_by_hand(self, asked: Asked) -> Wanted:
        """Columns that are of a type by now that holds what is asked for."""
        context = self._context
        found = inspect.columns(context.tenure.open_writer(), asked.wished.schema.into)
        widened: dict[str, tuple[Kind, ColumnType]] = {}
        for step in asked.wished.steps:
            there = found.get(step.after.column) if isinstance(step, WidenColumn) else None
            if there is None or not isinstance(step, WidenColumn):
                continue
            for wide in (*(NUMBERS if on_ladder(step.after.type) else ()), step.after.type):
                if there.is_of(wide, context.tenure.flavour()) and both(wide, step.after.type) == wide:
                    widened[step.after.attribute] = step.after.kind, wide
        return widened

    def _enter(self, evolution: Evolution) -> None:
        """Take the columns as the table has them now, unless another session changes it at this moment."""
        context = self._context
        try:
            with context.live.ddl_session() as session:
                lease.check(session, context.tenure.lease, context.live.version)
                context.live.enter(evolution)
        except SchemaBusy as busy:
            context.live.wait_for(busy)

    def _walk(self, entry: Deferred) -> bool:
        context, session = self._context, self._context.tenure.open_writer()
        schema = context.live.catalogue.entities[entry.entity]
        table = quote(schema.into)
        ids = f"SELECT row_id FROM {table} WHERE row_id > %s ORDER BY row_id LIMIT {ROWS_LOOKED_AT_MAX}"
        last = session.query(f"SELECT MAX(row_id) FROM ({ids}) AS slice", (entry.walked_to,))[0][0]
        found = [] if last is None else session.query(
            f"SELECT row_id, LENGTH(`_twinrow_extra`) FROM {table} WHERE row_id > %s AND row_id <= %s "
            f"AND LOCATE(%s, `_twinrow_extra`) > 0 ORDER BY row_id LIMIT {ROWS_A_STEP_MAX}",
            (entry.walked_to, last, _sought(entry)),
        )  # fmt: skip
        chosen = bounded(found, EXTRA_BYTES_A_STEP_MAX)
        whole = len(chosen) == len(found) < ROWS_A_STEP_MAX
        with context.tenure.row_transaction(context.live.version) as (tx, locked):
            rewritten, looked_at = _rewrite(tx, context.name, schema, chosen)
            fail_point("after-cells")
            if last is None:
                deferred.done(tx, context.name, entry)
            else:
                up_to = int(last) if whole and looked_at == len(chosen) else chosen[looked_at - 1]
                deferred.walked(tx, context.name, entry, up_to)
            lease.leave(tx, context.tenure.lease, locked, rows_delta=0)
        context.tenure.committed(locked.generation)
        self.rewritten += rewritten
        return True


def _wanted_of(entries: Sequence[Deferred], entity: str) -> Wanted:
    """The columns for which rows of an entity wait."""
    return {
        entry.attribute: (entry.kind, entry.type) for entry in entries if entry.attribute and entry.entity == entity
    }


def _sought(entry: Deferred) -> str:
    """A text that stands in every extra that tells of the attribute (in some others too, which does no harm)."""
    return "{" if entry.attribute == deferred.EVERY else compact(entry.attribute) + ":"


def bounded(found: Sequence[tuple[int, int]], bytes_max: int) -> list[int]:
    """The first row ids of (id, bytes of extra), at least one where there are any, of so many bytes in all."""
    chosen, size = list[int](), 0
    for row_id, extra_bytes in found:
        size += int(extra_bytes)
        if chosen and size > bytes_max:
            break
        chosen.append(int(row_id))
    return chosen


def _rewrite(tx: Connection, table: str, schema: TableSchema, row_ids: Sequence[int]) -> tuple[int, int]:
    """Set the cells that these rows' extra speaks of, under the lock; how many were changed, how many looked at.

    A row that the server refuses goes to recheck, which finds out whose fault it is. An extra that is not of Twinrow
    is left to `verify`.
    """
    if not row_ids:
        return 0, 0
    rewritten, until = 0, clock.monotonic() + LOCKED_S_MAX
    places = {row_id: place for place, row_id in enumerate(row_ids, 1)}
    where = f"`row_id` IN ({', '.join(map(str, row_ids))}) AND `_twinrow_extra` IS NOT NULL ORDER BY `row_id`"
    for row_id, key_hash, _, _, extra, *values in tx.query(statements.select_rows(schema, where)):
        rewritten += _rewrite_one(tx, table, schema, int(row_id), bytes(key_hash), extra, values)
        if clock.monotonic() > until:
            return rewritten, places[int(row_id)]
    return rewritten, len(row_ids)


def _rewrite_one(
    tx: Connection,
    table: str,
    schema: TableSchema,
    row_id: int,
    key_hash: bytes,
    extra: str,
    values: Sequence[SqlValue],
) -> bool:
    try:
        rebuilt = rebuilt_cells(schema, values, extra, tx.flavour)
    except ValueError:
        return False
    if rebuilt is None:
        return False
    cells, text = rebuilt
    sets = [f"{quote(name)} = {tx.literal(value)}" for name, value in (*cells.items(), ("_twinrow_extra", text))]
    if taken(tx, f"UPDATE {quote(schema.into)} SET {', '.join(sets)} WHERE row_id = {row_id}", SAVEPOINT):
        return True
    key = key_of(schema.keys, to_item(schema, values, extra))
    recheck.add(tx, table, [(key_hash, key)], "a cell that was put off")
    return False
