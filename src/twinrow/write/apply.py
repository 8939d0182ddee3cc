"""The heart: one transaction in which rows, their position and what is owed to DynamoDB become durable together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from twinrow import clock
from twinrow.capture_kind import Traits
from twinrow.change import Change, Item
from twinrow.errors import ConnectionLost, LockWait, SchemaMoved, TransactionRetry, Transient, reason_of
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.retry import back_off_s
from twinrow.schema.row import fingerprint
from twinrow.schema.table import TableSchema
from twinrow.sink import by_hand, row_keys, staging, writer
from twinrow.sink.alone import Refusal
from twinrow.sink.staging import Staged
from twinrow.sink.writer import Existing, Written
from twinrow.state import checkpoint, dead_letter, gap, lease, outbox, recheck, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.outbox import Debt
from twinrow.state.recheck import Suspect
from twinrow.table.context import TableContext
from twinrow.table.id_memory import IdsLearned
from twinrow.write import cells, deletes, mixed, owed, row_ids, too_large
from twinrow.write.prepare import One, Prepared, prepare

TRANSACTION_TRIES_MAX = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes in their order, and what becomes durable with them.

    `if_absent`: a scanned image never beats a row or tombstone. `rechecked`: the recheck entries this batch works off;
    `suspects`: keys that only a consistent read can tell the truth of. `truth`: the images were read consistently
    under the lock, so a debt that they do not show is none any more.
    """

    changes: Sequence[Change] = ()
    parts: Mapping[str, Checkpoint] = field(default_factory=dict)
    if_absent: bool = False
    rechecked: Sequence[Suspect] = ()
    suspects: Sequence[tuple[bytes, Item]] = ()
    truth: bool = False
    rows_gone: int = 0
    gaps: Sequence[tuple[str, str, float | None, float | None]] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What a committed batch came to: the debts to be paid, and what was written.

    `doubted`: keys whose image no row can hold, to be read again before that is believed. `became`: the changes that
    became rows, or took one away; not those that a row beat, were parked, or are the echo of a link.
    `not_taken`: the server's errors for rows that were put off. `ids`: what is to be remembered of ids.
    """

    debts: list[Debt]
    written: Written
    parked: int
    doubted: tuple[bytes, ...] = ()
    became: tuple[One, ...] = ()
    not_taken: frozenset[int] = frozenset()
    ids: IdsLearned = field(default_factory=IdsLearned)


def apply(context: TableContext, batch: Batch, prepared: Prepared | None = None) -> Applied:
    """Make a batch durable; `prepared`: its changes, ready to be written, else that is done here.

    Raises LeaseLost, StartRefused, Broken; Transient when it should be tried again later.
    """
    in_order = without_disorder(batch, context.settings.traits, context.live.rest)
    if prepared is None or in_order is not batch:
        batch, prepared = in_order, _learned(context, in_order)
    return transact(context, lambda _tx: batch, prepared, stage=not batch.if_absent)


def without_disorder(batch: Batch, traits: Traits, schema: TableSchema) -> Batch:
    """The batch with keys to be read in place of changes that may come twice or out of order; else the same batch.

    The image of such a change may be older than the row, so it is never written: see `Traits.in_order`.
    """
    if traits.in_order:  # looked at first: the changes of a stream's batch are decoded when they are asked for
        return batch
    unsure = [change for change in batch.changes if change.origin == traits.origin]
    if not unsure:
        return batch
    sure = [change for change in batch.changes if change.origin != traits.origin]
    keys = [(fingerprint(schema.keys, change.key), change.key) for change in unsure]
    return replace(batch, changes=sure, suspects=[*batch.suspects, *keys])


def transact(
    context: TableContext, read: Callable[[Connection], Batch], prepared: Prepared | None = None, *, stage: bool = False
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
            context.live.load()
            by_hand.stop_changed(context.tenure.open_writer(), context.live.rest)
            if not context.state.rows_unproved:  # whoever has changed the table may have changed its indexes
                row_keys.stop_unproved(context.tenure.open_writer(), context.settings.into, context.name)
            prepared = None
        except _NeedsColumns as needs:
            context.live.learn(needs.items)
            prepared = None
        except TransactionRetry as trouble:
            if isinstance(trouble, LockWait):
                _tell_wait(context, trouble)
            if tried == TRANSACTION_TRIES_MAX or context.table.stop.wait(back_off_s(tried)):
                raise
    raise TransactionRetry("the schema keeps moving", where=f"table {context.name}")


def _tell_wait(context: TableContext, trouble: LockWait) -> None:
    """Let `status` name the wait, which all tries together make long; the note of a later step clears it.

    By a session of its own: what the writer's session still holds or waits for does not matter to it.
    """
    try:
        session = context.table.mysql.connect()
        try:
            tables.note(session, context.tenure.lease, **tables.because(reason_of(trouble)))
        finally:
            session.close()
    except Transient:
        return  # the transaction is tried again all the same, and the last try raises what it waits for


class _NeedsColumns(Exception):
    """Items read under the lock ask for columns: the transaction ends, the schema evolves, and it is run again."""

    def __init__(self, items: list[Item]) -> None:
        super().__init__()
        self.items = items


def _learned(context: TableContext, batch: Batch) -> Prepared:
    put_off = context.live.learn(change.item for change in batch.changes if change.item is not None)
    return prepare(context.settings, context.live.rest, context.tenure.flavour(), batch.changes, put_off)


def _once(
    context: TableContext, read: Callable[[Connection], Batch], prepared: Prepared | None, *, stage: bool
) -> Applied:
    session = context.tenure.open_writer()
    staged = _staged(session, context, prepared) if stage and prepared is not None else None
    applied: Applied | None = None
    try:
        with context.tenure.row_transaction(context.live.version) as (tx, locked):
            owed.notice_that_mysql_went_back(tx, context, locked.generation - 1)
            fail_point("after-lock")
            read_at = clock.monotonic()
            batch = read(tx)
            if prepared is None:
                items = [change.item for change in batch.changes if change.item is not None]
                asked = context.live.asked(items)
                if asked.evolution.steps:
                    raise _NeedsColumns(items)
                prepared = prepare(
                    context.settings, context.live.rest, context.tenure.flavour(), batch.changes, asked.put_off
                )
            applied, rows_delta = _write(tx, context, batch, prepared, locked.generation, staged, read_at)
            fail_point("after-rows")
            checkpoint.save(tx, context.name, batch.parts)
            outbox.owe(tx, context.name, applied.debts)
            recheck.done(tx, context.name, batch.rechecked)
            recheck.add(tx, context.name, batch.suspects, "no image")
            for cause, shard, from_at, to_at in batch.gaps:
                gap.record(tx, context.name, cause, at=tx.now(), shard=shard, from_at=from_at, to_at=to_at)
            lease.leave(tx, context.tenure.lease, locked, rows_delta=rows_delta - batch.rows_gone)
    except ConnectionLost:
        if applied is not None:
            context.ids.remember_unsure(applied.ids)
        raise
    context.tenure.committed(locked.generation)
    context.ids.remember(applied.ids)
    _count(context, applied)
    return applied


def _staged(session: Connection, context: TableContext, prepared: Prepared) -> Staged | None:
    """The rows, less those of echoes, which are mostly there, in a temporary table."""
    if prepared.schema_version != context.live.version:
        return None
    return staging.fill(
        session,
        context.live.rest,
        [change.row for change in prepared.ones if change.row is not None and not change.echo],
    )


def _write(
    tx: Connection,
    context: TableContext,
    batch: Batch,
    prepared: Prepared,
    generation: int,
    staged: Staged | None,
    read_at: float,
) -> tuple[Applied, int]:
    existing = writer.existing_rows(tx, context.live.rest, prepared.hashes, staged)
    buried = deletes.tombstones(tx, context, prepared.hashes)
    any_letter = dead_letter.any_stands(tx, context.name)
    letters = dead_letter.parked(tx, context.name) if any_letter and batch.if_absent else set()
    wanted = owed.wanted(prepared, existing, buried, letters, if_absent=batch.if_absent)
    doubted = [] if batch.truth else [change for change in wanted if change.unfit]
    if doubted:
        _doubt(tx, context, doubted)
        wanted = [change for change in wanted if not change.unfit]
    owed.refuse_foreign_ids(context, wanted, existing, buried)
    taken = row_ids.ids_to_take(tx, context, wanted, existing, buried, any_letter=any_letter)
    if not batch.truth:
        wanted = row_ids.put_off(tx, context, wanted, existing, taken.ids)
    rows = [change.row for change in wanted if change.row is not None and not owed.is_echo(change, existing)]
    written = writer.write(
        tx, context.live.rest, rows, existing, taken.ids,
        staged=staged, ids=context.settings.linked, upserts=not context.state.rows_unproved, waits_apart=batch.truth,
    )  # fmt: skip
    if written.too_large or context.state.sets_apart is not False:
        too_large.write_smaller(tx, context, wanted, existing, taken.ids, written)
    taken_rows = [row for row in rows if row.key not in written.not_written]
    if prepared.put_off:
        cells.note_put_off(tx, context, prepared.put_off, taken_rows)
    mixed.note_unshown(tx, context, taken_rows)
    parked = {change.hash: (change, change.unfit) for change in wanted if change.unfit}
    parked.update(
        {change.hash: (change, written.refused[change.hash]) for change in wanted if change.hash in written.refused}
    )
    gone, kept, without = deletes.delete(
        tx, context, wanted, existing, parked, buried, written.passed, waits_apart=batch.truth
    )
    put_off = written.put_off | kept.put_off
    parked.update(
        {
            change.hash: (change, kept.parked[change.hash])
            for change in wanted
            if change.hash in kept.parked.keys() - parked
        }
    )
    parked = {key: change for key, change in parked.items() if key not in put_off}
    ids = {
        change.hash: existing[change.hash].row_id if change.hash in existing else taken.ids.get(change.hash)
        for change, _ in parked.values()
    }
    _park(tx, context.name, parked.values(), ids)
    _resolve(tx, context.name, wanted, parked, put_off, any_letter=any_letter)
    debts = owed.debts(context, wanted, written, parked.keys() | put_off.keys(), generation)
    debts = owed.new_debts(tx, context, debts, wanted, truth=batch.truth)
    explained = {suspect.key_hash for suspect in batch.rechecked if suspect.cause in recheck.KNOWN_LOSSES}
    went_back, met = owed.meet_foreign_ids(tx, context, wanted, written, taken, explained, read_at)
    ahead = (
        tuple(change.hash for change in wanted if change.row is not None)
        if batch.truth and context.settings.traits.tells_deletes
        else ()
    )
    learned = IdsLearned(without, ahead, met, went_back)
    hashes = tuple(change.hash for change in doubted)
    stay = parked.keys() | put_off.keys()
    became = tuple(change for change in wanted if change.hash not in stay and _acts(change, existing))
    not_taken = frozenset(refusal.code for refusal in put_off.values())
    return Applied(debts, written, len(parked), hashes, became, not_taken, learned), written.rows_delta - gone


def _park(
    tx: Connection, table: str, parked: Iterable[tuple[One, str]], row_ids_of: Mapping[bytes, int | None]
) -> None:
    for change, reason in parked:
        item, at = change.whole or change.key, change.seen_at or tx.now()
        dead_letter.park(tx, table, change.hash, change.key, item, reason, at, row_ids_of[change.hash])


def _resolve(
    tx: Connection,
    table: str,
    wanted: Sequence[One],
    parked: Collection[bytes],
    put_off: Mapping[bytes, Refusal],
    *,
    any_letter: bool,
) -> None:
    """Dead letters of what is written now go; what was put off waits in recheck."""
    if any_letter:
        settled = [change.hash for change in wanted if change.hash not in parked and change.hash not in put_off]
        dead_letter.resolve(tx, table, settled)
    later = [(change, put_off[change.hash]) for change in wanted if change.hash in put_off]
    recheck.put_off(tx, table, [(change.hash, change.key, why.code, why.reason) for change, why in later])


def _acts(change: One, existing: Mapping[bytes, Existing]) -> bool:
    """Whether a change that was neither put off nor parked made a row another, or took it away."""
    return change.hash in existing if change.row is None else not owed.is_echo(change, existing)


def _doubt(tx: Connection, context: TableContext, ones: Sequence[One]) -> None:
    """What no row can hold is read consistently before it is parked and its row goes: the image may be to blame."""
    adopts = context.state.first_copy and context.settings.adopt_links
    # while ids are adopted the reading waits for the end of the scan, else a new row would take another item's id
    cause, due_at = (recheck.NO_ID_YET, recheck.NEVER) if adopts else (recheck.NOT_UNDERSTOOD, 0.0)
    recheck.add(tx, context.name, [(change.hash, change.key) for change in ones], cause, due_at=due_at)


def _count(context: TableContext, applied: Applied) -> None:
    context.counters.add_applied(
        Counter((change.kind, change.origin) for change in applied.became),
        parked=applied.parked,
        in_extra=sum(change.row is not None and change.row.extra is not None for change in applied.became),
    )
    if applied.doubted:
        context.counters.doubt(len(applied.doubted), "an image of which no row can be made")
