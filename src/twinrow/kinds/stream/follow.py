"""Follow a stream: what was read of all shards becomes one batch, durable together with the positions it came from."""

from __future__ import annotations

import json
from dataclasses import replace

from twinrow import clock
from twinrow.capture.reader_threads import ReaderThreads
from twinrow.capture.shard_listing import ListJob
from twinrow.capture.shard_tree import RECORD_TIME_GRAIN_S, GapFound, ShardPosition
from twinrow.capture.stream import EMPTY_S, NEWER_S, StreamBatch, StreamReader
from twinrow.errors import Broken, Transient
from twinrow.kinds.stream.prepare_records import RecordPreparer
from twinrow.state import checkpoint, gap, lease
from twinrow.state.checkpoint import Checkpoint
from twinrow.table import identity
from twinrow.table.copy import Copy
from twinrow.table_description import TableDescription
from twinrow.write.apply import Applied, Batch, apply

SHARD = "shard:"
STREAM = "stream"
RECORDS_A_BATCH_MAX = 5000
SHARDS_READ_AT_ONCE_MAX = 8
IDLE_WAIT_S = 0.05
LISTING_WAIT_S = 0.5
BUSY_S = NEWER_S + RECORD_TIME_GRAIN_S + 5.0
"""The newest record of a shard that is written all the time proves what was written so long ago."""
READING_S_MAX = 1.5
"""An idle shard was last read at most so long ago."""
LISTING_TRIES_MAX = 60
RECREATED = "STREAM_RECREATED"
DISABLED = "STREAM_DISABLED"
NOT_READ = "NOT_READ"


class Follow:
    """The stream of one table from its durable positions on; `step` applies one batch.

    A stream that was re-created is read to the end of the old one first.
    """

    def __init__(self, copy: Copy, description: TableDescription) -> None:
        self._copy = copy
        self._preparer = RecordPreparer(copy)
        self.caught_up_at = 0.0
        self.oldest_at: float | None = None
        self.backlog: int | None = None
        self.retention_left_s: float | None = None
        self.trouble = ""
        self._mark = copy.dynamodb.clock.now()
        known = checkpoint.load(copy.writer, copy.table, STREAM).get(STREAM)
        if known is None or known.position is None:
            known = enter_stream(copy, _arn(copy, description))
        arn = str(known.position)
        self._is_old = arn != description.stream_arn
        self._begin(arn, self._started_at(known))

    def _started_at(self, known: Checkpoint) -> float:
        """When the copy of this stream began: records well before that are left out.

        A moment that lies ahead was set by a wrong clock. Nothing may be left out by it any more, and what was left out
        is found by a reconcile.
        """
        copy, now = self._copy, self._copy.dynamodb.clock.now()
        if not clock.is_ahead(known.read_at, now):
            return known.read_at
        with copy.writer.transaction() as tx:
            lease.lock(tx, copy.lease, None)
            gap.record(tx, copy.table, NOT_READ, at=tx.now(), to_at=now)
            checkpoint.save(tx, copy.table, {STREAM: replace(known, read_at=0.0)})
        return 0.0

    def _begin(self, arn: str, started_at: float) -> None:
        copy = self._copy
        positions = {
            part.removeprefix(SHARD): _position(one)
            for part, one in checkpoint.load(copy.writer, copy.table, SHARD).items()
        }
        self._reader = StreamReader(copy.dynamodb, arn, positions, started_at=started_at, now=copy.dynamodb.clock.now)
        self._threads = ReaderThreads(self._reader, SHARDS_READ_AT_ONCE_MAX)
        self._threads.__enter__()

    def step(self) -> tuple[bool, Applied | None]:
        """Apply what was read."""
        batch = self._reader.take(RECORDS_A_BATCH_MAX, IDLE_WAIT_S)
        applied = self._apply(batch)
        self.trouble = batch.waits
        self.oldest_at = None if batch.read_through else batch.oldest_at
        self.backlog = 0 if batch.read_through else None
        retention_s = self._copy.settings.traits.retention_s
        if batch.unread_since is not None and retention_s is not None:
            self.retention_left_s = batch.unread_since + retention_s - self._copy.dynamodb.clock.now()
        if batch.ended:
            self._next_stream()
        elif not self._is_old:
            self._look_how_far()
        return bool(batch.records) or batch.ended, applied

    def _look_how_far(self) -> None:
        """Up to the beginning, as `--once` asks, and then up to a moment that moves along with the clock.

        A shard that is idle shows it for a moment ago, one that is written all the time only for BUSY_S ago.
        """
        now = self._copy.dynamodb.clock.now()
        moments = [now - EMPTY_S - READING_S_MAX, now - BUSY_S] if self.caught_up_at >= self._mark else [self._mark]
        for moment in moments:
            if moment > self.caught_up_at and self._reader.caught_up_since(moment):
                self.caught_up_at = moment

    def _apply(self, batch: StreamBatch) -> Applied | None:
        copy, applied = self._copy, None
        if batch.records or batch.positions or batch.gaps:
            told = self._preparer.prepare(batch.records)
            parts = {SHARD + shard: _checkpoint(one) for shard, one in batch.positions.items()}
            gaps = [(one.cause, one.shard, one.from_at, one.to_at) for one in batch.gaps]
            applied = apply(copy, Batch(told.changes, parts, suspects=told.suspects, gaps=gaps), told.prepared)
            if told.doubts:
                copy.counters.doubt(len(told.doubts), f"a stream record: {told.doubts[-1]}")
        if batch.forgotten:
            with copy.writer.transaction() as tx:
                lease.lock(tx, copy.lease, None)
                for shard in batch.forgotten:
                    checkpoint.forget(tx, copy.table, SHARD + shard)
        return applied

    def _next_stream(self) -> None:
        """All of the old stream is applied: go on with the new one; what was written between them, reconcile finds."""
        copy = self._copy
        old = self._reader.arn
        description = copy.dynamodb.describe(copy.table)
        identity.look(copy, description)
        now = description.stream_arn
        if now == old:
            return
        at = copy.dynamodb.clock.now()
        if now is None:
            gap.record(copy.writer, copy.table, DISABLED, at=copy.writer.now(), from_at=self.caught_up_at or None)
            raise Broken(
                "its stream was turned off",
                where=f"table {copy.table}",
                remedy="twinrow check --fix turns it on",
                commands=("twinrow check --fix",),
            )
        self.close()
        entered = enter_stream(copy, now, gap_from_at=self.caught_up_at or None, cause=RECREATED)
        self._is_old, self._mark = False, at
        self._begin(now, entered.read_at)

    def close(self) -> None:
        """End the reading threads; what was read and not applied is read again from the durable positions."""
        self._threads.__exit__(None, None, None)


def enter_stream(copy: Copy, arn: str, *, cause: str = "", gap_from_at: float | None = None) -> Checkpoint:
    """Make the stream durable, with every shard of its first complete listing; with a `cause` also a gap before it.

    A new copy does so before the first page is scanned: whatever is written from then on is in what is followed.
    Raises Transient when the shards cannot be listed.
    """
    entered = Checkpoint(arn, read_at=copy.dynamodb.clock.now())
    reader = StreamReader(copy.dynamodb, arn, {}, started_at=entered.read_at, now=copy.dynamodb.clock.now)
    parts, gaps, listed, waits = {STREAM: entered}, list[GapFound](), False, ""
    for _ in range(LISTING_TRIES_MAX):
        with reader.lock:
            job = reader.next_job()
        if isinstance(job, ListJob):  # what may be read already is read by the threads, from the durable positions
            reader.run(job)
        batch = reader.take(RECORDS_A_BATCH_MAX, 0.0)
        parts |= {SHARD + shard: _checkpoint(one) for shard, one in batch.positions.items()}
        gaps += batch.gaps
        listed, waits = batch.listed, batch.waits
        if listed or copy.stop.wait(LISTING_WAIT_S):
            break
    if not listed:
        raise Transient(waits or "the stream's shards cannot be listed", where=f"table {copy.table}")
    with copy.writer.transaction() as tx:
        lease.lock(tx, copy.lease, None)
        if cause:
            gap.record(tx, copy.table, cause, at=tx.now(), from_at=gap_from_at, to_at=entered.read_at)
        for one in gaps:
            gap.record(tx, copy.table, one.cause, at=tx.now(), shard=one.shard, from_at=one.from_at, to_at=one.to_at)
        checkpoint.forget(tx, copy.table, SHARD)
        checkpoint.save(tx, copy.table, parts)
    return entered


def _arn(copy: Copy, description: TableDescription) -> str:
    if description.stream_arn is None:
        raise Broken(
            "has no stream",
            where=f"table {copy.table}",
            remedy="twinrow check --fix turns it on",
            commands=("twinrow check --fix",),
        )
    return description.stream_arn


def _checkpoint(one: ShardPosition) -> Checkpoint:
    info = json.dumps({"parent": one.parent, "starts": one.starts, "horizon_at": one.horizon_at})
    return Checkpoint(one.position, one.finished, one.read_at, info)


def _position(one: Checkpoint) -> ShardPosition:
    info = json.loads(one.info or "{}")
    return ShardPosition(one.position, one.done, one.read_at, info["parent"], info["starts"], info["horizon_at"])
