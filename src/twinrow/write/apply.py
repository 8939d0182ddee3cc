"""The heart: one transaction in which rows, their position and what is owed to DynamoDB become durable together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from twinrow import clock
from twinrow.capture_kind import Traits
from twinrow.change import Change, Item
from twinrow.errors import LockWait, SchemaMoved, TransactionRetry, Transient, reason_of
from twinrow.failpoint import fail_point
from twinrow.mysql import Connection
from twinrow.retry import back_off_s
from twinrow.schema.row import fingerprint
from twinrow.schema.table import TableSchema
from twinrow.sink import by_hand, row_keys, staging, writer
from twinrow.sink.staging import Staged
from twinrow.sink.writer import Existing, Written
from twinrow.state import checkpoint, dead_letter, gap, lease, outbox, recheck, tables
from twinrow.state.checkpoint import Checkpoint
from twinrow.state.outbox import Debt
from twinrow.state.recheck import Suspect
from twinrow.table.copy import Copy
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
    `not_taken`: the server's errors for rows that were put off.
    """

    debts: list[Debt]
    written: Written
    parked: int
    went_back: bool = False
    doubted: tuple[bytes, ...] = ()
    became: tuple[One, ...] = ()
    not_taken: frozenset[int] = frozenset()


def apply(copy: Copy, batch: Batch, prepared: Prepared | None = None) -> Applied:
    """Make a batch durable; `prepared`: its changes, ready to be written, else that is done here.

    Raises LeaseLost, StartRefused, Broken; Transient when it should be tried again later.
    """
    in_order = without_disorder(batch, copy.settings.traits, copy.schema)
    if prepared is None or in_order is not batch:
        batch, prepared = in_order, _learned(copy, in_order)
    return transact(copy, lambda _tx: batch, prepared, stage=not batch.if_absent)


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
    copy: Copy, read: Callable[[Connection], Batch], prepared: Prepared | None = None, *, stage: bool = False
) -> Applied:
    """Lock the lease, `read` a batch under it (unless it was prepared before), write it, commit.

    `stage`: many prepared rows, of which some may be there, stand in a temporary table before the lock is asked for.
    Deadlocks and lock waits run the whole transaction again, at most TRANSACTION_TRIES_MAX times.
    """
    fail_point("before-transaction")
    for tried in range(1, TRANSACTION_TRIES_MAX + 1):
        try:
            return _once(copy, read, prepared, stage=stage)
        except SchemaMoved:
            copy.load_schema()
            by_hand.stop_changed(copy.writer, copy.schema)
            if not copy.rows_unproved:  # whoever has changed the table may have changed its indexes
                row_keys.stop_unproved(copy.writer, copy.settings.into, copy.table)
            prepared = None
        except _NeedsColumns as needs:
            copy.learn(needs.items)
            prepared = None
        except TransactionRetry as trouble:
            if isinstance(trouble, LockWait):
                _tell_wait(copy, trouble)
            if tried == TRANSACTION_TRIES_MAX or copy.stop.wait(back_off_s(tried)):
                raise
    raise TransactionRetry("the schema keeps moving", where=f"table {copy.table}")


def _tell_wait(copy: Copy, trouble: LockWait) -> None:
    """Let `status` name the wait, which all tries together make long; the note of a later step clears it.

    By a session of its own: what the writer's session still holds or waits for does not matter to it.
    """
    try:
        session = copy.mysql.connect()
        try:
            tables.note(session, copy.lease, **tables.because(reason_of(trouble)))
        finally:
            session.close()
    except Transient:
        return  # the transaction is tried again all the same, and the last try raises what it waits for


class _NeedsColumns(Exception):
    """Items read under the lock ask for columns: the transaction ends, the schema evolves, and it is run again."""

    def __init__(self, items: list[Item]) -> None:
        super().__init__()
        self.items = items


def _learned(copy: Copy, batch: Batch) -> Prepared:
    put_off = copy.learn(change.item for change in batch.changes if change.item is not None)
    return prepare(copy.settings, copy.schema, copy.flavour, batch.changes, put_off)


def _once(copy: Copy, read: Callable[[Connection], Batch], prepared: Prepared | None, *, stage: bool) -> Applied:
    session = copy.writer
    staged = _staged(session, copy, prepared) if stage and prepared is not None else None
    with session.transaction() as tx:
        locked = lease.lock(tx, copy.lease, copy.schema.version)
        owed.notice_that_mysql_went_back(tx, copy, locked.generation - 1)
        fail_point("after-lock")
        read_at = clock.monotonic()
        batch = read(tx)
        if prepared is None:
            items = [change.item for change in batch.changes if change.item is not None]
            asked = copy.asked(items)
            if asked.evolution.steps:
                raise _NeedsColumns(items)
            prepared = prepare(copy.settings, copy.schema, copy.flavour, batch.changes, asked.put_off)
        applied, rows_delta = _write(tx, copy, batch, prepared, locked.generation, staged, read_at)
        fail_point("after-rows")
        checkpoint.save(tx, copy.table, batch.parts)
        outbox.owe(tx, copy.table, applied.debts)
        recheck.done(tx, copy.table, batch.rechecked)
        recheck.add(tx, copy.table, batch.suspects, "no image")
        for cause, shard, from_at, to_at in batch.gaps:
            gap.record(tx, copy.table, cause, at=tx.now(), shard=shard, from_at=from_at, to_at=to_at)
        lease.leave(tx, copy.lease, locked, rows_delta=rows_delta - batch.rows_gone)
    copy.generation = locked.generation
    copy.loss_told |= applied.went_back
    _count(copy, applied)
    return applied


def _staged(session: Connection, copy: Copy, prepared: Prepared) -> Staged | None:
    """The rows, less those of echoes, which are mostly there, in a temporary table."""
    if prepared.schema_version != copy.schema.version:
        return None
    return staging.fill(
        session, copy.schema, [one.row for one in prepared.ones if one.row is not None and not one.echo]
    )


def _write(
    tx: Connection,
    copy: Copy,
    batch: Batch,
    prepared: Prepared,
    generation: int,
    staged: Staged | None,
    read_at: float,
) -> tuple[Applied, int]:
    existing = writer.existing_rows(tx, copy.schema, prepared.hashes, staged)
    buried = deletes.tombstones(tx, copy, prepared.hashes)
    any_letter = dead_letter.any_stands(tx, copy.table)
    letters = dead_letter.parked(tx, copy.table) if any_letter and batch.if_absent else set()
    wanted = owed.wanted(prepared, existing, buried, letters, if_absent=batch.if_absent)
    doubted = [] if batch.truth else [one for one in wanted if one.unfit]
    if doubted:
        _doubt(tx, copy, doubted)
        wanted = [one for one in wanted if not one.unfit]
    owed.refuse_foreign_ids(copy, wanted, existing, buried)
    taken = row_ids.ids_to_take(tx, copy, wanted, existing, buried, any_letter=any_letter)
    if not batch.truth:
        wanted = row_ids.put_off(tx, copy, wanted, existing, taken.ids)
    rows = [one.row for one in wanted if one.row is not None and not owed.is_echo(one, existing)]
    written = writer.write(
        tx, copy.schema, rows, existing, taken.ids,
        staged=staged, ids=copy.settings.linked, upserts=not copy.rows_unproved, waits_apart=batch.truth,
    )  # fmt: skip
    if written.too_large or copy.sets_apart is not False:
        too_large.write_smaller(tx, copy, wanted, existing, taken.ids, written)
    taken_rows = [row for row in rows if row.key not in written.not_written]
    if prepared.put_off:
        cells.note_put_off(tx, copy, prepared.put_off, taken_rows)
    mixed.note_unshown(tx, copy, taken_rows)
    parked = {one.hash: (one, one.unfit) for one in wanted if one.unfit}
    parked.update({one.hash: (one, written.refused[one.hash]) for one in wanted if one.hash in written.refused})
    gone, kept = deletes.delete(tx, copy, wanted, existing, parked, buried, written.passed, waits_apart=batch.truth)
    put_off = written.put_off | kept.put_off
    parked.update({one.hash: (one, kept.parked[one.hash]) for one in wanted if one.hash in kept.parked.keys() - parked})
    parked = {key: one for key, one in parked.items() if key not in put_off}
    for one, reason in parked.values():
        row_id = existing[one.hash].row_id if one.hash in existing else taken.ids.get(one.hash)
        dead_letter.park(
            tx, copy.table, one.hash, one.key, one.whole or one.key, reason, one.seen_at or tx.now(), row_id
        )
    if any_letter:
        settled = [one.hash for one in wanted if one.hash not in parked and one.hash not in put_off]
        dead_letter.resolve(tx, copy.table, settled)
    later = [(one.hash, one.key, put_off[one.hash]) for one in wanted if one.hash in put_off]
    recheck.put_off(tx, copy.table, [(key_hash, key, why.code, why.reason) for key_hash, key, why in later])
    debts = owed.debts(copy, wanted, written, parked.keys() | put_off.keys(), generation)
    debts = owed.new_debts(tx, copy, debts, wanted, truth=batch.truth)
    explained = {one.key_hash for one in batch.rechecked if one.cause in recheck.KNOWN_LOSSES}
    went_back = owed.meet_foreign_ids(tx, copy, wanted, written, taken, explained, read_at)
    if batch.truth and copy.settings.traits.tells_deletes:
        copy.ran_ahead(one.hash for one in wanted if one.row is not None)
    hashes = tuple(one.hash for one in doubted)
    stay = parked.keys() | put_off.keys()
    became = tuple(one for one in wanted if one.hash not in stay and _acts(one, existing))
    not_taken = frozenset(one.code for one in put_off.values())
    return Applied(debts, written, len(parked), went_back, hashes, became, not_taken), written.rows_delta - gone


def _acts(one: One, existing: Mapping[bytes, Existing]) -> bool:
    """Whether a change that was neither put off nor parked made a row another, or took it away."""
    return one.hash in existing if one.row is None else not owed.is_echo(one, existing)


def _doubt(tx: Connection, copy: Copy, ones: Sequence[One]) -> None:
    """What no row can hold is read consistently before it is parked and its row goes: the image may be to blame."""
    adopts = copy.first_copy and copy.settings.adopt_links
    # while ids are adopted the reading waits for the end of the scan, else a new row would take another item's id
    cause, due_at = (recheck.NO_ID_YET, recheck.NEVER) if adopts else (recheck.NOT_UNDERSTOOD, 0.0)
    recheck.add(tx, copy.table, [(one.hash, one.key) for one in ones], cause, due_at=due_at)


def _count(copy: Copy, applied: Applied) -> None:
    for (kind, origin), count in Counter((one.kind, one.origin) for one in applied.became).items():
        copy.counters.add(kind, origin, count)
    copy.counters.parked += applied.parked
    if applied.doubted:
        copy.counters.doubt(len(applied.doubted), "an image of which no row can be made")
    copy.counters.in_extra += sum(one.row is not None and one.row.extra is not None for one in applied.became)
