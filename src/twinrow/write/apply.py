"""The heart: one transaction in which rows, their position and the pending links become durable together.

Look, decide, write, decide, commit, remember: every SELECT comes first, both decisions are pure, and what is kept in
memory changes after the commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from twinrow import clock
from twinrow.change import Item
from twinrow.errors import ConnectionLost, LockWait, SchemaMoved, TransactionRetry, Transient, reason_of
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.retry import back_off_s
from twinrow.sink import by_hand, row_keys, staging
from twinrow.sink.staging import Staged
from twinrow.state import lease, tables
from twinrow.table.context import TableContext
from twinrow.table.live_schema import put_off_of
from twinrow.write import loss, note_gaps, reshape_rows
from twinrow.write.batch import Applied, Batch, without_disorder
from twinrow.write.commit_rest import commit_rest
from twinrow.write.decide_rest import Learned, Rest, decide_rest
from twinrow.write.decide_rows import decide_rows
from twinrow.write.look import look
from twinrow.write.prepare import Prepared, prepare
from twinrow.write.rules import WriteRules
from twinrow.write.write_rows import write_rows

TRANSACTION_TRIES_MAX: Final = 8


def apply(context: TableContext, batch: Batch, prepared: Prepared | None = None) -> Applied:
    """Make a batch durable; `prepared`: its changes, ready to be written, else that is done here.

    Raises LeaseLost, StartRefused, Broken; Transient when it should be tried again later.
    """
    in_order = without_disorder(batch, context.settings.traits, context.live.keys)
    if prepared is None or in_order is not batch:
        put_off = context.live.learn(context.settings.wanted(in_order.items))
        batch, live = in_order, context.live
        prepared = prepare(context.settings, live.catalogue, context.tenure.flavour(), batch.changes, put_off)
    return transact(context, lambda _tx: batch, prepared, stage=not batch.if_absent)


def transact(
    context: TableContext,
    read: Callable[[Connection], Batch],
    prepared: Prepared | None = None,
    *,
    stage: bool = False,
) -> Applied:
    """Lock the lease, `read` a batch under it (unless it was prepared before), write it, commit.

    `stage`: many prepared rows, of which some may be there, stand in a temporary table before the lock is asked for.
    Deadlocks and lock waits run the whole transaction again, at most TRANSACTION_TRIES_MAX times.
    """
    fail_point("before-transaction")
    for tried in range(1, TRANSACTION_TRIES_MAX + 1):
        try:
            return _once(context, read, prepared, stage=stage)
        except SchemaMoved:
            session = context.tenure.open_writer()
            context.live.load()
            for schema in context.live.catalogue.tables:
                by_hand.stop_changed(session, schema)
                if not context.state.rows_unproved:  # whoever has changed the table may have changed its indexes
                    row_keys.stop_unproved(session, schema.into, context.name)
            prepared = None
        except _NeedsColumns as needs:
            context.live.learn(needs.items)
            prepared = None
        except TransactionRetry as trouble:
            if isinstance(trouble, LockWait):
                _note_wait(context, trouble)
            if tried == TRANSACTION_TRIES_MAX or context.table.stop.wait(back_off_s(tried)):
                raise
    raise TransactionRetry("the schema keeps moving", where=f"table {context.name}")


class _NeedsColumns(Exception):
    """Items read under the lock ask for columns: the transaction ends, the schema evolves, and it is run again."""

    def __init__(self, items: Sequence[Item]) -> None:
        super().__init__()
        self.items = items


def _once(
    context: TableContext, read: Callable[[Connection], Batch], prepared: Prepared | None, *, stage: bool
) -> Applied:
    rules = WriteRules(context.settings, context.state.first_copy, upserts=not context.state.rows_unproved)
    staged = _staged(context, prepared) if stage and prepared is not None else None
    rest: Rest | None = None
    try:
        with context.tenure.row_transaction(context.live.version) as (tx, locked):
            loss.record_if_gone_back(tx, context.name, locked.generation - 1, context.tenure.generation)
            fail_point("after-lock")
            read_at = clock.monotonic()
            batch = read(tx)
            prepared = prepared or _prepared(tx, context, batch)
            view = look(tx, context, rules, batch, prepared, staged, read_at)
            decision = decide_rows(rules, view, truth=batch.truth)
            done = write_rows(tx, context.live.catalogue, rules, view, decision, staged, truth=batch.truth)
            if context.live.rest.reshape is not None:
                reshape_rows.fill_keys(tx, context, [row.key for row in decision.rows])
            rest = decide_rest(rules, context.ids, batch, prepared, view, decision, done, locked.generation)
            fail_point("after-rows")
            commit_rest(tx, rules, batch, rest, prepared.put_off, context.live.waits_for_rebuild)
            note_gaps.keep(tx, context.state, rules, batch, prepared.hashes)
            lease.leave(tx, context.tenure.lease, locked, rows_delta=rest.rows_delta)
    except ConnectionLost:
        if rest is not None:
            context.ids.remember_unsure(rest.learned.ids)
        raise
    context.tenure.committed(locked.generation)
    _remember(context, rest.learned)
    _count(context, rest.applied)
    return rest.applied


def _staged(context: TableContext, prepared: Prepared) -> Staged | None:
    """The rows, less those of echoes, which are mostly there, in a temporary table."""
    if prepared.schema_version != context.live.version or context.live.catalogue.is_split:
        return None
    rows = [change.row for change in prepared.changes if change.row is not None and not change.echo]
    return staging.fill(context.tenure.open_writer(), context.live.rest, rows)


def _prepared(tx: Connection, context: TableContext, batch: Batch) -> Prepared:
    """A batch that was read under the lock, ready to be written. Raises _NeedsColumns."""
    items = context.settings.wanted(batch.items)
    asked = context.live.asked(items)
    if context.live.asks_for_table(items) or any(wish.evolution.steps for wish in asked):
        raise _NeedsColumns(items)
    return prepare(context.settings, context.live.catalogue, tx.flavour, batch.changes, put_off_of(asked))


def _remember(context: TableContext, learned: Learned) -> None:
    context.ids.remember(learned.ids)
    state = context.state
    state.note_sets_apart(found=learned.sets_apart)
    if learned.owes_cells:
        state.note_cells(owed=True)
    if learned.has_mixed:
        state.note_mixed(found=True)


def _count(context: TableContext, applied: Applied) -> None:
    context.counters.add_applied(
        Counter((change.kind, change.origin) for change in applied.became),
        parked=applied.parked,
        in_extra=sum(change.row is not None and change.row.extra is not None for change in applied.became),
    )
    if applied.doubted:
        context.counters.doubt(len(applied.doubted), "an image of which no row can be made")


def _note_wait(context: TableContext, trouble: LockWait) -> None:
    """Let `status` name the wait, which all tries together make long; the note of a later step clears it.

    By a session of its own: what the writer's session still holds or waits for does not matter to it.
    """
    try:
        with context.table.mysql.pool.lent() as session:
            tables.note(session, context.tenure.lease, **tables.because(reason_of(trouble)))
    except Transient:
        return  # the transaction is tried again all the same, and the last try raises what it waits for
