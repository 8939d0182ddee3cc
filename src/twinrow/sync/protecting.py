"""Rules that are put on a copy that is there: its rows are protected inside MySQL, before anything else is copied.

A raw value leaves its column in the transaction that writes what takes its place. A value of another type than its
column (the hash of a number) waits in extra; the column goes when every row is through, and the values make a new one.
DynamoDB is not read. A kill at any moment leaves a state from which the next start goes on: the position is written
with the rows, and the register says from the first row on which rules the pass is for.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from twinrow.change import PATH_DOT, SEALED_KEY, Item
from twinrow.decode.kind import kind_of
from twinrow.errors import Reason, StartRefused, Transient
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection, MySQLError
from twinrow.protect.protection import Protection, protection
from twinrow.protect.rules import Drop, Hash, HashParts, Hiding, Mask
from twinrow.schema.column_type import least, settled
from twinrow.schema.evolve import Wanted
from twinrow.schema.naming import quote
from twinrow.schema.row import extra_text, to_item, to_row
from twinrow.schema.table import Column, TableSchema, to_json
from twinrow.sink import inspect, statements
from twinrow.state import checkpoint, dead_letter, deferred, gap, lease, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.tables import Registered
from twinrow.sync.changed_protection import NONE, UNDER_WAY, WALK, ProtectionChange, change_between
from twinrow.table.context import TableContext

ROWS_A_STEP: Final = 500
"""Rows rewritten under one lock: some 0.3 s on a near server, in which no other row of the table is written."""
CHANGED_BY_HAND: Final = "PROTECTED_ANEW"
"""The cause of a gap: rows that were changed by hand were emptied, and are read anew."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How rows are rewritten: by which rules, from which schema to which; `gone` are the columns that go."""

    protection: Protection
    before: TableSchema
    after: TableSchema
    gone: tuple[Column, ...]


def apply(context: TableContext, registered: Registered) -> None:
    """Make the rows what the rules of today leave of them; the register is the caller's.

    Raises StartRefused where MySQL does not drop a column, Transient when stopped.
    """
    now = context.settings.protection.summary if context.settings.protection is not None else None
    kept = registered.settings.get("protection") or NONE
    change = change_between(kept, now, [key.name for key in context.live.keys])
    if not change.has_pass:
        return
    plan = _plan(context, change)
    if kept.get(UNDER_WAY) != now:
        _begin(context, registered, plan, {**kept, UNDER_WAY: now})
    walked_to = _walked_to(context, plan)
    while walked_to is not None and not context.table.stop:
        reason = Reason(f"rows are protected before anything else is copied: those up to id {walked_to:,} are through")
        tables.note(context.tenure.open_writer(), context.tenure.lease, **tables.because(reason))
        walked_to = _step(context, plan, walked_to)
    if walked_to is not None:
        raise Transient("stopped while rows are protected; the next start goes on", where=f"table {context.name}")
    _drop(context, plan)


def _walked_to(context: TableContext, plan: _Plan) -> int | None:
    """Where a run that was killed has stopped; None where every row is through, and columns have gone already."""
    session = context.tenure.open_writer()
    there = inspect.columns(session, plan.before.into)
    if any(column.column not in there for column in plan.gone):
        return None
    known = checkpoint.load(session, context.name, WALK).get(WALK)
    return int(known.position or 0) if known is not None else 0


def _plan(context: TableContext, change: ProtectionChange) -> _Plan:
    settings, schema = context.settings, context.live.rest
    asked = settings.protection
    rules: dict[str, Hiding] = {path: Drop() for path in change.dropped}
    keys = [key.name for key in schema.keys]
    attributes = None
    secret = None
    if asked is not None:
        rules |= {path: asked.rules[path] for path in change.hidden}
        secret = asked.secret
        if asked.attributes is not None:
            attributes = (*asked.attributes, SEALED_KEY)
    made = protection(secret, rules, keys, attributes)
    gone = tuple(column for column in schema.columns if not column.key and not _stays(column, made, rules))
    left = tuple(column for column in schema.columns if column not in gone)
    return _Plan(made, schema, replace(schema, columns=left), gone)


def _stays(column: Column, made: Protection, rules: Mapping[str, Hiding]) -> bool:
    """Whether the protected values of an attribute are of its column's kind."""
    name = column.attribute
    if made.kept is not None and name not in made.kept:
        return False
    rule = rules.get(name)
    if rule is None:
        inside = any(path.startswith(name + PATH_DOT) for path in rules)
        return not inside or column.kind in ("M", "L")
    if isinstance(rule, Hash | HashParts):
        return column.kind == "S"
    return isinstance(rule, Mask) and column.kind in ("S", "SS", "L")


def _begin(context: TableContext, registered: Registered, plan: _Plan, kept: dict[str, Any]) -> None:
    """The first transaction: dead letters, and the note that a pass is under way, so that none takes it for done."""
    with context.tenure.transaction() as tx:
        for letter in dead_letter.load(tx, [context.name]):
            dead_letter.rewrite(tx, letter.id, plan.protection.protect(letter.item))
        names = {column.attribute for column in plan.gone}
        for entry in deferred.of_table(tx, context.name):
            if entry.attribute in names:  # what the raw values waited for does not concern the protected ones
                deferred.done(tx, context.name, entry)
        checkpoint.save(tx, context.name, {WALK: Checkpoint("0")})
        tables.update(tx, context.name, config=json.dumps(registered.settings | {"protection": kept}))


def _step(context: TableContext, plan: _Plan, walked_to: int) -> int | None:
    """Protect some rows; the highest id that is through, None at the end."""
    with context.tenure.row_transaction(context.live.version) as (tx, locked):
        where = f"`row_id` > %s ORDER BY `row_id` LIMIT {ROWS_A_STEP}"
        found = tx.query(statements.select_rows(plan.before, where), (walked_to,))
        wanted: dict[str, Any] = {}
        waiting: Counter[str] = Counter()
        for row in found:
            hidden = _protect_row(tx, context.name, plan, row)
            for column in plan.gone:
                value = hidden.get(column.attribute)
                if value is not None and "NULL" not in value:
                    kind = kind_of(value)
                    wanted[column.attribute] = (kind, settled(least(kind, value)))
                    waiting[column.attribute] += 1
        _note(tx, context, wanted, waiting)
        if found:
            checkpoint.save(tx, context.name, {WALK: Checkpoint(str(found[-1][0]))})
        fail_point("after-protected-rows")
        lease.leave(tx, context.tenure.lease, locked, rows_delta=0)
    context.tenure.committed(locked.generation)
    return int(found[-1][0]) if found else None


def _note(tx: Connection, context: TableContext, wanted: Wanted, waiting: Mapping[str, int]) -> None:
    if wanted:
        deferred.note(tx, context.name, wanted, waiting, Reason("its protected values wait for their column"))
        context.state.note_cells(owed=True)


def _protect_row(tx: Connection, table: str, plan: _Plan, row: Sequence[Any]) -> Item:
    """Rewrite a row, soft-deleted ones too; the protected item. A row that was changed by hand is emptied."""
    row_id, key_hash, _, _, extra, *stored = row
    sets: dict[str, Any] = {column.column: None for column in plan.gone}
    try:
        item = to_item(plan.before, stored, extra)
        hidden = plan.protection.protect(item)
        made = to_row(plan.after, hidden, tx.flavour, bytes(key_hash))
    except ValueError:
        others = [column for column in plan.after.columns if not column.key and column.column != SEALED_KEY]
        _update(tx, plan, row_id, sets | {column.column: None for column in others} | {"_twinrow_extra": None})
        gap.record(tx, table, CHANGED_BY_HAND, at=tx.now())
        return {}
    touched = {name for name in item if hidden.get(name) != item[name]} | {column.attribute for column in plan.gone}
    apart = {name: value for name, value in json.loads(extra or "{}").items() if name not in touched}
    inexact = json.loads(made.extra or "{}")
    apart |= {name: hidden[name] for name in sorted(touched) if name in inexact}
    for column, value in zip(plan.after.columns, made.values, strict=True):
        if column.attribute in touched:
            sets[column.column] = value
    _update(tx, plan, row_id, sets | {"_twinrow_extra": extra_text(apart) if apart else None})
    return hidden


def _update(tx: Connection, plan: _Plan, row_id: int, sets: Mapping[str, Any]) -> None:
    listed = ", ".join(f"{quote(name)} = %s" for name in sets)
    tx.execute(f"UPDATE {quote(plan.before.into)} SET {listed} WHERE `row_id` = %s", (*sets.values(), row_id))


def _drop(context: TableContext, plan: _Plan) -> None:
    """Every row is through: the emptied columns go, and the schema has them no more."""
    table = quote(plan.before.into)
    there = inspect.columns(context.tenure.open_writer(), plan.before.into)
    gone = [column.column for column in plan.gone if column.column in there]
    if gone:
        drops = ", ".join(f"DROP COLUMN {quote(name)}" for name in gone)
        try:
            with context.live.ddl_session() as session:
                lease.check(session, context.tenure.lease, context.live.version)
                session.execute(f"ALTER TABLE {table} {drops}")
        except MySQLError as error:
            raise StartRefused(
                f"its raw values are gone from MySQL, but their columns cannot be dropped: {error.what}",
                where=f"table {context.name}", remedy="remove what needs the columns (a generated column, a check)",
            ) from error  # fmt: skip
    fail_point("after-protected-columns")
    schema = replace(plan.after, version=context.live.version + 1)
    with context.tenure.transaction() as tx:
        tables.update(tx, context.name, table_schema=to_json(schema))
        lease.raise_schema_version(tx, context.tenure.lease, schema.version)
    context.live.take(schema)
