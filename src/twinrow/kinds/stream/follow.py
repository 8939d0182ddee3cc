"""Follow a stream: the records of all shards become a batch, durable together with the positions they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from twinrow.capture.dynamodb_stream import DynamoDBStream
from twinrow.capture.reader_threads import ReaderThreads
from twinrow.capture.shard_reader import IDLE_S_MAX
from twinrow.capture.stream import StreamReader
from twinrow.capture.stream_batch import StreamBatch
from twinrow.capture.stream_record import StreamRecord
from twinrow.errors import Broken
from twinrow.kinds.stream.prepare_records import RecordPreparer, whole_keys
from twinrow.state import checkpoint, gap
from twinrow.state.checkpoint import Checkpoint
from twinrow.sync import shard_positions
from twinrow.sync.shard_positions import (
    IDLE_WAIT_S,
    RECORDS_A_BATCH_MAX,
    RECREATED,
    SHARDS_READ_AT_ONCE_MAX,
    STREAM,
)
from twinrow.table import identity
from twinrow.table.context import TableContext
from twinrow.table.table import Table
from twinrow.table_description import TableDescription
from twinrow.write.apply import apply
from twinrow.write.batch import Applied, Batch

DISABLED = "STREAM_DISABLED"


class Follow:
    """The stream of a table from its durable positions on; `step` applies a batch.

    If a stream was re-created, the old stream is read to its end first.
    """

    def __init__(self, context: TableContext, description: TableDescription) -> None:
        self._context = context
        self._preparer = RecordPreparer(context.settings, context.tenure, context.live)
        self.caught_up_at = 0.0
        self.oldest_at: float | None = None
        self.backlog: int | None = None
        self.retention_left_s: float | None = None
        self.trouble = ""
        self.wanted_at = 0.0
        self._mark = context.table.dynamodb.clock.now()
        known = checkpoint.load(context.tenure.open_writer(), context.name, STREAM).get(STREAM)
        if known is None or known.position is None:
            known = enter_stream(context, _arn(context.table, description))
        arn = str(known.position)
        self._is_old = arn != description.stream_arn
        self._begin(arn, shard_positions.started_at(context, known))

    def _begin(self, arn: str, started_at: float) -> None:
        context = self._context
        log = DynamoDBStream(context.table.dynamodb, arn)
        self._reader = StreamReader(
            log, shard_positions.load(context), started_at=started_at, now=context.table.dynamodb.clock.now,
            on_news=context.table.bell.ring, idle_s_max=context.settings.idle_poll_s or IDLE_S_MAX,
        )  # fmt: skip
        self._threads = ReaderThreads(self._reader, SHARDS_READ_AT_ONCE_MAX)
        self._threads.__enter__()

    def step(self) -> tuple[bool, Applied | None]:
        """Apply what was read."""
        batch = self._reader.take(RECORDS_A_BATCH_MAX, IDLE_WAIT_S)
        applied = self._apply(batch)
        now = self._context.table.dynamodb.clock.now()
        shard_positions.note_progress(self, batch, now, self._context.settings.traits.retention_s)
        if batch.ended:
            self._next_stream()
        elif not self._is_old:
            shard_positions.look_how_far(self, self._reader, self._mark, now, self._context.settings.idle_poll_s)
        return bool(batch.records) or batch.ended, applied

    def prove(self, moment: float) -> None:
        """List and read as the proof of that moment needs it."""
        self.wanted_at = moment

    def _apply(self, batch: StreamBatch[StreamRecord]) -> Applied | None:
        context, applied = self._context, None
        if batch.records or batch.positions or batch.gaps:
            prepared = self._preparer.prepare(batch.records)
            parts = shard_positions.parts_of(batch.positions)
            fills, now = context.settings.fills_gaps, context.table.dynamodb.clock.now()
            # what was applied until now may be newer than the gap, which was found before it was taken
            gaps = [replace(found, to_at=now) for found in batch.gaps] if fills else batch.gaps
            reborn = self._reborn(batch) if fills else ()
            whole = Batch(prepared.changes, parts, suspects=prepared.suspects, gaps=gaps, reborn=reborn)
            applied = apply(context, whole, prepared.prepared)
            if prepared.doubts:
                context.counters.doubt(len(prepared.doubts), f"a stream record: {prepared.doubts[-1]}")
        shard_positions.forget(context, batch.forgotten)
        return applied

    def _reborn(self, batch: StreamBatch[StreamRecord]) -> Sequence[bytes]:
        """Keys deleted and put again within the batch: their row may be written without a change, and look old."""
        deleted, reborn = set[bytes](), dict[bytes, StreamRecord]()
        for record in batch.records:
            text = bytes(record.keys)
            if record.is_delete:
                deleted.add(text)
            elif text in deleted:
                reborn[text] = record
        keys = self._context.live.keys
        return [key_hash for record in reborn.values() for key_hash in whole_keys(keys, record)]

    def _next_stream(self) -> None:
        """All of the old stream is applied: go on with the new stream; a reconcile finds the writes between them."""
        context = self._context
        old = self._reader.log.name
        description = context.table.dynamodb.describe(context.name)
        identity.look(context.tenure.open_writer(), context.table, description)
        now = description.stream_arn
        if now == old:
            return
        at = context.table.dynamodb.clock.now()
        if now is None:
            session = context.tenure.open_writer()
            gap.record(
                session, context.name, DISABLED, at=session.now(), from_at=self.caught_up_at or None,
                lost_from=shard_positions.lost_from(context),
            )  # fmt: skip
            raise Broken(
                "its stream was turned off",
                where=f"table {context.name}",
                remedy="twinrow check --fix turns it on",
                commands=("twinrow check --fix",),
            )
        self.close()
        entered = enter_stream(
            context, now, cause=RECREATED, gap_from_at=self.caught_up_at or None,
            lost_from=shard_positions.lost_from(context),
        )  # fmt: skip
        self._is_old, self._mark = False, at
        self._begin(now, entered.read_at)

    def close(self) -> None:
        """End the reading threads; what was read and not applied is read again from the durable positions."""
        self._threads.__exit__(None, None, None)


def enter_stream(
    context: TableContext,
    arn: str,
    *,
    cause: str = "",
    gap_from_at: float | None = None,
    lost_from: float | None = None,
) -> Checkpoint:
    """Make the stream durable, with every shard of its first complete listing; with a `cause` also a gap before it.

    A new copy does so before the first page is scanned: whatever is written from then on is in what is followed.
    Raises Transient when the shards cannot be listed.
    """
    return shard_positions.enter(
        context, DynamoDBStream(context.table.dynamodb, arn), arn, cause=cause, gap_from_at=gap_from_at,
        lost_from=lost_from,
    )  # fmt: skip


def _arn(table: Table, description: TableDescription) -> str:
    if description.stream_arn is None:
        raise Broken(
            "has no stream",
            where=f"table {table.name}",
            remedy="twinrow check --fix turns it on",
            commands=("twinrow check --fix",),
        )
    return description.stream_arn
